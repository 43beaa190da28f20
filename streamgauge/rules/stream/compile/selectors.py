"""Which selectors a series matches, found without trying them all."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from streamgauge.rules.stream.compile.reach import Conditions
from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.matchers import Named, named

_NAME = NAME.encode()


@dataclass(slots=True, eq=False)
class Selector:
    """A selector and how far back its samples are needed (ms). matchers: each with the name of its label."""

    conditions: Conditions
    history: int
    matchers: Named = field(init=False)

    def __post_init__(self) -> None:
        self.matchers = named(self.conditions)


class SelectorIndex:
    """Selectors by a label value that they ask for, the metric's name only if they ask for no other."""

    def __init__(self, selectors: Iterable[Selector]) -> None:
        self._by_pair: dict[tuple[bytes, bytes], list[Selector]] = defaultdict(list)
        self._others: list[Selector] = []
        for selector in selectors:
            picked = [(name, one.value.encode()) for name, one in selector.matchers if one.picks]
            if picked:
                self._by_pair[min(picked, key=lambda pair: pair[0] == _NAME)].append(selector)
            else:
                self._others.append(selector)

    def matching(self, data: bytes) -> Iterator[Selector]:
        """The selectors that the series with these canonical labels fulfils."""
        parts = data.split(SEPARATOR)
        labels = dict(zip(parts[::2], parts[1::2], strict=False))
        candidates = [*self._others]
        for pair in labels.items():
            candidates += self._by_pair.get(pair, ())
        for selector in candidates:
            if all(matcher.matches(labels.get(name, b"")) for name, matcher in selector.matchers):
                yield selector
