"""Range queries cut at fixed marks: every query of one step and phase is cut at the same steps."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamgauge.promql.data.query import Grid

STEPS = 20
LEAST_MS = 300_000
"""A part has at least so many steps, and takes at least so long."""
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
    """How many steps (ms apart) a part has."""
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


class Slot(NamedTuple):
    """Steps of one part: those that were asked for, `size` of them from its step `first` on."""

    part: Part
    first: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether all steps of the part were asked for."""
        return self.size == self.part.size

    @property
    def start(self) -> int:
        """The time of the first step that was asked for, ms."""
        return self.part.start + self.first * self.part.step

    @property
    def end(self) -> int:
        """The time of the last step that was asked for, ms."""
        return self.start + (self.size - 1) * self.part.step


@dataclass
class Run:
    """Steps that are computed together: all from `start` to `end` (ms), for these slots."""

    start: int
    end: int
    slots: list[Slot] = field(default_factory=list)


def slots_of(parts: Sequence[Part], grid: Grid) -> list[Slot]:
    """What was asked for of each part."""
    found = []
    for part in parts:
        first = max(0, (grid.start - part.start) // part.step)
        last = min(part.size - 1, (grid.end - part.start) // part.step)
        found.append(Slot(part, first, last - first + 1))
    return found


def runs_of(
    slots: Sequence[Slot], kept: Collection[int], final: Callable[[Slot], bool], apart: bool
) -> Iterator[Run]:
    """What is to be computed, in order: final parts whole, so that they can be kept, of others what was asked for.

    :param kept: the numbers of the parts that are there. :param apart: whether each part is computed alone.
    """
    run: Run | None = None
    for slot in slots:
        if slot.part.number in kept:
            if run:
                yield run
            run = None
            continue
        start, end = (slot.part.start, slot.part.end) if final(slot) else (slot.start, slot.end)
        if run and not apart and start == run.end + slot.part.step:
            run.end = end
        else:
            if run:
                yield run
            run = Run(start, end)
        run.slots.append(slot)
    if run:
        yield run
