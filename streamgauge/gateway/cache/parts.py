"""Range queries cut at fixed times: all queries with the same step and phase are cut at the same steps."""

from typing import NamedTuple

from streamgauge.promql.data.query import Grid

STEPS = 20
LEAST_MS = 300_000
"""Minimum number of steps, and duration, of a part."""
LEAST_STEP_MS = 1000
"""Parts of a finer step would have more steps than a query may ask for."""


class Part(NamedTuple):
    """Steps that are kept together: `size` of them from `start` on (ms), `step` ms apart. Parts are numbered."""

    number: int
    start: int
    step: int
    size: int

    @property
    def end(self) -> int:
        """The time of the last step, ms."""
        return self.start + (self.size - 1) * self.step


def steps_a_part(step: int) -> int:
    """Return the number of steps of a part."""
    return max(STEPS, -(-LEAST_MS // step))


def parts_of(grid: Grid) -> list[Part]:
    """The whole parts that hold any of these steps, in their order: the first and the last may hold others too."""
    size = steps_a_part(grid.step)
    phase = grid.start % grid.step
    first, last = grid.start // grid.step, grid.end // grid.step
    return [
        Part(number, number * size * grid.step + phase, grid.step, size)
        for number in range(first // size, last // size + 1)
    ]
