"""Which rows of a shard count for the series that are asked for, whatever their storage class."""

import numpy as np
import pytest

from schemas.blocks import codec
from schemas.blocks.columns import ROLLUP_FORMAT
from schemas.tables import ROLLUP_BLOBS, Resolution, StorageClass
from sinks.cassandra.cut_rows import encode_rollup
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series import ids, labels
from streamgauge.series.ids import Shards, lanes_of
from streamgauge.series.samples import Samples
from streamgauge.store.blocks.read_blocks import BlockReader
from streamgauge.store.blocks.rollups import NoDigests
from streamgauge.store.reading import ReadContext

MINUTE = 1_763_892_000_000
KEPT = dict.fromkeys(Resolution, 10**12)
CLASSES = StorageClass("short", KEPT, digests=False), StorageClass("standard", KEPT)


class Answer:
    def __init__(self, rows):
        self._rows = rows

    def result(self):
        return self._rows


class Query(str):
    """A prepared statement: it may have attributes."""


class Tables:
    """Stands for a session: a statement is its table and columns, of which each table has one row."""

    def __init__(self):
        self.rows = {}

    def prepare(self, query):
        return Query(query)

    def execute_async(self, query, _, timeout, **__):
        assert timeout > 0
        columns, rest = query.removeprefix("SELECT ").split(" FROM ")
        row = self.rows.get(rest.split()[0])
        rows = row if isinstance(row, list) else [row] if row else []
        return Answer([tuple(row[name.strip(' "')] for name in columns.split(",")) for row in rows])


def _row(name, *, with_digests):
    """The id of a series, and the row of a minute in which it has one sample."""
    identity = ids.from_bytes(ids.series_id(labels.canonical({"__name__": name})))
    samples = Samples(identity, np.array([0, 1]), np.array([MINUTE]), np.array([7.0]))
    blobs = encode_rollup(aggregate(samples, MINUTE, with_digests=with_digests))
    row = dict.fromkeys(ROLLUP_BLOBS) | blobs
    return identity, row | {
        "window_start": MINUTE,
        "format": ROLLUP_FORMAT,
        "ids": codec.encode_ids(identity),
    }


def test_percentiles_are_refused_only_for_series_that_have_none():
    tables = Tables()
    short, tables.rows["metrics_rollup_1min_short"] = _row("short", with_digests=False)
    standard, tables.rows["metrics_rollup_1min"] = _row("standard", with_digests=True)
    shards = Shards(lanes=1, groups=1)
    reader = BlockReader(tables, shards, CLASSES)

    def read(wanted, name):
        spans = dict.fromkeys(lanes_of(wanted, 1).tolist(), (MINUTE, MINUTE))
        return reader.rollups(wanted, Resolution.MIN1, spans, [name], ReadContext())

    (found,) = read(standard, "p99")
    assert found.columns["p99"].tolist() == [7.0]
    (found,) = read(standard, "digest")
    assert found.digests.means.tolist() == [7.0]
    (found,) = read(short, "sum")
    assert found.columns["sum"].tolist() == [7.0]
    with pytest.raises(NoDigests):
        read(short, "p99")


def test_a_damaged_row_is_left_out_and_named_and_the_others_are_there():
    tables = Tables()
    wanted, row = _row("standard", with_digests=True)
    broken = row | {"window_start": MINUTE + 60_000, "sum": b"x"}
    bad_ids = row | {"window_start": MINUTE + 120_000, "ids": b""}
    other = row | {"window_start": MINUTE + 180_000}
    tables.rows["metrics_rollup_1min"] = [row, broken, bad_ids, other]
    reader, reading = BlockReader(tables, Shards(lanes=1, groups=1), CLASSES), ReadContext()
    spans = {0: (MINUTE, MINUTE + 180_000)}
    (found,) = reader.rollups(wanted, Resolution.MIN1, spans, ["count", "sum", "digest"], reading)
    assert found.window_start.tolist() == [MINUTE, MINUTE + 180_000]
    assert found.columns["sum"].tolist() == [7.0, 7.0]
    assert found.digests.means.tolist() == [7.0, 7.0]
    late = [each.row.rpartition("=")[2] for each in reading.damages]
    assert late == [str(MINUTE + 120_000), str(MINUTE + 60_000)]
    assert reading.samples == 2
