"""Hours of samples written straight to the tables by the jobs' own writers, and then more of them as time goes on."""

import threading
import time

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cassandra.cluster import Session

from schemas.batches import batch
from schemas.blocks.codec import ON_TIME
from schemas.tables import Resolution
from schemas.units import MINUTE_MS
from sinks.cassandra.rebuild import Rebuilder
from sinks.cassandra.write_blocks import BlockStore
from sinks.cassandra.write_head import HeadStore
from sinks.cassandra.write_index import IndexStore
from streamgauge.config import Config
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series import ids as series_ids
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples
from streamgauge.store.progress import ProgressStore
from streamgauge.times import now_ms

STEP_MS = 15_000
LEVELS = (Resolution.MIN5, Resolution.HOUR1)
LAG_MS = 2000
"""A minute is sealed so long after its end."""
CODES = ("200", "404", "500")


def label_sets(hosts: int) -> list[dict[str, str]]:
    """Of each host a gauge, two counters of a CPU and three of requests."""
    found = []
    for number in range(hosts):
        place = {"instance": f"host-{number:04}:9100", "job": "node", "rack": f"rack-{number % 10}"}
        found.append({"__name__": "node_load1", **place})
        found += [{"__name__": "cpu_seconds_total", "mode": mode, **place} for mode in ("idle", "user")]
        found += [{"__name__": "http_requests_total", "code": code, **place} for code in CODES]
    return found


class History:
    """Series of hosts in all lanes, from some hours ago up to now and on."""

    def __init__(self, config: Config, session: Session, hosts: int) -> None:
        self._session = session
        self._lanes = config.layout.lanes
        self._head = HeadStore(session)
        self._index = IndexStore(session, config.shards)
        self._blocks = BlockStore(session, config.shards, config.storage_classes[-1])
        self._progress = ProgressStore(session)
        self._rebuilder = Rebuilder(session, config.shards, config.storage_classes, now_ms)
        labels = {series_ids.series_id(data): data for data in map(canonical, label_sets(hosts))}
        packed = sorted(labels)
        self._labels = [labels[identity] for identity in packed]
        self._ids = series_ids.from_bytes(b"".join(packed))
        self._own = series_ids.lanes_of(self._ids, self._lanes)
        self._rates = np.random.default_rng(1).integers(1, 50, len(packed))
        self._offset = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._sealed = 0

    @property
    def series(self) -> int:
        """How many there are."""
        return len(self._labels)

    def fill(self, hours: float) -> None:
        """Store all minutes that have ended."""
        end = now_ms() // MINUTE_MS * MINUTE_MS
        start = end - int(hours * 60) * MINUTE_MS
        for lane in range(self._lanes):
            rows = np.flatnonzero(self._own == lane)
            own = dict(
                zip(
                    series_ids.split(series_ids.to_bytes(self._ids[rows])), self._labels_of(rows), strict=True
                )
            )
            for day in range(start, end + MINUTE_MS, 12 * 60 * MINUTE_MS):
                self._index.write(lane, day, own)
            self._index.write(lane, end, own)
            for level in LEVELS:
                self._progress.write(level, lane, start - start % level.value.width_ms)
        for minute in range(start, end, MINUTE_MS):
            self._seal(minute)
        self._sealed = end

    def begin(self) -> None:
        """Go on with real time from here."""
        self._thread.start()

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        tick = now_ms() // STEP_MS * STEP_MS
        written = self._sealed
        while True:
            # what has come since the last minute that was stored
            for time_ms in range(written, tick + 1, STEP_MS):
                self._write_head(time_ms)
            written = max(written, tick + STEP_MS)
            while self._sealed + MINUTE_MS + LAG_MS <= now_ms():
                self._seal(self._sealed)
                self._sealed += MINUTE_MS
            tick += STEP_MS
            if self._ended.wait(max(0.0, tick / 1000 - time.time())):
                return

    def _write_head(self, time_ms: int) -> None:
        minute = time_ms - time_ms % MINUTE_MS
        for lane in range(self._lanes):
            rows = np.flatnonzero(self._own == lane)
            self._offset += 1
            labels = pa.array(self._labels_of(rows), pa.binary())
            payload = batch.encode(self._samples(rows, np.array([time_ms])), labels)
            self._head.write(lane, minute, 0, self._offset, payload)

    def _seal(self, minute: int) -> None:
        times = np.arange(minute, minute + MINUTE_MS, STEP_MS)
        for lane in range(self._lanes):
            samples = self._samples(np.flatnonzero(self._own == lane), times)
            self._blocks.write_raw(lane, minute, ON_TIME, samples)
            self._blocks.write_rollup(Resolution.MIN1, lane, minute, aggregate(samples, minute))
            self._progress.write(Resolution.MIN1, lane, minute + MINUTE_MS)
            self._progress.write_index(lane, minute + MINUTE_MS)
            for level in LEVELS:
                width = level.value.width_ms
                if (minute + MINUTE_MS) % width == 0:
                    self._rebuilder.build(level, lane, minute + MINUTE_MS - width)
                    self._progress.write(level, lane, minute + MINUTE_MS)

    def _samples(self, rows: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> Samples:
        """Counters; what a series shows at a time does not depend on when it is asked."""
        values = (times[None, :] // STEP_MS % 1_000_000) * self._rates[rows, None]
        offsets = np.arange(len(rows) + 1, dtype=np.int64) * len(times)
        return Samples(
            self._ids[rows], offsets, np.tile(times, len(rows)), values.astype(np.float64).reshape(-1)
        )

    def _labels_of(self, rows: npt.NDArray[np.int64]) -> list[bytes]:
        return [self._labels[row] for row in rows.tolist()]
