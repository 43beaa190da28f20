"""Who asks, and what they may see."""

from collections.abc import Mapping
from typing import NamedTuple

from streamgauge.series.matchers import Matcher


class Asker(NamedTuple):
    """Whose limits a request counts to.

    source: the account or the address that it comes from, whatever user its headers name. enforced: what every series
    must fulfil that they may see. is_dashboard: whether a panel of a dashboard asks.
    """

    name: str = ""
    source: str = ""
    enforced: tuple[Matcher, ...] = ()
    is_dashboard: bool = False

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Whether they may see what has these labels."""
        return all(each.matches(labels.get(each.name, "").encode()) for each in self.enforced)


ANYBODY = Asker()
