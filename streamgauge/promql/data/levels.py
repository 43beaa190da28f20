"""Which of the stored resolutions a selector reads."""

from collections.abc import Sequence
from typing import NamedTuple

SAMPLES = 0
"""The width of what is no rollup."""


class Level(NamedTuple):
    """A resolution that is kept: `width` ms a window, 0 for samples, back to `oldest` (ms)."""

    width: int
    oldest: int


def choose(levels: Sequence[Level], step: int, oldest: int, range_ms: int = 0) -> int:
    """The width (ms) at which a selector is read, 0 for samples.

    The coarsest with at most 1.5 steps a window, and at least two windows a range. If none of those goes back far
    enough, the finest that does.

    :param levels: finest first; none means samples. :param step: ms between two steps; 0 if there is one, which
        counts as a hundredth of the range. :param oldest: the earliest time (ms) at which it is asked for.
    :param range_ms: of the range function that the selector is under, if it is.
    """
    step = step or range_ms // 100
    kept = [level for level in levels if level.oldest <= oldest]
    fitting = [
        level
        for level in kept
        if 2 * level.width <= 3 * step and (not range_ms or 2 * level.width <= range_ms)
    ]
    if fitting:
        return fitting[-1].width
    if kept:
        return kept[0].width
    return levels[-1].width if levels else SAMPLES
