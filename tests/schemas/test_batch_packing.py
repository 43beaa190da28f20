"""Series of any number and time become batches that can be decoded, with every sample in one of them."""

import numpy as np

from schemas.batches.batch import decode, labels_by_id
from schemas.batches.batch_packing import pack
from schemas.limits import MAX_BATCH_SERIES
from schemas.units import MINUTE_MS
from streamgauge.series.ids import from_bytes, series_id, to_bytes
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples, concat

NOON = 1_763_892_000_000
LANES = 2


def test_every_sample_is_in_a_batch_of_its_lane_and_minute():
    labels = {
        series_id(data): data for data in (canonical({"__name__": "m", "i": str(i)}) for i in range(2500))
    }
    order = sorted(labels)
    times = np.tile([NOON + 1, NOON + MINUTE_MS - 1, NOON + MINUTE_MS], len(order))
    samples = Samples(
        from_bytes(b"".join(order)),
        np.arange(0, 3 * len(order) + 1, 3),
        times,
        np.arange(3.0 * len(order)),
    )
    found = list(pack(samples, labels, LANES))
    parts = []
    for one in found:
        batch = decode(one.payload, one.lane, one.minute, LANES, labels=True)
        assert len(batch.samples.ids) <= MAX_BATCH_SERIES
        assert one.newest == batch.samples.timestamps.max()
        assert labels_by_id(batch).items() <= labels.items()
        parts.append(batch.samples)
    again = concat(parts)
    assert to_bytes(again.ids) == to_bytes(samples.ids)
    assert (again.timestamps == samples.timestamps).all()
    assert (again.values == samples.values).all()
    assert len(found) == len({(one.minute, one.lane) for one in found}) * 2
