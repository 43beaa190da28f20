"""Splits the steps of a query into cached ones and runs to compute."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamgauge.gateway.cache.parts import Part
from streamgauge.promql.data.query import Grid


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
    """Return the requested steps of each part."""
    found = []
    for part in parts:
        first = max(0, (grid.start - part.start) // part.step)
        last = min(part.size - 1, (grid.end - part.start) // part.step)
        found.append(Slot(part, first, last - first + 1))
    return found


def runs_of(
    slots: Sequence[Slot], kept: Collection[int], final: Callable[[Slot], bool], apart: bool
) -> Iterator[Run]:
    """Return the runs to compute, in order: final parts as a whole, to be cached, and of others the requested steps.

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
