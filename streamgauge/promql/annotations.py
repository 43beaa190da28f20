"""Warnings and infos that come with an answer, in Prometheus's words."""

from collections.abc import Iterable, Set
from typing import TypeAlias

import numpy as np

from streamgauge.promql.ast import Span

Remark: TypeAlias = tuple[int, str]
"""Where in the query it belongs, and its text."""
_LIMIT = 10


class Annotations:
    """The remarks about one query; the same one is kept once."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._warnings: set[Remark] = set()
        self._infos: set[Remark] = set()

    @property
    def warnings(self) -> list[str]:
        """What makes the answer doubtful."""
        return _some(self._warnings, "warning")

    @property
    def infos(self) -> list[str]:
        """What may be a mistake in the query."""
        return _some(self._infos, "info")

    @property
    def remarks(self) -> tuple[list[Remark], list[Remark]]:
        """All warnings and all infos, for `take`."""
        return sorted(self._warnings), sorted(self._infos)

    def take(self, warnings: Iterable[Remark], infos: Iterable[Remark]) -> None:
        """Add the remarks of another part of the same query."""
        self._warnings.update(warnings)
        self._infos.update(infos)

    def warn(self, message: str, span: Span) -> None:
        """Add a warning about a part of the query."""
        self._warnings.add((span.start, f"PromQL warning: {message}{self._place(span)}"))

    def inform(self, message: str, span: Span) -> None:
        """Add an info about a part of the query."""
        self._infos.add((span.start, f"PromQL info: {message}{self._place(span)}"))

    def bad_quantile(self, quantile: float, span: Span) -> None:
        """Warn of a quantile outside [0, 1]."""
        if not 0 <= quantile <= 1:
            self.warn(f"quantile value should be between 0 and 1, got {_number(quantile)}", span)

    def uncounted(self, names: Iterable[str], span: Span) -> None:
        """Inform of metrics under a rate whose names are not those of counters."""
        for name in sorted(set(names)):
            if name and not name.endswith(("_total", "_sum", "_count", "_bucket")):
                self.inform(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
                    f'"{name}"',
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


def _some(remarks: Set[Remark], kind: str) -> list[str]:
    messages = list(dict.fromkeys(message for _, message in sorted(remarks)))
    kept = messages[:_LIMIT]
    left = len(messages) - len(kept)
    return [*kept, f"{left} more {kind} annotations omitted"] if left else kept


def _number(value: float) -> str:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value)).removesuffix(".0")
