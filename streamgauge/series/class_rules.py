"""Which storage class a series is of."""

from collections.abc import Sequence

from streamgauge.series.matchers import Matcher, fulfils, named

Selector = Sequence[Matcher]


class ClassRules:
    """Classes by number, in the order of their rules; what no rule selects is of the last, the standard class.

    :param rules: for each class but the last, selectors of which one has to select the series.
    """

    def __init__(self, rules: Sequence[Sequence[Selector]]) -> None:
        self._rules = [[named(selector) for selector in selectors] for selectors in rules]

    def __len__(self) -> int:
        return len(self._rules) + 1

    def of(self, data: bytes) -> int:
        """The class of the series with these canonical label bytes."""
        for number, selectors in enumerate(self._rules):
            if any(fulfils(data, selector) for selector in selectors):
                return number
        return len(self._rules)
