"""t-digests of many series as flat arrays: `streamgauge.rollup.tdigest` makes, `schemas.blocks.digests` packs them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Digests(NamedTuple):
    """n digests with m centroids in all.

    offsets: (n + 1,) int64; digest i owns [offsets[i], offsets[i + 1]), possibly nothing. means: (m,) float64,
    rising within a digest, NaN first, never -0.0. weights: (m,) int64, positive. exact: (n,) bool; whether each
    centroid is one distinct value with its multiplicity. NaN, -inf and inf are centroids of their own.
    """

    offsets: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]
    weights: npt.NDArray[np.int64]
    exact: npt.NDArray[np.bool_]


def concat(parts: list[Digests]) -> Digests:
    """The digests of all parts, one after the other."""
    counts = [np.diff(part.offsets) for part in parts]
    return Digests(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]))]),
        np.concatenate([np.zeros(0, np.float64), *(part.means for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.weights for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.exact for part in parts)]),
    )


def take(digests: Digests, rows: npt.NDArray[np.int64]) -> Digests:
    """The digests at these row numbers, in this order."""
    counts = np.diff(digests.offsets)[rows]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    picked = np.repeat(digests.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
    return Digests(offsets, digests.means[picked], digests.weights[picked], digests.exact[rows])
