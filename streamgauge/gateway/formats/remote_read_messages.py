"""The messages of Prometheus's remote read: protobuf in a snappy block, both ways.

The protobuf package would build a whole message before its fields can be counted: a body of 1 MiB makes 40 MiB of them.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt

from schemas.protobuf import InvalidProtobuf, field, fields, integer, message, text, varint
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatchOp
from streamgauge.series.regexes import RegexAllowance

MAX_BYTES = 1024 * 1024
"""Maximum decompressed size of a request, that of any body."""
MAX_FIELDS = 20_000
"""Of the messages of a request together: each takes about a microsecond, and most of them memory."""
MAX_QUERIES = 100
MAX_MATCHERS = 1000
"""Of a request; each query reads from the store."""
SAMPLES = 0
"""The supported response type; the other one is streamed chunks."""
_OPS = (MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.REGEX, MatchOp.NOT_REGEX)
_SIX_BYTES = range(1 << 35, 1 << 42)
"""Numbers whose varint has six bytes: ms since 1970 from 1971 to 2109."""


class ReadQuery(NamedTuple):
    """A query of a request: times in ms, inclusive; step and range are the hints, 0 if not given."""

    start: int
    end: int
    matchers: tuple[Matcher, ...]
    step: int = 0
    range: int = 0


def queries(body: bytes) -> list[ReadQuery]:
    """The queries of a request.

    :raises InvalidRequest: if the body is invalid, exceeds the limits, or does not accept samples.
    """
    try:
        kinds, found = _Request().read(_decompressed(body))
    except (InvalidProtobuf, InvalidMatcher) as error:
        raise InvalidRequest(ErrorType.BAD_DATA, str(error)) from None
    if kinds and SAMPLES not in kinds:
        detail = f"server does not support any of the requested response types: {kinds}; supported: [SAMPLES]"
        raise InvalidRequest(ErrorType.BAD_DATA, detail)
    return found


def response(results: Iterable[Iterable[bytes]], hold: Callable[[int], None] = lambda _: None) -> bytes:
    """The body that answers: the time series of each query.

    :param hold: is called with the number of bytes in use so far.
    """
    content = bytearray()
    for series in results:
        own = bytearray()
        for each in series:
            own += field(1, each)
            # twice while it is put together, and compressed, which random values are not
            hold(2 * len(content) + 4 * len(own))
        content += field(1, bytes(own))
    hold(3 * len(content))
    return bytes(cramjam.snappy.compress_raw(content))


def time_series(
    labels: Iterable[tuple[bytes, bytes]], times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> bytes:
    """A time series: labels, and samples at times in ms."""
    named = [field(1, field(1, name) + field(2, value)) for name, value in labels]
    return b"".join([*named, _samples(times, values)])


def _samples(times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> bytes:
    if not len(times):
        return b""
    if int(times.min()) not in _SIX_BYTES or int(times.max()) not in _SIX_BYTES:
        pairs = zip(times.tolist(), values.tolist(), strict=True)
        return b"".join(
            field(2, struct.pack("<Bd", 0x09, value) + b"\x10" + varint(at)) for at, value in pairs
        )
    # all samples have the same length, so they are written column by column
    written = np.empty((len(times), 18), np.uint8)
    written[:, :3] = np.frombuffer(b"\x12\x10\x09", np.uint8)
    written[:, 3:11] = values.astype("<f8").view(np.uint8).reshape(-1, 8)
    written[:, 11] = 0x10
    for place in range(6):
        part = times >> 7 * place & 0x7F
        written[:, 12 + place] = part | 0x80 if place < 5 else part
    return written.tobytes()


def _decompressed(body: bytes) -> bytes:
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > MAX_BYTES:
            detail = f"snappy: decoded length {length} exceeds limit {MAX_BYTES}"
            raise InvalidRequest(ErrorType.BAD_DATA, detail)
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise InvalidRequest(ErrorType.BAD_DATA, f"snappy: {error}") from None


class _Request:
    """Reads the messages of a request, and counts what they hold before it is made."""

    def __init__(self) -> None:
        self._fields = self._queries = self._matchers = 0
        self._regexes = RegexAllowance()

    def read(self, content: bytes) -> tuple[list[int], list[ReadQuery]]:
        """The kinds of answers that are taken, and the queries."""
        kinds: list[int] = []
        found = []
        for number, part in self._counted(content):
            if number == 1:
                self._queries += 1
                _check(self._queries, MAX_QUERIES, "queries")
                found.append(self._query(message(part)))
            elif number == 2:
                kinds += self._enums(part)
        return kinds, found

    def _counted(self, content: bytes) -> Iterator[tuple[int, int | bytes]]:
        for each in fields(content):
            self._fields += 1
            _check(self._fields, MAX_FIELDS, "fields")
            yield each

    def _query(self, content: bytes) -> ReadQuery:
        times = {1: 0, 2: 0}
        matchers = []
        hints = {1: 0, 7: 0}
        for number, part in self._counted(content):
            if number in times:
                times[number] = integer(part)
            elif number == 3:
                self._matchers += 1
                _check(self._matchers, MAX_MATCHERS, "matchers")
                matchers.append(self._matcher(message(part)))
            elif number == 4:
                named = self._counted(message(part))
                hints |= {hint: integer(value) for hint, value in named if hint in hints}
        return ReadQuery(times[1], times[2], tuple(matchers), hints[1], hints[7])

    def _matcher(self, content: bytes) -> Matcher:
        op, name, value = 0, "", ""
        for number, part in self._counted(content):
            if number == 1:
                op = integer(part)
            elif number == 2:
                name = text(part)
            elif number == 3:
                value = text(part)
        if not 0 <= op < len(_OPS):
            raise InvalidProtobuf(f"invalid matcher type {op}")
        return Matcher(name, _OPS[op], value, self._regexes)

    def _enums(self, content: int | bytes) -> Iterator[int]:
        """The numbers of a repeated field, which are packed or not."""
        if isinstance(content, int):
            yield content
            return
        for number, packed in self._counted(b"".join(b"\x08" + part for part in _varints(content))):
            if number == 1:
                yield integer(packed)


def _check(count: int, most: int, what: str) -> None:
    if count > most:
        raise InvalidProtobuf(f"more than {most:,} {what} in a request")


def _varints(packed: bytes) -> Iterator[bytes]:
    if len(packed) > MAX_FIELDS * 10:
        raise InvalidProtobuf(f"more than {MAX_FIELDS:,} fields in a request")
    start = 0
    for at, byte in enumerate(packed):
        if byte < 0x80:
            yield packed[start : at + 1]
            start = at + 1
