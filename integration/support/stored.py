"""What the tables hold, read with as little of the project's code as possible, and what they should hold."""

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from schemas.blocks import codec
from schemas.blocks.columns import decode_column
from schemas.tables import ROLLED, ROLLUP_BLOBS, Resolution
from sinks.cassandra.write_blocks import BlockStore
from streamgauge.config import Config
from streamgauge.rollup.aggregates import COLUMNS
from streamgauge.series import ids
from streamgauge.series.labels import parse
from streamgauge.store.progress import ProgressStore
from streamgauge.store.session import connect

MINUTE_MS = 60_000
Series = dict[bytes, dict[int, float]]
Rollups = dict[tuple[bytes, int], dict[str, float]]


class Stored:
    """A view of the tables."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session = connect(config.cassandra)
        self._blocks = BlockStore(self._session, config.shards, config.storage_classes[-1])
        self._progress = ProgressStore(self._session)
        where = "WHERE lane = ? AND period = ? AND metric_group IN ? AND slice IN ? AND window_start = ?"
        self._select_rollups = {
            level: self._session.prepare(f"SELECT * FROM {level.value.table} {where}") for level in ROLLED
        }
        self._select_parts = self._session.prepare(f"SELECT part FROM metrics_raw {where}")

    def close(self) -> None:
        """Close the session."""
        self._session.cluster.shutdown()

    def _key(self, resolution: Resolution, lane: int, minute: int) -> tuple[object, ...]:
        layout = self._config.layout
        slices = layout.raw_slices if resolution is Resolution.RAW else layout.rollup_slices
        return lane, resolution.value.period(minute), _all(layout.groups), _all(slices), minute

    def sealed_to(self, level: Resolution = Resolution.MIN1) -> int:
        """Up to where (ms) every lane is sealed."""
        progress = self._progress.read(level)
        return min(progress.values()) if len(progress) == self._config.layout.lanes else 0

    def wait_until_sealed(self, end: int, timeout_s: float = 180.0) -> None:
        """Return when every lane is sealed up to `end` (ms)."""
        wait_for(lambda: self.sealed_to() >= end, timeout_s, lambda: f"sealed to {self.sealed_to() - end} ms")

    def raw(self, expected: Series) -> Series:
        """The samples in raw blocks of the series and minutes that are expected."""
        found: Series = defaultdict(dict)
        for lane, minute in self._windows(expected):
            samples = self._blocks.read_raw(lane, minute)
            for row, identity in enumerate(_packed(samples.ids)):
                if identity in expected:
                    own = slice(samples.offsets[row], samples.offsets[row + 1])
                    found[identity].update(
                        zip(samples.timestamps[own].tolist(), samples.values[own].tolist(), strict=True)
                    )
        return found

    def progress(self, level: Resolution) -> dict[int, int]:
        """Up to where (ms) each lane is built."""
        return self._progress.read(level)

    def rollups(
        self,
        expected: Series,
        level: Resolution = Resolution.MIN1,
        progress: dict[int, int] | None = None,
    ) -> Rollups:
        """The rollups of the series and windows that are expected and closed, now or by what `progress` gave."""
        found: Rollups = {}
        closed = self._progress.read(level) if progress is None else progress
        for lane, start in self._windows(expected, level):
            if start + level.value.width_ms > closed.get(lane, 0):
                continue
            for row in self._session.execute(self._select_rollups[level], self._key(level, lane, start)):
                packed = _packed(codec.decode_ids(row.ids))
                columns = {
                    name: decode_column(name, getattr(row, name), len(packed)).tolist() for name in COLUMNS
                }
                for at, identity in enumerate(packed):
                    if identity in expected:
                        found[identity, start] = {name: column[at] for name, column in columns.items()}
        return found

    def closed(self, expected: Series, level: Resolution, progress: dict[int, int] | None = None) -> Rollups:
        """The rollups that are expected of the windows that are closed, now or by what `progress` gave."""
        closed = self._progress.read(level) if progress is None else progress
        lanes = self._config.layout.lanes
        return {
            (identity, start): rolled
            for (identity, start), rolled in plain_rollups(expected, level.value.width_ms).items()
            if start + level.value.width_ms <= closed.get(ids.lane_of(identity, lanes), 0)
        }

    def _windows(self, expected: Series, level: Resolution = Resolution.MIN1) -> list[tuple[int, int]]:
        lanes, width = self._config.layout.lanes, level.value.width_ms
        return sorted(
            {
                (ids.lane_of(identity, lanes), timestamp // width * width)
                for identity, samples in expected.items()
                for timestamp in samples
            }
        )

    def rows(self, level: Resolution) -> dict[tuple[int, int, int, int], tuple[bytes, ...]]:
        """Every rollup row of a level as it is stored, by lane, metric group, slice and window."""
        table = self._session.execute(f"SELECT * FROM {level.value.table}")
        place = ("lane", "metric_group", "slice", "window_start")
        return {
            tuple(getattr(row, name) for name in place): (
                row.ids,
                *(getattr(row, name) for name in ROLLUP_BLOBS),
            )
            for row in table
        }

    def tiers(self, table: str, resolution: Resolution, metric: str, start: int) -> set[str | None]:
        """The values of the label `tier` of the metric's series in a block table, in the window of a time (ms)."""
        width = resolution.value.width_ms
        rows = self._session.execute(f"SELECT window_start, ids FROM {table}")
        found = {
            identity
            for row in rows
            if row.window_start == start - start % width
            for identity in _packed(codec.decode_ids(row.ids))
        }
        labels = {row.id: parse(row.labels) for row in self._session.execute("SELECT id, labels FROM series")}
        return {labels[one].get("tier") for one in found if labels[one]["__name__"] == metric}

    def truncate(self, level: Resolution) -> None:
        """Lose every rollup row of a level."""
        self._session.execute(f"TRUNCATE {level.value.table}", timeout=60)

    def forget(self, level: Resolution, start: int) -> None:
        """Lose the rollup rows of one window."""
        where = "lane = %s AND period = %s AND metric_group = %s AND slice = %s AND window_start = %s"
        for lane, group, piece, window_start in self.rows(level):
            if window_start == start:
                key = (lane, level.value.period(start), group, piece, start)
                self._session.execute(f"DELETE FROM {level.value.table} WHERE {where}", key)

    def counts(self, expected: Series) -> dict[tuple[bytes, int], float]:
        """How many samples the 1-minute rollups count."""
        return {place: rolled["count"] for place, rolled in self.rollups(expected).items()}

    def parts(self, expected: Series) -> list[bytes]:
        """The part of each raw block of the windows that are expected."""
        found = []
        for lane, minute in self._windows(expected):
            rows = self._session.execute(self._select_parts, self._key(Resolution.RAW, lane, minute))
            found += [row.part for row in rows]
        return found


def plain_rollups(expected: Series, width: int = MINUTE_MS) -> Rollups:
    """The rollups as NumPy computes them."""
    windows: dict[tuple[bytes, int], list[tuple[int, float]]] = defaultdict(list)
    for identity, samples in expected.items():
        for timestamp, value in sorted(samples.items()):
            windows[identity, timestamp // width * width].append((timestamp, value))
    rolled = {}
    for (identity, start), rows in windows.items():
        values = np.array([value for _, value in rows])
        before = values[:-1][np.diff(values) < 0]
        rolled[identity, start] = {
            "count": len(values),
            "sum": values.sum(),
            "squares": ((values - values.mean()) ** 2).sum(),
            "min": values.min(),
            "max": values.max(),
            "first": values[0],
            "first_time": rows[0][0] - start,
            "last": values[-1],
            "last_time": rows[-1][0] - start,
            "reset_total": before.sum(),
            "resets": len(before),
        }
    return rolled


def assert_rollups_equal(found: Rollups, expected: Rollups) -> None:
    """Equal but for the last bits of sums and interpolations."""
    assert found.keys() == expected.keys()
    for name in COLUMNS:
        ours = [found[place][name] for place in expected]
        theirs = [expected[place][name] for place in expected]
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-8, err_msg=name)


PATIENCE = 3
"""How much slower a machine may be than the one on which the times of waiting were chosen."""


def wait_for(
    condition: Callable[[], bool], timeout_s: float, explain: Callable[[], str] = lambda: ""
) -> None:
    """Return when the condition holds; fail with the explanation when the time is over, `PATIENCE` times `timeout_s`.

    A condition that looks up what is not there yet (LookupError) does not hold yet; it is raised when the time is over.
    """
    deadline = time.monotonic() + PATIENCE * timeout_s
    while not _holds(condition, deadline):
        assert time.monotonic() < deadline, f"waited {PATIENCE * timeout_s} s: {explain()}"
        time.sleep(0.1)


def _holds(condition: Callable[[], bool], deadline: float) -> bool:
    try:
        return condition()
    except LookupError:
        if time.monotonic() >= deadline:
            raise
        return False


def _packed(found: ids.Ids) -> list[bytes]:
    return ids.split(ids.to_bytes(found))


def _all(count: int) -> list[int]:
    return list(range(count))
