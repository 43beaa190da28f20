"""Compiles the kernels of batches, blocks and rollups."""

import numpy as np
import pyarrow as pa

from schemas.batches import batch
from schemas.blocks import codec, columns, digests
from streamgauge.rollup.aggregates import COLUMNS, aggregate, merge
from streamgauge.series import ids, labels
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.samples import Samples, concat


def warm() -> None:
    """What becomes of a batch on its way through the jobs, and of what they store when it is read."""
    data = [labels.canonical({"__name__": "m", "n": str(number)}) for number in range(2)]
    packed = b"".join(sorted(ids.series_id(one) for one in data))
    # many distinct values, so that the digests that are not exact have their turn
    times, values = np.tile(np.arange(200) * 250, 2), np.random.default_rng(1).normal(size=400)
    samples = Samples(ids.from_bytes(packed), np.array([0, 200, 400]), times, values)
    one = batch.decode(batch.encode(samples, pa.array(data, pa.binary())), 0, 0, 1).samples
    raw = codec.decode_raw(codec.encode_raw(one, 0), 0, 60_000, samples.ids)
    # so often that the order of ids that come often has its turn, and alone what may not be written to
    rolled = aggregate(concat([raw, one, concat([one])] * 2), 0)
    again = merge([(0, rolled), (60_000, rolled)], 0)
    again.quantiles([0.5, 0.99])
    for name in COLUMNS:
        columns.decode_column(name, columns.encode_column(name, again.columns[name]), 2)
    if again.digests is not None:
        digests.decode(digests.encode(again.digests), 2)
    codec.decode_ids(codec.encode_ids(rolled.ids))
    rows_of(rolled.ids, rolled.ids)
