"""What a query asks for, from which resolution, where its samples come from and what it may cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.vectors import Times
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples

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


LOOKBACK_MS = 300_000
SUBQUERY_STEP_MS = 60_000
CHUNK_COST = 20_000_000
"""Samples or values that a kernel goes through between two looks at the clock, a fraction of a second."""
SAMPLE_BYTES = 16
POINT_BYTES = 9
"""Of a value in a vector: 8 and one that says whether it is there."""
TEXT_BYTES = 64
"""Of a label value beside its characters."""
MEBIBYTE = 1 << 20


class Source(Protocol):
    """Where the samples of selectors come from."""

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """The samples from `start_ms` to `end_ms`, both included, stale markers too, of what matches.

        The canonical labels belong to the rows of the samples, one each.
        """
        ...


@runtime_checkable
class RollupSource(Source, Protocol):
    """A source that has rollups too."""

    @property
    def levels(self) -> Sequence[Level]:
        """The resolutions that are kept, the samples first, then the finest."""
        ...

    def rollups(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, width: int, wanted: Sequence[str]
    ) -> tuple[Sequence[bytes], Rollups]:
        """These aggregates of windows of `width` ms, or finer ones where those are not built yet.

        The windows that start from `start_ms` to `end_ms`, both included. The canonical labels belong to the series of
        the rollups, one each.
        """
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """The steps start, start + step ... up to end, all in ms; an instant query has start = end.

    :param lookback: how old a sample may be that stands for a series, in ms.
    :param subquery_step: the step of subqueries that name none, in ms.
    :param as_instants: whether each step is read from where an instant query would read, the samples if they are kept.
    :param widths: of each selector, by its `id`, the width (ms) of the windows that it reads, 0 for samples; of others
        that is chosen by the steps.
    """

    start: int
    end: int
    step: int = 1
    lookback: int = LOOKBACK_MS
    subquery_step: int = SUBQUERY_STEP_MS
    as_instants: bool = False
    widths: Mapping[int, int] | None = field(default=None, compare=False)

    @property
    def grid(self) -> "Grid":
        """The steps."""
        return spread(self.start, self.end, self.step)


@dataclass(frozen=True, slots=True)
class Grid:
    """Steps at which an expression is evaluated: `count` from `start` on, `step` ms apart.

    :param rest: ms that were asked for after the last step.
    """

    start: int
    step: int
    count: int
    rest: int = 0

    @property
    def is_instant(self) -> bool:
        """Whether one moment was asked for, not a range of which only the first step lies in it."""
        return self.count == 1 and self.rest == 0

    @property
    def first(self) -> "Grid":
        """The first step alone."""
        return Grid(self.start, self.step, 1)

    @property
    def times(self) -> Times:
        """The time of each step, (count,) int64 ms."""
        return self.start + self.step * np.arange(self.count, dtype=np.int64)

    @property
    def end(self) -> int:
        """The time of the last step in ms."""
        return self.start + (self.count - 1) * self.step


def spread(start: int, end: int, step: int) -> Grid:
    """The steps from `start` to `end`, `step` apart, all in ms."""
    return Grid(start, step, max(0, (end - start) // step + 1), (end - start) % step)


def _never() -> bool:
    return False


def _unheard(size: int) -> None:
    pass


@dataclass(slots=True)
class Limits:
    """What one query may cost, and what it has cost.

    :param max_samples: samples read altogether, and values of one intermediate result.
    :param max_series: series of one selector. :param max_steps: steps of the query.
    :param max_bytes: of the samples and vectors alive at once, as estimated: what is computed, what it is computed
        from, and what waits for it. :param expired: whether the time is up; asked often.
    :param hold: is told whenever more bytes are alive than ever before, and may raise what ends the query.
    """

    max_samples: float = inf
    max_series: float = inf
    max_steps: float = inf
    max_bytes: float = inf
    expired: Callable[[], bool] = _never
    hold: Callable[[int], None] = _unheard
    samples: int = field(default=0, init=False)
    held: int = field(default=0, init=False)
    """Bytes of what is alive."""
    texts: int = field(default=0, init=False)
    """Bytes of label values that were made: they stay with the series."""
    peak: int = field(default=0, init=False)
    """The most that was alive at once."""

    def again(self) -> "Limits":
        """The same limits for another part, nothing spent yet."""
        return replace(self)

    def check_time(self) -> None:
        """Refuse to go on when the time is up.

        :raises InvalidQuery: then.
        """
        if self.expired():
            raise InvalidQuery(QueryFault.TIMEOUT, "query timed out in expression evaluation")

    def take_samples(self, count: int) -> None:
        """Count samples that were read.

        :raises InvalidQuery: above the limit.
        """
        self.samples += count
        if self.samples > self.max_samples:
            raise _too_many_samples()
        self.settle(self.held, count * SAMPLE_BYTES)

    def check_size(self, series: int, steps: int) -> None:
        """Refuse a result of too many values, before it takes its memory.

        :raises InvalidQuery: above the limit.
        """
        if series * steps > self.max_samples:
            raise _too_many_samples()
        self._check_bytes(self.held + series * steps * POINT_BYTES)

    def settle(self, before: int, size: int) -> None:
        """Something of `size` bytes came of what is held beyond `before`, and replaces it.

        :raises InvalidQuery: if both together are above the limit.
        """
        self._check_bytes(self.held + size)
        self.held = before + size

    def take_text(self, characters: int) -> None:
        """Count a label value, before it is made.

        :raises InvalidQuery: above the limit.
        """
        self.texts += characters + TEXT_BYTES
        self._check_bytes(self.held)

    def parts(self, rows: int, cost: int) -> Iterator[slice]:
        """`rows` in parts of about `CHUNK_COST` for kernels that take `cost` for each; looks at the time before each.

        :raises InvalidQuery: when it is up.
        """
        size = max(1, CHUNK_COST // max(1, cost))
        for begin in range(0, rows, size):
            self.check_time()
            yield slice(begin, min(rows, begin + size))

    def _check_bytes(self, size: int) -> None:
        size += self.texts
        if size > self.peak:
            self.peak = size
            self.hold(size)
        if size > self.max_bytes:
            raise InvalidQuery(
                QueryFault.TOO_MUCH_MEMORY,
                f"query processing would take about {size / MEBIBYTE:,.0f} MiB of memory in expression evaluation, "
                f"more than the {self.max_bytes / MEBIBYTE:,.0f} MiB allowed",
            )

    def check_series(self, count: int) -> None:
        """Refuse a selector of too many series.

        :raises InvalidQuery: above the limit.
        """
        if count > self.max_series:
            raise InvalidQuery(
                QueryFault.TOO_MANY_SERIES,
                "query would load too many series into memory in expression evaluation",
            )

    def check_steps(self, count: int) -> None:
        """Refuse a query of too many steps.

        :raises InvalidQuery: above the limit.
        """
        if count > self.max_steps:
            raise InvalidQuery(
                QueryFault.TOO_MANY_STEPS,
                f"exceeded maximum resolution of {self.max_steps:,} points per timeseries. Try decreasing "
                "the query resolution (?step=XX)",
            )


def _too_many_samples() -> InvalidQuery:
    return InvalidQuery(
        QueryFault.TOO_MANY_SAMPLES,
        "query processing would load too many samples into memory in expression evaluation",
    )
