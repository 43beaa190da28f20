"""Series ids and where a series lives: lane, partition, metric group, slice.

A `series_id` is 16 bytes: 4 of the xxh3 of the metric name, 4 of the xxh3 of the other labels' canonical
bytes, 8 of the xxh3 of all canonical bytes, each big-endian. Sorted by id, a metric's series lie together.
Within the process an id is also a pair of uint64, `(high, low)`, which sorts the same.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from streamgauge.series import labels

ID_BYTES = 16
Ids = npt.NDArray[np.uint64]
"""Shape (n, 2): the high and the low half of each id, native byte order."""


@dataclass(frozen=True, slots=True)
class Shards:
    """How the key space is cut. Fixed when the schema is created; every process checks it at start."""

    lanes: int
    groups: int
    raw_slices: int = 1
    rollup_slices: int = 1


def name_hash(metric: bytes) -> int:
    """The 32 bits of a series id that come from the metric name."""
    return xxhash.xxh3_64_intdigest(metric) & 0xFFFFFFFF


def series_id(data: bytes) -> bytes:
    """The id of the series with these canonical label bytes."""
    metric, rest = labels.split_name(data)
    return (
        name_hash(metric).to_bytes(4, "big")
        + (xxhash.xxh3_64_intdigest(rest) & 0xFFFFFFFF).to_bytes(4, "big")
        + xxhash.xxh3_64_intdigest(data).to_bytes(8, "big")
    )


def lane_of(identity: bytes, lanes: int) -> int:
    """The lane of a series id: all metrics with the same other labels share it."""
    return int.from_bytes(identity[4:8], "big") % lanes


def partition_of(lane: int, partitions: int) -> int:
    """The Kafka partition of a lane; `partitions` divides the number of lanes."""
    return lane % partitions


def metric_group(metric: bytes, groups: int) -> int:
    """The metric group of a metric name."""
    return name_hash(metric) % groups


def from_bytes(data: bytes | memoryview | npt.NDArray[np.uint8]) -> Ids:
    """Read packed 16-byte ids as an (n, 2) array.

    :raises ValueError: if the length is not a multiple of 16.
    """
    return np.frombuffer(data, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def to_bytes(ids: Ids) -> bytes:
    """Pack an (n, 2) array as 16 bytes an id."""
    return ids.astype(">u8").tobytes()


def split(packed: bytes) -> list[bytes]:
    """Packed ids, one by one."""
    return [packed[at : at + ID_BYTES] for at in range(0, len(packed), ID_BYTES)]


def lanes_of(ids: Ids, lanes: int) -> npt.NDArray[np.int64]:
    """`lane_of` for many ids."""
    return ((ids[:, 0] & np.uint64(0xFFFFFFFF)) % np.uint64(lanes)).astype(np.int64)


def groups_of(ids: Ids, groups: int) -> npt.NDArray[np.int64]:
    """`metric_group` for many ids."""
    return ((ids[:, 0] >> np.uint64(32)) % np.uint64(groups)).astype(np.int64)


def slices_of(ids: Ids, lanes: int, slices: int) -> npt.NDArray[np.int64]:
    """The slice of each id: bits of the label part that the lane does not use already."""
    label_part = ids[:, 0] & np.uint64(0xFFFFFFFF)
    return ((label_part // np.uint64(lanes)) % np.uint64(slices)).astype(np.int64)
