"""How much a rule may bring to one place."""

from streamgauge.promql.plan.lanes import LaneAnswer

MAX_GATHERED = 1_000_000
"""Samples, or values of series, that a rule may need at one place."""


def too_many(rule: str, count: int, limit: int) -> str:
    """Why a rule is not evaluated."""
    return f"rule {rule!r} needs {count:,} samples at one place, more than the {limit:,} allowed"


def shipped(answer: LaneAnswer) -> int:
    """How many values an answer ships."""
    return sum(max((column.size for column in part.columns.values()), default=0) for part in answer.partials)
