"""The batch: the value of one `metrics.raw` message.

One Arrow IPC stream with one record batch, body compressed with lz4, one row a series: id, canonical labels,
timestamps, values. At most 1000 rows, sorted by id, all of one lane, all samples inside one UTC minute, the
timestamps of a row rising. Kafka key: the lane, decimal. Record timestamp: the newest sample.
Headers: `version`, `producer`, `sent` (the collector's clock, ms, decimal). A heartbeat has an empty value.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batches import batch_kernels
from schemas.batches.arrow_sizes import batch_sizes
from schemas.limits import MAX_BATCH_SERIES, MAX_UNPACKED_BATCH_BYTES
from schemas.units import MINUTE_MS
from streamgauge.series import ids as series_ids
from streamgauge.series import labels as series_labels
from streamgauge.series.samples import Samples, empty, take

VERSION = b"1"
HEARTBEAT = b""
MAX_DETAIL = 500
"""Characters of what is told of a message that was set aside."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(series_ids.ID_BYTES), nullable=False),
        pa.field("labels", pa.binary(), nullable=False),
        pa.field("timestamps", pa.list_(pa.field("item", pa.int64(), nullable=False)), nullable=False),
        pa.field("values", pa.list_(pa.field("item", pa.float64(), nullable=False)), nullable=False),
    ]
)
_SCHEMA_OF_SAMPLES = pa.schema([SCHEMA.field(i) for i in (0, 2, 3)])
_WRITE = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ_SAMPLES = pa.ipc.IpcReadOptions(use_threads=False, included_fields=[0, 2, 3])
_READ_ALL = pa.ipc.IpcReadOptions(use_threads=False)


class BatchFault(StrEnum):
    """Why a message was set aside."""

    NO_VALUE = "no_value"
    BAD_KEY = "bad_key"
    BAD_VERSION = "bad_version"
    BAD_SENT = "bad_sent"
    NOT_ARROW = "not_arrow"
    BAD_SCHEMA = "bad_schema"
    TOO_MANY_SERIES = "too_many_series"
    TOO_LARGE = "too_large"
    BAD_ORDER = "bad_order"
    WRONG_LANE = "wrong_lane"
    WRONG_MINUTE = "wrong_minute"
    BAD_LABELS = "bad_labels"
    TOO_OLD = "too_old"
    LABELS_TOO_LONG = "labels_too_long"
    NOT_STORED = "not_stored"


class InvalidBatch(ValueError):
    """A message of `metrics.raw` that is not a batch.

    :param reason: counted, and the `reason` header on `metrics.rejected`.
    :param detail: what was found, for people.
    """

    def __init__(self, reason: BatchFault, detail: str) -> None:
        # what was found comes from outside, and a header has to hold it
        self.reason, self.detail = reason, detail[:MAX_DETAIL]
        super().__init__(f"{reason.value}: {self.detail}")


class Envelope(NamedTuple):
    """What Kafka carries beside the value: lane, producer's clock in ms, and the UTC minute in ms."""

    lane: int
    sent: int
    minute: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded batch: its samples, and the canonical labels of each row where they were asked for."""

    samples: Samples
    labels: pa.BinaryArray | None


def minute_of(timestamp: int) -> int:
    """The start of the UTC minute (ms) that holds a timestamp (ms)."""
    return timestamp - timestamp % MINUTE_MS


def key_of(lane: int) -> bytes:
    """The Kafka key of a lane."""
    return b"%d" % lane


def headers_of(producer: str, sent: int) -> list[tuple[str, bytes]]:
    """The Kafka headers of a batch or heartbeat."""
    return [("version", VERSION), ("producer", producer.encode()), ("sent", str(sent).encode())]


def encode(samples: Samples, labels: pa.BinaryArray) -> bytes:
    """Encode rows of one lane and minute; the caller keeps the rules at the top of this file."""
    return encode_record(record_of(samples, labels))


def encode_record(record: pa.RecordBatch) -> bytes:
    """Encode what `record_of` gave, or a slice of it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=_WRITE) as writer:
        writer.write_batch(record)
    return bytes(sink.getvalue())


def record_of(samples: Samples, labels: pa.BinaryArray) -> pa.RecordBatch:
    """The rows of a batch, or of several that are cut from it."""
    rows = len(samples.ids)
    offsets = pa.py_buffer(samples.offsets.astype(np.int32))
    columns = [
        pa.Array.from_buffers(
            SCHEMA.field(0).type, rows, [None, pa.py_buffer(series_ids.to_bytes(samples.ids))]
        ),
        labels,
    ]
    for field, flat in ((SCHEMA.field(2), samples.timestamps), (SCHEMA.field(3), samples.values)):
        items = pa.Array.from_buffers(
            field.type.value_type, len(flat), [None, pa.py_buffer(np.ascontiguousarray(flat))]
        )
        columns.append(pa.Array.from_buffers(field.type, rows, [None, offsets], children=[items]))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def envelope(
    key: bytes | None, headers: Mapping[str, bytes | None] | None, timestamp: int, lanes: int
) -> Envelope:
    """Check what comes beside the value of a message.

    :param timestamp: the record timestamp in ms.
    :raises InvalidBatch: with the reason.
    """
    headers = headers or {}
    version = headers.get("version")
    if version != VERSION:
        raise InvalidBatch(BatchFault.BAD_VERSION, f"version {version!r:.100}, this reads {VERSION!r}")
    lane = int(key) if key and len(key) < 10 and key.isdigit() else lanes
    if lane >= lanes or key != key_of(lane):
        raise InvalidBatch(BatchFault.BAD_KEY, f"key {key!r:.100} is not a lane below {lanes}")
    sent = headers.get("sent")
    if not sent or not sent.isdigit() or len(sent) > 18:
        raise InvalidBatch(BatchFault.BAD_SENT, f"sent {sent!r:.100}")
    return Envelope(lane, int(sent), minute_of(timestamp))


def decode(value: bytes | None, lane: int, minute: int, lanes: int, *, labels: bool = False) -> Batch:
    """Decode and check a batch that claims this lane and UTC minute (ms).

    :param labels: whether to read the labels too, which costs as much as the rest.
    :raises InvalidBatch: with the reason; nothing that the message says is trusted.
    """
    if value is None:
        raise InvalidBatch(BatchFault.NO_VALUE, "null value")
    _check_sizes(value)
    record = _read(value, labels)
    samples = _samples(record, lane, minute, lanes)
    return Batch(samples, record.column("labels") if labels else None)


def labels_by_id(batch: Batch) -> dict[bytes, bytes]:
    """The canonical labels of each series of a batch that was decoded with them.

    :raises InvalidBatch: if labels are not canonical, or not those that make the id.
    """
    if batch.labels is None:
        raise ValueError("the batch was decoded without labels")
    found: dict[bytes, bytes] = {}
    ids = series_ids.split(series_ids.to_bytes(batch.samples.ids))
    for identity, data in zip(ids, batch.labels.to_pylist(), strict=True):
        try:
            series_labels.parse(data)
        except series_labels.InvalidLabels as error:
            raise InvalidBatch(BatchFault.BAD_LABELS, str(error)) from None
        if series_ids.series_id(data) != identity:
            raise InvalidBatch(BatchFault.BAD_LABELS, f"{identity.hex()} is not the id of {data[:200]!r}")
        found[identity] = data
    return found


def single(batch: Batch, identity: bytes) -> bytes:
    """A batch with nothing but the series of this id, of one that was decoded with labels and has it."""
    if batch.labels is None:
        raise ValueError("the batch was decoded without labels")
    row = series_ids.split(series_ids.to_bytes(batch.samples.ids)).index(identity)
    return encode(take(batch.samples, np.array([row])), batch.labels.take(pa.array([row])))


def _check_sizes(value: bytes) -> None:
    """Refuse what would take more memory than a batch may, before Arrow allocates it."""
    try:
        rows, content = batch_sizes(value)
    except (pa.ArrowException, OSError, struct.error, StopIteration, EOFError, ValueError) as error:
        raise InvalidBatch(BatchFault.NOT_ARROW, str(error)[:500]) from None
    if rows > MAX_BATCH_SERIES:
        raise InvalidBatch(BatchFault.TOO_MANY_SERIES, f"{rows} series, at most {MAX_BATCH_SERIES}")
    if content > MAX_UNPACKED_BATCH_BYTES:
        detail = f"{content} bytes unpacked, at most {MAX_UNPACKED_BATCH_BYTES}"
        raise InvalidBatch(BatchFault.TOO_LARGE, detail)


def _read(value: bytes, labels: bool) -> pa.RecordBatch:
    try:
        with pa.ipc.open_stream(value, options=_READ_ALL if labels else _READ_SAMPLES) as reader:
            if not reader.schema.equals(SCHEMA if labels else _SCHEMA_OF_SAMPLES):
                raise InvalidBatch(BatchFault.BAD_SCHEMA, str(reader.schema)[:500])
            record = reader.read_next_batch()
            record.validate(full=True)
    except (pa.ArrowException, OSError, MemoryError, StopIteration, ValueError, IndexError) as error:
        if isinstance(error, InvalidBatch):
            raise
        raise InvalidBatch(BatchFault.NOT_ARROW, str(error)[:500]) from None
    return record


def _samples(record: pa.RecordBatch, lane: int, minute: int, lanes: int) -> Samples:
    """The samples of a record that Arrow found whole, checked by the rules at the top of this file."""
    rows, columns = record.num_rows, record.columns
    if any(column.null_count or column.offset for column in columns):
        raise InvalidBatch(BatchFault.BAD_SCHEMA, "null where none may be, or rows that were cut off")
    if not rows:
        return empty()
    _, id_buffer = columns[0].buffers()
    _, time_offsets, _, times = columns[-2].buffers()
    _, value_offsets, _, values = columns[-1].buffers()
    ids, offsets = np.empty((rows, 2), np.uint64), np.zeros(rows + 1, np.int64)
    packed = _array(id_buffer, np.uint64)
    starts, value_starts = _array(time_offsets, np.int32), _array(value_offsets, np.int32)
    all_times, all_values = _array(times, np.int64), _array(values, np.float64)
    fault, row = batch_kernels.check(
        packed, starts, value_starts, all_times, all_values, lane, lanes, minute, MINUTE_MS, ids, offsets
    )
    if fault != batch_kernels.GOOD:
        reason, detail = _FAULTS[fault]
        raise InvalidBatch(reason, f"row {row} of {rows}: {detail.format(lane=lane, minute=minute)}")
    count = int(offsets[-1])
    first, first_value = int(starts[0]), int(value_starts[0])
    own = all_times[first : first + count], all_values[first_value : first_value + count]
    return Samples(ids, offsets, *own)


_FAULTS = {
    batch_kernels.BAD_COUNTS: (BatchFault.BAD_ORDER, "timestamps and values differ in number"),
    batch_kernels.NO_SAMPLE: (BatchFault.BAD_ORDER, "a series without a sample"),
    batch_kernels.WRONG_LANE: (BatchFault.WRONG_LANE, "a series that is not of lane {lane}"),
    batch_kernels.UNSORTED_IDS: (BatchFault.BAD_ORDER, "ids are not sorted or not distinct"),
    batch_kernels.WRONG_MINUTE: (BatchFault.WRONG_MINUTE, "a sample outside the minute {minute}"),
    batch_kernels.UNSORTED_TIMES: (BatchFault.BAD_ORDER, "timestamps of a series are not rising"),
}


def _array(buffer: pa.Buffer | None, kind: type[np.generic]) -> npt.NDArray[Any]:
    """The whole items of a buffer, read-only, whoever owns it: so that there is one kernel."""
    if buffer is None:
        return np.zeros(0, kind)
    size = np.dtype(kind).itemsize
    array: npt.NDArray[Any] = np.frombuffer(buffer, kind, buffer.size // size)
    array.flags.writeable = False
    return array
