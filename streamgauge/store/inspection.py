"""What is stored of some series at each resolution, for a person who looks for a fault."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table

from schemas.tables import ROLLED, Resolution
from streamgauge.rollup.rollups import Rollups
from streamgauge.series import ids as series_ids
from streamgauge.series.ids import Shards
from streamgauge.series.labels import parse
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import STALE_BITS
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader

SPARKS = "▁▂▃▄▅▆▇█"
WIDTH = 48
SHOWN = ("count", "sum", "min", "max")


class Stored(NamedTuple):
    """Of one series at one resolution: how many rows and samples, and what they come to. Times in ms."""

    resolution: Resolution
    rows: int
    samples: int
    first: int
    last: int
    low: float
    high: float
    mean: float
    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def inspect(
    reader: Reader, shards: Shards, matchers: Sequence[Matcher], start: int, end: int, limit: int
) -> Iterator[RenderableType]:
    """What to print of each of the first `limit` series from `start` to `end` (ms)."""
    selection = reader.select(matchers, start, end)
    if not selection.labels:
        yield "no series"
    for row, data in enumerate(selection.labels[:limit]):
        one = Selection(selection.ids[row : row + 1], [data])
        yield Group(
            _name(data), _place(one, shards), _table(_stored(reader, one, start, end), start, end), ""
        )
    if len(selection.labels) > limit:
        yield f"{len(selection.labels) - limit} more series are not shown: name one, or raise --limit"


def _stored(reader: Reader, one: Selection, start: int, end: int) -> list[Stored]:
    samples = reader.raw(one, start, end)
    numbers = samples.values[samples.values.view(np.uint64) != np.uint64(STALE_BITS)]
    low, high, mean = (numbers.min(), numbers.max(), numbers.mean()) if len(numbers) else (np.nan,) * 3
    times = samples.timestamps
    first, last = int(times.min(initial=end)), int(times.max(initial=start))
    found = [
        Stored(Resolution.RAW, len(times), len(numbers), first, last, low, high, mean, times, samples.values)
    ]
    for resolution in ROLLED:
        width = resolution.value.width_ms
        rolled = reader.rollups(one, resolution, start - start % width, end, SHOWN)
        found.append(_summary(resolution, rolled, rolled.widths == width))
    return found


def _summary(resolution: Resolution, rolled: Rollups, own: npt.NDArray[np.bool_]) -> Stored:
    columns = {name: column[own].astype(np.float64) for name, column in rolled.columns.items()}
    starts, count = rolled.window_starts[own], columns["count"]
    if not len(starts):
        return Stored(resolution, 0, 0, 0, 0, np.nan, np.nan, np.nan, starts, np.zeros(0))
    return Stored(
        resolution,
        len(starts),
        int(count.sum()),
        int(starts[0]),
        int(starts[-1]) + resolution.value.width_ms,
        columns["min"].min(),
        columns["max"].max(),
        columns["sum"].sum() / count.sum(),
        starts,
        columns["sum"] / count,
    )


def _table(stored: list[Stored], start: int, end: int) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("resolution", "rows", "samples", "from", "to", "min", "avg", "max", "avg over time"):
        table.add_column(
            heading, justify="right" if heading in ("rows", "samples", "min", "avg", "max") else "left"
        )
    for each in stored:
        label = each.resolution.value.label
        if not each.rows:
            table.add_row(label, "0")
            continue
        numbers = [f"{value:.6g}" for value in (each.low, each.mean, each.high)]
        times = [_time(each.first), _time(each.last)]
        spark = sparkline(each.times, each.values, start, end)
        table.add_row(label, f"{each.rows:,}", f"{each.samples:,}", *times, *numbers, spark)
    return table


def sparkline(
    times: npt.NDArray[np.int64], values: npt.NDArray[np.float64], start: int, end: int, width: int = WIDTH
) -> str:
    """The mean of each of `width` equal stretches of time (ms) as a bar, a space where there is no value."""
    good = np.isfinite(values) & (times >= start) & (times <= end)
    if not good.any():
        return ""
    cells = ((times[good] - start) * width // (end - start + 1)).astype(np.int64)
    counts = np.bincount(cells, minlength=width)
    sums = np.bincount(cells, weights=values[good], minlength=width)
    means = np.divide(sums, counts, out=np.full(width, np.nan), where=counts > 0)
    low, high = np.nanmin(means), np.nanmax(means)
    span = high - low if high > low else 1.0
    return "".join(
        " " if np.isnan(mean) else SPARKS[min(int((mean - low) / span * len(SPARKS)), len(SPARKS) - 1)]
        for mean in means
    )


def _name(data: bytes) -> str:
    labels = parse(data)
    rest = ", ".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"


def _place(one: Selection, shards: Shards) -> str:
    lane = int(series_ids.lanes_of(one.ids, shards.lanes)[0])
    group = int(series_ids.groups_of(one.ids, shards.groups)[0])
    return f"id {series_ids.to_bytes(one.ids).hex()}  lane {lane}  metric_group {group}"


def _time(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%m-%d %H:%M:%S")
