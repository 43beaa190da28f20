"""Rollups of many series as flat arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.series import digests
from streamgauge.series.digests import Digests
from streamgauge.series.ids import Ids

Columns = dict[str, npt.NDArray[np.generic]]


class Rollups(NamedTuple):
    """Rollups grouped by series.

    ids: (n, 2) uint64, sorted, distinct. offsets: (n + 1,) int64; series i owns [offsets[i], offsets[i + 1]).
    window_starts, widths: (m,) int64 ms, starts rising within a series; what is not built yet at the resolution
    asked for comes in finer windows. columns: an array of length m a name; `first_time` and `last_time` are ms after
    the window's start. digests: m, if asked for.
    """

    ids: Ids
    offsets: npt.NDArray[np.int64]
    window_starts: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    columns: Columns
    digests: Digests | None


def grouped(
    ids: Ids,
    starts: npt.NDArray[np.int64],
    widths: npt.NDArray[np.int64],
    columns: Columns,
    found: Digests | None,
    order: npt.NDArray[np.int64],
) -> Rollups:
    """Group windows by series.

    :param ids, starts, widths, columns, found: of each window. :param order: which of them, by series and start.
    """
    ids = ids[order]
    fresh = np.ones(len(ids), bool)
    fresh[1:] = (ids[1:] != ids[:-1]).any(axis=1)
    return Rollups(
        ids[fresh],
        np.append(np.flatnonzero(fresh), len(ids)).astype(np.int64),
        starts[order],
        widths[order],
        {name: column[order] for name, column in columns.items()},
        None if found is None else digests.take(found, order),
    )


def joined(parts: Sequence[Rollups]) -> Rollups:
    """Join one or more rollups of the same columns; no window overlaps another of its series."""
    first, *others = parts
    if not others:
        return first
    ids = np.concatenate([np.repeat(part.ids, np.diff(part.offsets), axis=0) for part in parts])
    starts = np.concatenate([part.window_starts for part in parts])
    kept = [part.digests for part in parts if part.digests is not None]
    return grouped(
        ids,
        starts,
        np.concatenate([part.widths for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        digests.concat(kept) if kept else None,
        np.lexsort((starts, ids[:, 1], ids[:, 0])),
    )
