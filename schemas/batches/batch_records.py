"""Records of batches: what collectors say was acknowledged, and what the rollup job says it has stored.

A record has the lane and UTC minute of a batch, where it lies in Kafka, and how many samples it holds. Many of them are
one blob: the value of a message of `metrics.acknowledged`, and a row of `stored_batches`. After a byte for the format
follow, deflated, five columns of int64, little endian, each as differences, sorted by partition and offset.
"""

import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.units import MINUTE_MS
from streamgauge.times import LAST_DATE_MS

FORMAT = b"\x01"
MAX_RECORDS = 20_000
"""In a message; a row of the store may have more."""
MAX_ROW_BYTES = 256 * 1024 * 1024
MAX_PARTITIONS = 1 << 20
MAX_OFFSET = 1 << 43
_COLUMNS = 5

Column = npt.NDArray[np.int64]


class InvalidRecords(ValueError):
    """A blob that holds no records of batches; the text says why."""


class Records(NamedTuple):
    """Batches as columns of equal length; minutes in ms."""

    lanes: Column
    minutes: Column
    partitions: Column
    offsets: Column
    samples: Column


NONE = Records(*(np.zeros(0, np.int64) for _ in range(_COLUMNS)))


def records(rows: list[tuple[int, int, int, int, int]]) -> Records:
    """Records from tuples of lane, minute (ms), partition, offset and number of samples."""
    return Records(*np.array(rows, np.int64).reshape(-1, _COLUMNS).T.copy())


def check(found: Records, lanes: int) -> None:
    """Refuse records that no collector writes.

    :raises InvalidRecords: for a lane that there is not, a time that is no minute, and places that are none.
    """
    is_place = (found.partitions >= 0) & (found.partitions < MAX_PARTITIONS) & (found.offsets >= 0)
    is_place &= found.offsets < MAX_OFFSET
    is_minute = (found.minutes % MINUTE_MS == 0) & (found.minutes >= 0) & (found.minutes <= LAST_DATE_MS)
    if not np.all(is_place & is_minute & (found.lanes >= 0) & (found.lanes < lanes) & (found.samples >= 0)):
        raise InvalidRecords("a lane, a minute, a place in Kafka or a count that no batch has")


def concat(parts: list[Records]) -> Records:
    """All records of several blobs."""
    return Records(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else NONE


def take(found: Records, rows: npt.NDArray[np.generic]) -> Records:
    """The records of these row numbers, or where a mask is set."""
    return Records(*(column[rows] for column in found))


def encode(found: Records) -> bytes:
    """Records as a blob, in the order of partitions and offsets."""
    order = np.lexsort((found.offsets, found.partitions))
    table = np.stack([column[order] for column in found]).astype("<i8")
    return FORMAT + zlib.compress(np.diff(table, axis=1, prepend=0).tobytes(), 1)


def decode(data: bytes, most: int = MAX_ROW_BYTES // (8 * _COLUMNS)) -> Records:
    """Read a blob.

    :param most: records; no more memory is taken than these need.
    :raises InvalidRecords: for anything else, and for more records.
    """
    if data[:1] != FORMAT:
        raise InvalidRecords(f"format {data[:1]!r} is unknown")
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(data[1:], most * 8 * _COLUMNS)
    except zlib.error as error:
        raise InvalidRecords(str(error)) from None
    if not inflate.eof or inflate.unused_data:
        raise InvalidRecords(f"no end within {most} records")
    if len(content) % (8 * _COLUMNS):
        raise InvalidRecords(f"{len(content)} bytes are not {_COLUMNS} columns")
    # a sum of differences that overflows wraps around; it is a wrong number then, as a wrong byte is
    table = np.frombuffer(content, "<i8").reshape(_COLUMNS, -1).cumsum(axis=1, dtype=np.int64)
    return Records(*table)
