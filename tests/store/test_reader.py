"""What a reader makes of minutes that no block holds yet."""

from types import SimpleNamespace

import numpy as np

from schemas.tables import Resolution, StorageClass
from schemas.units import DAY_MS, MINUTE_MS
from streamgauge.series.ids import Shards
from streamgauge.series.samples import Samples
from streamgauge.store import reader as reading
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader

NOON = 1_763_892_000_000


def test_a_lane_that_was_never_sealed_costs_the_minutes_it_has_and_not_the_years_asked_for(monkeypatch):
    kept = StorageClass("standard", dict.fromkeys(Resolution, 1000 * DAY_MS))
    nothing = SimpleNamespace(progress=lambda *_: {}, rollups=lambda *_: [])
    monkeypatch.setattr(reading, "IndexReader", lambda *_: None)
    monkeypatch.setattr(reading, "BlockReader", lambda *_: nothing)
    monkeypatch.setattr(reading, "HeadCache", lambda *_: None)
    ids = np.array([[1, 2]], np.uint64)
    times = NOON + np.array([-1, 0, 30_000, 2 * MINUTE_MS, 4 * MINUTE_MS], np.int64)
    samples = Samples(ids, np.array([0, 5]), times, np.arange(5.0))
    asked = []
    made = reading.of_samples
    monkeypatch.setattr(reading, "of_samples", lambda *given: asked.append(given[1]) or made(*given))
    reader = Reader(None, Shards(lanes=1, groups=1), [kept], lambda: NOON)
    monkeypatch.setattr(reader, "raw", lambda *_: samples)
    selection = Selection(ids, [b""])
    found = reader.rollups(selection, Resolution.DAY1, NOON - 900 * DAY_MS, NOON + 3 * MINUTE_MS, ["count"])
    minutes = [NOON - MINUTE_MS, NOON, NOON + 2 * MINUTE_MS]
    assert asked == found.window_starts.tolist() == minutes
    assert found.columns["count"].tolist() == [1, 2, 1]
    found = reader.rollups(selection, Resolution.DAY1, NOON - 1, NOON, ["count"])
    assert found.window_starts.tolist() == [NOON]
