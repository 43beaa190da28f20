"""Kernels that walk a remote write request: protobuf wire format, every read checked against the end.

Field numbers are those of `prometheus.WriteRequest` 1.0. Unknown fields are skipped. Offsets are int64 into
the body; a negative `next` offset is a fault, found at `-1 - next`.
"""

import numpy as np

from streamgauge.collect.incoming.series_kernels import find, keyed_hash
from streamgauge.compiled import njit
from streamgauge.series.sized import NUMBER, sized

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@njit(cache=True, nogil=True, inline="always")
def _varint(body, at, end):  # type: ignore[no-untyped-def]
    if at < end and body[at] < 0x80:
        return np.uint64(body[at]), at + 1
    value = np.uint64(0)
    shift = np.uint64(0)
    start = at
    while at < end and at < start + 10:
        byte = np.uint64(body[at])
        at += 1
        if shift == 63 and byte > 1:
            return np.uint64(0), -1 - start
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < 0x80:
            return value, at
        shift += np.uint64(7)
    return np.uint64(0), -1 - start


@njit(cache=True, nogil=True, inline="always")
def _length(body, at, end):  # type: ignore[no-untyped-def]
    """The end of a length-delimited field and where its content starts."""
    length, start = _varint(body, at, end)
    if start < 0:
        return start, start
    if length > np.uint64(end - start):
        return -1 - at, -1 - at
    return start + np.int64(length), start


@njit(cache=True, nogil=True, inline="always")
def _tag(body, at, end):  # type: ignore[no-untyped-def]
    """Field number, wire type, and where the field's content starts."""
    tag, after = _varint(body, at, end)
    if after < 0:
        return 0, 0, after
    field = np.int64(tag >> np.uint64(3))
    if field == 0 or tag >> np.uint64(32):
        return 0, 0, -1 - at
    return field, np.int64(tag & np.uint64(7)), after


@njit(cache=True, nogil=True)
def _skip(body, at, end, wire):  # type: ignore[no-untyped-def]
    """The end of a field of any kind; the deprecated groups are a fault."""
    if wire == VARINT:
        return _varint(body, at, end)[1]
    if wire == BYTES:
        return _length(body, at, end)[0]
    width = 8 if wire == FIXED64 else 4
    if (wire != FIXED64 and wire != FIXED32) or end - at < width:
        return -1 - at
    return at + width


@njit(cache=True, nogil=True, inline="always")
def _sample(body, at, end, place, timestamps, bits):  # type: ignore[no-untyped-def]
    """Read a Sample into the arrays at `place`."""
    bits[place] = 0
    timestamps[place] = 0
    while at < end:
        start = at
        field, wire, at = _tag(body, at, end)
        if at < 0:
            return at
        if field == 1:
            if wire != FIXED64 or end - at < 8:
                return -1 - start
            word = np.uint64(0)
            for i in range(8):
                word |= np.uint64(body[at + i]) << np.uint64(8 * i)
            bits[place] = word
            at += 8
        elif field == 2:
            if wire != VARINT:
                return -1 - start
            number, at = _varint(body, at, end)
            timestamps[place] = np.int64(number)
        else:
            at = _skip(body, at, end, wire)
        if at < 0:
            return at
    return at


@njit(cache=True, nogil=True, inline="always")
def _series(body, at, end, key, seen, timestamps, bits, sample_count):  # type: ignore[no-untyped-def]
    """Read a TimeSeries: where its labels start and end goes to `key`; returns the sample count, too."""
    key[0] = key[1] = at
    labelled = False
    while at < end:
        start = at
        field, wire, at = _tag(body, at, end)
        if at < 0:
            return at, sample_count
        if 1 <= field <= 4:
            if wire != BYTES:
                return -1 - start, sample_count
            stop, inner = _length(body, at, end)
            if stop < 0:
                return stop, sample_count
            at = stop
            if field == 1:
                if not labelled:
                    key[0] = start
                    labelled = True
                key[1] = stop
            elif field == 2:
                at = _sample(body, inner, stop, sample_count, timestamps, bits)
                sample_count += 1
            else:
                seen[field - 3] += 1
        else:
            at = _skip(body, at, end, wire)
        if at < 0:
            return at, sample_count
    return at, sample_count


def _the_table_is_whole(table):  # type: ignore[no-untyped-def]
    slots, hashes, bounds, _, ordinals, seed = table
    return len(seed) == 2 and len(slots).bit_count() == 1 and len(hashes) == len(ordinals) <= len(bounds)


def _half_of_the_body_has_room(body, keys):  # type: ignore[no-untyped-def]
    # a series takes two bytes at least, and so does a sample
    return 2 * len(keys) > len(body)


@sized(
    _the_table_is_whole,
    _half_of_the_body_has_room,
    body="bytes",
    table=NUMBER,
    keys="room, 2",
    ordinals="room",
    counts="room",
    seen="3",
    metadata="entries, 2",
    timestamps="room",
    bits="room",
)
@njit(cache=True, nogil=True)
def walk(body, table, keys, ordinals, counts, seen, metadata, timestamps, bits):  # type: ignore[no-untyped-def]
    """Read a WriteRequest. A series without samples says nothing and is passed over.

    table: (slots, hashes, bounds, arena, ordinals, seed) of a `KeyTable`. Written, each large enough for half
    the body's length: keys (n, 2), where each series' labels start and end; ordinals (n,), -1 for a series
    unknown to the table; counts (n,); timestamps and bits of the samples. Also seen (3,), exemplars, native
    histograms and metadata; metadata (m, 2), where the content of the first m of these starts and ends, -1 for
    what is no message. Returns next offset, series, samples.
    """
    slots, hashes, bounds, arena, known, seed = table
    at, end = 0, len(body)
    series, samples, guess = 0, 0, np.int64(0)
    while at < end:
        start = at
        field, wire, at = _tag(body, at, end)
        if at < 0:
            return at, series, samples
        if field != 1:
            if field == 3:
                if seen[2] < len(metadata):
                    span = metadata[seen[2]]
                    span[1], span[0] = _length(body, at, end) if wire == BYTES else (-1, -1)
                seen[2] += 1
            at = _skip(body, at, end, wire)
            if at < 0:
                return at, series, samples
            continue
        if wire != BYTES:
            return -1 - start, series, samples
        stop, inner = _length(body, at, end)
        if stop < 0:
            return stop, series, samples
        key = keys[series]
        at, after = _series(body, inner, stop, key, seen, timestamps, bits, samples)
        if at < 0:
            return at, series, samples
        if after == samples:
            continue
        hashed = keyed_hash(body, key[0], key[1], seed)
        guess = find(slots, hashes, bounds, arena, body, key[0], key[1], hashed)
        ordinals[series] = known[guess] if guess >= 0 else -1
        counts[series] = after - samples
        samples = after
        series += 1
    return at, series, samples


def _half_of_the_key_has_room(key, spans):  # type: ignore[no-untyped-def]
    return 2 * len(spans) > len(key)


@sized(_half_of_the_key_has_room, key="bytes", spans="room, 4")
@njit(cache=True, nogil=True)
def label_spans(key, spans):  # type: ignore[no-untyped-def]
    """Find the labels in the labels part of a TimeSeries.

    spans: (n, 4), written: name start, name end, value start, value end. Returns next offset and labels.
    """
    at, end = 0, len(key)
    labels = 0
    while at < end:
        field, wire, at = _tag(key, at, end)
        if at < 0:
            return at, labels
        if field != 1:
            at = _skip(key, at, end, wire)
            if at < 0:
                return at, labels
            continue
        stop, at = _length(key, at, end)
        if stop < 0:
            return stop, labels
        span = spans[labels]
        span[:] = 0
        while at < stop:
            start = at
            part, wire, at = _tag(key, at, stop)
            if at < 0:
                return at, labels
            if part == 1 or part == 2:
                if wire != BYTES:
                    return -1 - start, labels
                after, inner = _length(key, at, stop)
                if after < 0:
                    return after, labels
                span[2 * part - 2], span[2 * part - 1] = inner, after
                at = after
            else:
                at = _skip(key, at, stop, wire)
                if at < 0:
                    return at, labels
        labels += 1
    return at, labels
