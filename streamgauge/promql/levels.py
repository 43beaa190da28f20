"""Which of the stored resolutions a selector reads."""

from collections.abc import Sequence
from typing import NamedTuple

from streamgauge.promql.query import Query

SAMPLES = 0
"""The width of what is no rollup."""


class Level(NamedTuple):
    """A resolution that is kept: `width` ms a window, 0 for samples, back to `oldest` (ms)."""

    width: int
    oldest: int


def choose(levels: Sequence[Level], query: Query, oldest: int, range_ms: int = 0) -> int:
    """The width (ms) at which a selector is read, 0 for samples.

    The coarsest with at most 1.5 steps a window, and at least two windows a range; an instant query counts as one with
    a hundred steps a range. If none of those goes back far enough, the finest that does.

    :param levels: finest first; none means samples. :param oldest: the earliest time (ms) that is asked for.
    :param range_ms: of the range function that the selector is under, if it is.
    """
    step = query.step if query.end > query.start else range_ms // 100
    fine = [
        level
        for level in levels
        if 2 * level.width <= 3 * step and (not range_ms or 2 * level.width <= range_ms)
    ]
    kept = [level for level in levels if level.oldest <= oldest]
    fitting = [level for level in fine if level in kept]
    if fitting:
        return fitting[-1].width
    if kept:
        return kept[0].width
    return levels[-1].width if levels else SAMPLES
