"""Lists of series, labels and values, kept until the index has new series."""

import json
from collections.abc import Callable
from typing import NamedTuple

import xxhash

from streamgauge.gateway.cache.remote import Values
from streamgauge.gateway.cache.values import InvalidValue, ValueFault, length, seal, unseal
from streamgauge.store.changes import packed
from streamgauge.store.reader import Reader
from streamgauge.store.reading import Reading

SECONDS = 60
MAX_PERIODS = 1000
"""Of lanes and days: what looks at more is rare, and would have to ask for as many generations."""


class Listing(NamedTuple):
    """The JSON of `data`, and warnings."""

    data: str
    warnings: list[str]


class Answers:
    """Answers from the index. It grows only, and whoever adds to it raises its generation afterwards.

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
        reading: Reading,
    ) -> tuple[Listing, bool | None]:
        """An answer, and whether it was kept; None if it cannot be.

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
        content = json.dumps(found).encode(errors="surrogatepass")
        self._values.put({key: (seal(key, content), SECONDS)})
        return found, False

    def _kept(self, key: bytes, reading: Reading) -> Listing | None:
        [data] = self._values.get([key], reading.hold)
        if data is None:
            return None
        # the content, its text, and the list in it
        reading.hold(len(data) + 4 * length(data))
        try:
            content = json.loads(unseal(key, data))
        except InvalidValue as fault:
            self._invalid(fault.reason)
            return None
        return Listing(*content)
