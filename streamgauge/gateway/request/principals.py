"""The user of a request, and the series that they may see."""

from collections.abc import Mapping
from typing import NamedTuple

from streamgauge.series.matchers import Matcher, all_match


class Principal(NamedTuple):
    """The user whose limits apply to a request.

    enforced: what every series must fulfil that they may see. is_dashboard: whether a panel of a dashboard asks.
    source: the account or the address that it comes from, whatever user its headers name.
    """

    name: str = ""
    enforced: tuple[Matcher, ...] = ()
    is_dashboard: bool = False
    source: str = ""

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Whether the user may see a series with these labels."""
        return all_match(labels, self.enforced)


ANYBODY = Principal()
