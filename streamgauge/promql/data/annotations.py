"""Warnings and infos that come with an answer, in Prometheus's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import NamedTuple

from streamgauge.promql.syntax.ast import Span
from streamgauge.promql.syntax.literals import number_text, quoted, short

_LIMIT = 10
COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


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


class Remark(NamedTuple):
    """A text, whether it is a warning, and what it is about; `turn` is when in the evaluation it arose."""

    text: str
    is_warning: bool
    start: int
    end: int
    turn: int


class Annotations:
    """The remarks about one query. As in Prometheus each text is there once, with the place that came last.

    turn: a number that rises while the query is evaluated, in every lane alike.
    """

    def __init__(self, text: str = "") -> None:
        self._text = text
        self.turn = 0
        self._warnings: dict[str, tuple[Span, int]] = {}
        self._infos: dict[str, tuple[Span, int]] = {}
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
        return self._some("info", {**self._infos, str(repairs): (span, self.turn)})

    @property
    def is_repaired(self) -> bool:
        """Whether there is an info about repaired histograms."""
        return self._repairs is not None

    def remarks(self) -> list[Remark]:
        """All warnings and infos but that about repaired histograms, for `take`."""
        return [
            Remark(text, found is self._warnings, span.start, span.end, turn)
            for found in (self._warnings, self._infos)
            for text, (span, turn) in found.items()
        ]

    def take(self, lanes: Iterable[Sequence[Remark]]) -> None:
        """Add what several lanes have remarked about one part of the query, now."""
        for remark in sorted((one for remarks in lanes for one in remarks), key=lambda one: one.turn):
            (self.warn if remark.is_warning else self.inform)(remark.text, Span(remark.start, remark.end))

    def warn(self, message: str, span: Span) -> None:
        """Add a warning about a part of the query."""
        self._warnings[message] = span, self.turn

    def inform(self, message: str, span: Span) -> None:
        """Add an info about a part of the query."""
        self._infos[message] = span, self.turn

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
            if name and not name.endswith(COUNTER_SUFFIXES):
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

    def _some(self, kind: str, messages: dict[str, tuple[Span, int]]) -> list[str]:
        kept = [
            f"PromQL {kind}: {message}{self._place(span)}"
            for message, (span, _) in list(messages.items())[:_LIMIT]
        ]
        left = len(messages) - len(kept)
        return [*kept, f"{left} more {kind} annotations omitted"] if left else kept
