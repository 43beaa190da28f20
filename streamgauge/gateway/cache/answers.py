"""Cached lists of series, labels and values, valid until the index has new series."""

import json
import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import xxhash

from streamgauge.gateway.cache.remote import Values
from streamgauge.gateway.cache.values import InvalidValue, ValueFault, hold, length, seal, unseal
from streamgauge.store.changes import packed
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext

SECONDS = 60
MAX_PERIODS = 1000
"""Maximum number of lanes times days; larger requests are rare, and each needs its generation."""

MAX_WARNINGS_BYTES = 64 * 1024
"""Of a list that is kept: its warnings are parsed, and so must be few."""
_WARNINGS = struct.Struct("<I")


class Listing(NamedTuple):
    """The JSON of `data`, and warnings."""

    data: str
    warnings: list[str]


def encode(listing: Listing) -> bytes:
    """A list as it is kept: the length of the warnings u32, the warnings as JSON, the data."""
    warnings = json.dumps(listing.warnings).encode()
    return _WARNINGS.pack(len(warnings)) + warnings + listing.data.encode(errors="surrogatepass")


def decode(content: bytes) -> Listing:
    """The list.

    :raises InvalidValue: for anything else than what `encode` gives.
    """
    try:
        [size] = _WARNINGS.unpack_from(content)
        end = _WARNINGS.size + size
        if size > MAX_WARNINGS_BYTES or end > len(content):
            raise ValueError("more warnings than there may be")
        warnings = json.loads(content[_WARNINGS.size : end])
        if not isinstance(warnings, list) or not all(isinstance(each, str) for each in warnings):
            raise ValueError("no warnings")
        return Listing(content[end:].decode(errors="surrogatepass"), warnings)
    except (ValueError, struct.error, RecursionError):
        raise InvalidValue(ValueFault.DAMAGED) from None


class Answers:
    """Cached responses from the index, which only grows; every writer raises its generation afterwards.

    :param scope: what tells this store, and this build of the gateway, from others.
    :param invalid: is told of every value that is not taken.
    """

    def __init__(
        self, scope: str, reader: Reader, values: Values, invalid: Callable[[ValueFault], None]
    ) -> None:
        self._scope = scope
        self._reader = reader
        self._values = values
        self._invalid = invalid

    def answer(
        self,
        question: tuple[object, ...],
        times: tuple[int, int],
        compute: Callable[[], Listing],
        reading: ReadContext,
    ) -> tuple[Listing, bool | None]:
        """Return a response and whether it was cached; None if it cannot be cached.

        :param question: all that it depends on but times and the index. :param times: first and last, ms.
        :raises DeadlinePassed: at the reading's deadline; and what `compute` raises.
        """
        periods = list(self._reader.index.periods(*times))
        if not 0 < len(periods) <= MAX_PERIODS:
            return compute(), None
        starts = [period for _, period in periods]
        changes = self._reader.blocks.changes.read_series(min(starts), max(starts), reading)
        material = repr((self._scope, question, periods)).encode(errors="surrogatepass") + packed(changes)
        key = b"streamgauge:i:" + xxhash.xxh3_128_digest(material)
        if (found := self._kept(key, reading)) is not None:
            return found, True
        found = compute()
        content = encode(found)
        self._values.put({key: (seal(key, content), SECONDS)})
        return found, False

    def _kept(self, key: bytes, reading: ReadContext) -> Listing | None:
        try:
            [data] = self._values.get([key], partial(hold, reading))
            if data is None:
                return None
            # the content, a copy, and its text, of which a character may take four bytes
            hold(reading, len(data) + 6 * length(data))
            return decode(unseal(key, data))
        except InvalidValue as fault:
            self._invalid(fault.reason)
            return None
