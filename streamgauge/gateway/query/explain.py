"""`explain=1`: how a query was answered, as JSON beside its data."""

from collections.abc import Sequence
from typing import Any

from streamgauge.gateway.cache.asked import Report
from streamgauge.gateway.cache.sealed import resolution_of
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.promql.data.query import Level, Query
from streamgauge.promql.plan.planned_reads import PlannedReads
from streamgauge.promql.syntax.ast import Expr, VectorSelector
from streamgauge.promql.syntax.printer import canonical
from streamgauge.store.source import Look


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
