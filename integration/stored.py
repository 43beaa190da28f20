"""What the tables hold, read with as little of the project's code as possible, and what they should hold."""

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from schemas import blocks
from schemas.columns import decode_column
from schemas.tables import ROLLUP_COLUMNS, Resolution
from streamgauge.config import Config
from streamgauge.series import ids
from streamgauge.store.session import connect
from streamgauge.store.write_blocks import BlockStore

MINUTE_MS = 60_000
Series = dict[bytes, dict[int, float]]
Rollups = dict[tuple[bytes, int], dict[str, float]]


class Stored:
    """A view of the tables."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session = connect(config.cassandra)
        self._blocks = BlockStore(self._session, config.shards)
        where = "WHERE lane = ? AND period = ? AND metric_group IN ? AND slice IN ? AND window_start = ?"
        self._select_rollups = self._session.prepare(f"SELECT * FROM metrics_rollup_1min {where}")
        self._select_parts = self._session.prepare(f"SELECT part FROM metrics_raw {where}")

    def close(self) -> None:
        """Close the session."""
        self._session.cluster.shutdown()

    def _key(self, resolution: Resolution, lane: int, minute: int) -> tuple[object, ...]:
        layout = self._config.layout
        slices = layout.raw_slices if resolution is Resolution.RAW else layout.rollup_slices
        return lane, resolution.value.period(minute), _all(layout.groups), _all(slices), minute

    def sealed_to(self) -> int:
        """Up to where (ms) every lane is sealed."""
        progress = self._blocks.progress(Resolution.MIN1)
        return min(progress.values()) if len(progress) == self._config.layout.lanes else 0

    def wait_until_sealed(self, end: int, timeout_s: float = 180.0) -> None:
        """Return when every lane is sealed up to `end` (ms)."""
        wait_for(lambda: self.sealed_to() >= end, timeout_s, lambda: f"sealed to {self.sealed_to() - end} ms")

    def raw(self, expected: Series) -> Series:
        """The samples in raw blocks of the series and minutes that are expected."""
        found: Series = defaultdict(dict)
        for lane, minute in _windows(expected, self._config.layout.lanes):
            samples = self._blocks.read_raw(lane, minute)
            for row, identity in enumerate(_packed(samples.ids)):
                if identity in expected:
                    own = slice(samples.offsets[row], samples.offsets[row + 1])
                    found[identity].update(
                        zip(samples.timestamps[own].tolist(), samples.values[own].tolist(), strict=True)
                    )
        return found

    def rollups(self, expected: Series) -> Rollups:
        """The 1-minute rollups of the series and minutes that are expected."""
        found: Rollups = {}
        for lane, minute in _windows(expected, self._config.layout.lanes):
            rows = self._session.execute(self._select_rollups, self._key(Resolution.MIN1, lane, minute))
            for row in rows:
                packed = _packed(blocks.decode_ids(row.ids))
                columns = {
                    name: decode_column(name, getattr(row, name), len(packed)).tolist()
                    for name in ROLLUP_COLUMNS
                }
                for at, identity in enumerate(packed):
                    if identity in expected:
                        found[identity, minute] = {name: column[at] for name, column in columns.items()}
        return found

    def counts(self, expected: Series) -> dict[tuple[bytes, int], float]:
        """How many samples the 1-minute rollups count."""
        return {place: rolled["count"] for place, rolled in self.rollups(expected).items()}

    def parts(self, expected: Series) -> set[bytes]:
        """The parts of the raw blocks of the windows that are expected."""
        found = set()
        for lane, minute in _windows(expected, self._config.layout.lanes):
            rows = self._session.execute(self._select_parts, self._key(Resolution.RAW, lane, minute))
            found.update(row.part for row in rows)
        return found


def plain_rollups(expected: Series) -> Rollups:
    """The rollups as NumPy computes them."""
    windows: dict[tuple[bytes, int], list[tuple[int, float]]] = defaultdict(list)
    for identity, samples in expected.items():
        for timestamp, value in sorted(samples.items()):
            windows[identity, timestamp // MINUTE_MS * MINUTE_MS].append((timestamp, value))
    rolled = {}
    for (identity, minute), rows in windows.items():
        values = np.array([value for _, value in rows])
        p50, p95, p99 = np.quantile(values, [0.5, 0.95, 0.99])
        rolled[identity, minute] = {
            "count": len(values),
            "sum": values.sum(),
            "min": values.min(),
            "max": values.max(),
            "first": values[0],
            "first_time": rows[0][0] - minute,
            "last": values[-1],
            "last_time": rows[-1][0] - minute,
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }
    return rolled


def assert_rollups_equal(found: Rollups, expected: Rollups) -> None:
    """Equal but for the last bits of sums and interpolations."""
    assert found.keys() == expected.keys()
    for name in ROLLUP_COLUMNS:
        ours = [found[place][name] for place in expected]
        theirs = [expected[place][name] for place in expected]
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-9, err_msg=name)


def wait_for(
    condition: Callable[[], bool], timeout_s: float, explain: Callable[[], str] = lambda: ""
) -> None:
    """Return when the condition holds; fail with the explanation when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s: {explain()}"
        time.sleep(0.1)


def _windows(expected: Series, lanes: int) -> list[tuple[int, int]]:
    return sorted(
        {
            (ids.lane_of(identity, lanes), timestamp // MINUTE_MS * MINUTE_MS)
            for identity, samples in expected.items()
            for timestamp in samples
        }
    )


def _packed(found: ids.Ids) -> list[bytes]:
    data = ids.to_bytes(found)
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def _all(count: int) -> list[int]:
    return list(range(count))
