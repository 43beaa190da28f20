"""Prometheus remote write 1.0: a snappy block that holds a protobuf `WriteRequest`.

Labels must come sorted by name, as the specification demands of senders; a label with an empty value counts
as absent. A series whose labels exceed a limit is refused by itself; whatever else is wrong with one refuses the whole
request. A series without samples is passed over.
"""

from typing import NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt

from schemas import limits
from schemas.limits import ExceededLimit
from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault
from streamgauge.collect.incoming.metadata import MAX_A_REQUEST, Metadata, written_metadata
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows, without
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.receive import remote_write_kernels as kernels
from streamgauge.series import labels as series_labels
from streamgauge.series.labels import InvalidLabels, LabelsFault

Bytes = npt.NDArray[np.uint8]
MAX_KEY_BYTES = 16 * limits.MAX_LABELS_BYTES
"""Of a series' labels as they are sent; beyond, they are not even looked at."""

LABEL_FAULTS = {
    LabelsFault.NO_NAME: RequestFault.NO_NAME,
    LabelsFault.EMPTY_LABEL_NAME: RequestFault.EMPTY_LABEL_NAME,
    LabelsFault.DUPLICATE: RequestFault.DUPLICATE_LABEL,
    LabelsFault.UNSORTED: RequestFault.UNSORTED_LABELS,
    LabelsFault.NOT_UTF8: RequestFault.NOT_UTF8,
}


class WriteRequest(NamedTuple):
    """A decoded request: samples, metadata, refused samples, and counts of ignored parts."""

    rows: Rows
    refused: Refusals
    exemplars: int
    histograms: int
    metadata: list[Metadata]
    invalid_metadata: int


def decompress(body: bytes, limit: int) -> Bytes:
    """Undo the snappy block; an array of uint8.

    :param limit: the most bytes that may come out; the length it declares is checked first.
    :raises InvalidRequest: not snappy, or more than that.
    """
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > limit:
            raise InvalidRequest(RequestFault.TOO_LARGE, f"{length} bytes decompressed, at most {limit}")
        out = np.empty(length, np.uint8)
        written = cramjam.snappy.decompress_raw_into(body, out.data)
        return out[:written]
    except cramjam.DecompressionError as error:
        raise InvalidRequest(RequestFault.NOT_SNAPPY, str(error)[:200]) from None


def decode(body: bytes | Bytes, table: SeriesTable) -> WriteRequest:
    """Read a decompressed request; series that the table does not know are added to it.

    :raises InvalidRequest: with the offset of the fault in the decompressed body.
    """
    most = len(body) // 2 + 1
    data = np.frombuffer(body, np.uint8) if len(body) else np.zeros(0, np.uint8)
    keys, ordinals = np.empty((most, 2), np.int64), np.empty(most, np.int64)
    counts, seen = np.empty(most, np.int64), np.zeros(3, np.int64)
    spans = np.empty((min(most, MAX_A_REQUEST), 2), np.int64)
    timestamps, bits = np.empty(most, np.int64), np.empty(most, np.uint64)
    known = table.keys
    arrays = (known.slots, known.hashes, known.arena.bounds, known.arena.data, known.ordinals, known.seed)
    at, series, samples = kernels.walk(data, arrays, keys, ordinals, counts, seen, spans, timestamps, bits)
    if at < 0:
        raise InvalidRequest(RequestFault.NOT_PROTOBUF, f"at offset {-1 - at} of {len(body)}")
    ordinals, counts = ordinals[:series], counts[:series]
    exceeded = _add_unknown(table, data, keys, ordinals)
    refused, starts = Refusals(), np.cumsum(counts) - counts
    for row, fault in exceeded.items():
        refused.add_series(fault, int(counts[row]), int(timestamps[starts[row]]))
    values = bits[:samples].view(np.float64)
    # copies, so that the roomy arrays are not kept alive while Kafka is waited for
    rows = Rows(ordinals.copy(), counts.copy(), timestamps[:samples].copy(), values.copy())
    if exceeded:
        rows = without(rows, np.repeat(ordinals < 0, counts))
    metadata = written_metadata(data, spans[: int(seen[2])])
    return WriteRequest(rows, refused, int(seen[0]), int(seen[1]), metadata, int(seen[2]) - len(metadata))


def _add_unknown(
    table: SeriesTable, data: Bytes, keys: npt.NDArray[np.int64], ordinals: npt.NDArray[np.int64]
) -> dict[int, ExceededLimit]:
    """Write the ordinals that are -1, but for series beyond a limit: these are returned by row.

    Nothing is added to the table unless all that is unknown is sound.
    """
    unknown = np.flatnonzero(ordinals < 0)
    fresh: dict[bytes, bytes | ExceededLimit] = {}
    spelled = []
    for start, end in keys[unknown].tolist():
        key = data[start:end].tobytes()
        if key not in fresh:
            try:
                fresh[key] = _canonical(key, start)
            except ExceededLimit as fault:
                # without its traceback, which would keep the request alive
                fresh[key] = fault.with_traceback(None)
        spelled.append(key)
    found: dict[bytes, int] = {}
    for key, canonical in fresh.items():
        if isinstance(canonical, bytes):
            found[key] = table.intern(canonical)
            table.keys.insert(key, found[key])
    ordinals[unknown] = [found.get(key, -1) for key in spelled]
    each = zip(unknown.tolist(), (fresh[key] for key in spelled), strict=True)
    return {row: fault for row, fault in each if isinstance(fault, ExceededLimit)}


def _canonical(key: bytes, offset: int) -> bytes:
    """The canonical bytes of the labels part of a series, which starts at `offset` of the body."""
    if len(key) > MAX_KEY_BYTES:
        detail = f"labels_length_limit exceeded (length: {len(key)} bytes as sent, at offset {offset})"
        raise ExceededLimit(LabelsFault.LABELS_TOO_LONG, detail)
    spans = np.empty((len(key) // 2 + 1, 4), np.int64)
    at, count = kernels.label_spans(np.frombuffer(key, np.uint8), spans)
    if at < 0:
        raise InvalidRequest(RequestFault.NOT_PROTOBUF, f"at offset {offset - 1 - at}, in labels")
    pairs = [(key[a:b], key[c:d]) for a, b, c, d in spans[:count].tolist()]
    try:
        b"\0".join(part for pair in pairs for part in pair).decode()
        canonical = series_labels.canonical_pairs(pairs)
        if not all(value for _, value in pairs):
            canonical = series_labels.canonical_pairs([pair for pair in pairs if pair[1]])
    except UnicodeDecodeError:
        raise InvalidRequest(RequestFault.NOT_UTF8, f"labels at offset {offset}") from None
    except InvalidLabels as error:
        raise InvalidRequest(
            LABEL_FAULTS[error.reason], f"{error.detail}, labels at offset {offset}"
        ) from None
    limits.check(canonical)
    return canonical
