"""`explain=1`: how a query was answered, as JSON beside its data."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.tables import Resolution
from streamgauge.gateway.cache.asked import Report
from streamgauge.gateway.cache.sealed import resolution_of
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.promql.data.levels import Level
from streamgauge.promql.data.query import Query
from streamgauge.promql.plan.planned_reads import PlannedReads
from streamgauge.promql.syntax.ast import Expr, VectorSelector
from streamgauge.promql.syntax.printer import canonical
from streamgauge.series.matchers import Matcher
from streamgauge.store.reading import Reading


class Look(NamedTuple):
    """What was read for a selector at once: times in ms, and how much that was."""

    matchers: Sequence[Matcher]
    resolution: Resolution
    start: int
    end: int
    series: int
    samples: int
    blocks: int
    bytes: int
    lanes: Sequence[int]


class Looks:
    """The looks of one query, in their order."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.all: list[Look] = []

    def begin(self) -> tuple[int, int, int]:
        """Before something is read."""
        self._reading.lanes = set()
        return self._counts()

    def end(
        self,
        begun: tuple[int, int, int],
        matchers: Sequence[Matcher],
        resolution: Resolution,
        times: tuple[int, int],
        series: int,
    ) -> None:
        """After it. :param begun: what `begin` gave. :param times: that were asked for, ms."""
        samples, blocks, size = (now - then for now, then in zip(self._counts(), begun, strict=True))
        lanes = sorted(self._reading.lanes)
        self.all.append(Look(matchers, resolution, *times, series, samples, blocks, size, lanes))

    def _counts(self) -> tuple[int, int, int]:
        return self._reading.samples, self._reading.blocks, self._reading.bytes


def explained(
    expression: Expr, query: Query, levels: Sequence[Level], looks: Sequence[Look], report: Report | None
) -> str:
    """The JSON of what each selector reads, what was read in fact, and what came from kept parts.

    :param report: of a range query whose parts may be kept.
    """
    planned = PlannedReads(expression, levels).of(query)
    return answer.text(
        {
            "expression": canonical(expression),
            "selectors": [
                {
                    "selector": canonical(read.node),
                    "resolution": resolution_of(read).value.label,
                    **_times(read.start, read.end),
                }
                for read in planned
            ],
            "reads": [_look(look) for look in looks],
            "cache": None if report is None else _report(report),
        }
    )


def _look(look: Look) -> dict[str, Any]:
    return {
        "selector": canonical(VectorSelector("", tuple(look.matchers))),
        "resolution": look.resolution.value.label,
        **_times(look.start, look.end),
        "series": look.series,
        "samples": look.samples,
        "blocks": look.blocks,
        "bytes": look.bytes,
        "lanes": list(look.lanes),
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        "refused": report.refusal,
        "kept": [_times(*span) for span in report.kept],
        "computed": [_times(*span) for span in report.computed],
        "seriesSteps": report.points,
        "seriesStepsKept": report.kept_points,
    }


def _times(start: int, end: int) -> dict[str, float]:
    return {"from": start / 1000, "to": end / 1000}
