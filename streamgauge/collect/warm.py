"""Compiles the collector's kernels, or loads them from the cache, before the first request."""

from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.producing.batcher import batches
from streamgauge.collect.receive import remote_write
from streamgauge.collect.receive.remote_write_request import encode
from streamgauge.series.labels import NAME


def warm(lanes: int, now: int) -> None:
    """Take in one sample of the time `now` (ms)."""
    table = SeriesTable(lanes, 1)
    request = encode([({NAME: "warm_up"}, [(now, 0.0)])])
    for _ in batches(table, [remote_write.decode(request, table).rows]):
        pass
