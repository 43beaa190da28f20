"""Rollups as read: the requested aggregates of many series and windows, derived ones included."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.tables import DIGEST, QUANTILES, ROLLUP_BLOBS, ROLLUP_COLUMNS
from schemas.units import MINUTE_MS
from streamgauge.rollup.aggregates import aggregate
from streamgauge.rollup.rollups import Columns, Rollups, grouped
from streamgauge.series import digests
from streamgauge.series.digests import Digests
from streamgauge.series.ids import Ids
from streamgauge.series.samples import Samples

INCREASE = "increase"
AGGREGATES = (*ROLLUP_COLUMNS, INCREASE, *QUANTILES, DIGEST)
"""The available aggregates. `increase` is that of a counter from the first sample of the window to its last."""


class NoDigests(Exception):
    """A percentile was requested of series whose storage class keeps no digests."""


class RollupRow(NamedTuple):
    """The wanted series of a window, or of one for each: ids (n, 2), an array of length n a name, n digests if asked.

    window_start: ms, or (n,) int64.
    """

    window_start: int | npt.NDArray[np.int64]
    width: int
    ids: Ids
    columns: Columns
    digests: Digests | None = None


def stored(wanted: Sequence[str]) -> list[str]:
    """The blob columns that have to be read for these aggregates.

    :raises KeyError: for one that there is not.
    """
    if unknown := set(wanted) - set(AGGREGATES):
        raise KeyError(f"no such rollup column: {', '.join(sorted(unknown))}")
    needed = set(wanted) | ({"first", "last", "reset_total"} if INCREASE in wanted else set())
    return [name for name in ROLLUP_BLOBS if name in needed]


def derive(wanted: Sequence[str], columns: Mapping[str, npt.NDArray[np.generic]]) -> Columns:
    """The wanted aggregates but the digests, some of which follow from others."""
    found = {name: columns[name] for name in wanted if name in columns}
    if INCREASE in wanted:
        first, last, before = (columns[name].astype(np.float64) for name in ("first", "last", "reset_total"))
        found[INCREASE] = last - first + before
    return found


def of_samples(samples: Samples, minute: int, wanted: Sequence[str]) -> RollupRow:
    """The row that the samples of a minute (ms) make."""
    from_digest = {DIGEST, *QUANTILES}.intersection(wanted)
    rolled = aggregate(samples, minute, with_digests=bool(from_digest))
    columns = derive(wanted, rolled.columns)
    if quantiles := [name for name in wanted if name in QUANTILES]:
        values = rolled.quantiles([QUANTILES[name] for name in quantiles])
        columns |= {name: values[:, at] for at, name in enumerate(quantiles)}
    return RollupRow(minute, MINUTE_MS, rolled.ids, columns, rolled.digests if DIGEST in wanted else None)


def by_series(rows: Sequence[RollupRow], wanted: Sequence[str]) -> Rollups:
    """Group rows by series; of two of one series and window the first stays."""
    names = [name for name in wanted if name != DIGEST]
    rows = [row for row in rows if len(row.ids)]
    if not rows:
        nothing = np.zeros(0, np.int64)
        none: Columns = {name: np.zeros(0) for name in names}
        empty = digests.concat([]) if DIGEST in wanted else None
        return Rollups(np.zeros((0, 2), np.uint64), np.zeros(1, np.int64), nothing, nothing, none, empty)
    ids = np.concatenate([row.ids for row in rows])
    starts = np.concatenate([np.full(len(row.ids), row.window_start, np.int64) for row in rows])
    widths = np.concatenate([np.full(len(row.ids), row.width, np.int64) for row in rows])
    order = np.lexsort((starts, ids[:, 1], ids[:, 0]))
    same = (ids[order][1:] == ids[order][:-1]).all(axis=1) & (starts[order][1:] == starts[order][:-1])
    parts = [row.digests for row in rows if row.digests is not None]
    return grouped(
        ids,
        starts,
        widths,
        {name: np.concatenate([row.columns[name] for row in rows]) for name in names},
        digests.concat(parts) if DIGEST in wanted else None,
        order[np.append(True, ~same)],
    )
