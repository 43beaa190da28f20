"""Warnings and infos that come with an answer, in Prometheus's words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

from streamgauge.promql.ast import Span
from streamgauge.promql.literals import number_text, quoted, short

_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Repairs:
    """Buckets that had to be made monotonic: their least and largest bound, the largest fall, how many
    histograms at how many steps that were, and when, in ms."""

    least: float
    most: float
    fall: float
    count: int
    first: int
    last: int

    def joined(self, other: "Repairs") -> "Repairs":
        """Both as one."""
        return Repairs(
            min(self.least, other.least),
            max(self.most, other.most),
            max(self.fall, other.fall),
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
        )

    def __str__(self) -> str:
        first, last = (
            datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for time in (self.first, self.last)
        )
        fall = f"{self.fall:.2g}" if isfinite(self.fall) else number_text(self.fall)
        return (
            "input to histogram_quantile needed to be fixed for monotonicity (see "
            "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets "
            f"{short(self.least)} to {short(self.most)}, with a max diff of {fall}, over {self.count} "
            f"samples from {first} to {last}"
        )


class Annotations:
    """The remarks about one query. As in Prometheus each text is there once, with the place that came last."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._warnings: dict[str, Span] = {}
        self._infos: dict[str, Span] = {}
        self._repairs: tuple[Repairs, Span] | None = None

    @property
    def warnings(self) -> list[str]:
        """What makes the answer doubtful."""
        return self._some("warning", self._warnings)

    @property
    def infos(self) -> list[str]:
        """What may be a mistake in the query."""
        if self._repairs is None:
            return self._some("info", self._infos)
        repairs, span = self._repairs
        return self._some("info", {**self._infos, str(repairs): span})

    def warn(self, message: str, span: Span) -> None:
        """Add a warning about a part of the query."""
        self._warnings[message] = span

    def inform(self, message: str, span: Span) -> None:
        """Add an info about a part of the query."""
        self._infos[message] = span

    def repaired(self, repairs: Repairs, span: Span) -> None:
        """Add to the info about repaired histograms, of which there is one, with the place that came first."""
        if self._repairs is None:
            self._repairs = repairs, span
        else:
            self._repairs = self._repairs[0].joined(repairs), self._repairs[1]

    def bad_quantile(self, quantile: float, span: Span) -> None:
        """Warn of a quantile outside [0, 1]."""
        if not 0 <= quantile <= 1:
            self.warn(f"quantile value should be between 0 and 1, got {short(quantile)}", span)

    def uncounted(self, names: Iterable[str], span: Span) -> None:
        """Inform of metrics under a rate whose names are not those of counters."""
        for name in sorted(set(names)):
            if name and not name.endswith(("_total", "_sum", "_count", "_bucket")):
                self.inform(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                    f"{quoted(name)}",
                    span,
                )

    def _place(self, span: Span) -> str:
        if not self._text:
            return ""
        before = self._text[: span.start]
        line = before.count("\n") + 1
        # columns are those of bytes, as in Prometheus
        column = len(before[before.rfind("\n") + 1 :].encode(errors="surrogatepass")) + 1
        return f" ({line}:{column})"

    def _some(self, kind: str, messages: dict[str, Span]) -> list[str]:
        kept = [
            f"PromQL {kind}: {message}{self._place(span)}"
            for message, span in list(messages.items())[:_LIMIT]
        ]
        left = len(messages) - len(kept)
        return [*kept, f"{left} more {kind} annotations omitted"] if left else kept
