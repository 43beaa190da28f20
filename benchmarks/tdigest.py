"""Accuracy, size and speed of t-digests, beside crick at the same compression.

    python benchmarks/tdigest.py [--trials 20]

3600 digests of 60 samples are merged all at once, and level by level as rollups do (5, 12, 24, the rest). Each
trial draws new samples; an error is the distance of a quantile from the ranks its value has among the samples,
in ppm, root mean square over trials; `all` is that over all kinds, `but` over all but 120 steps. Speeds are of
one core's CPU time.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from schemas.blocks import digests as packing
from streamgauge.rollup import tdigest
from streamgauge.series.digest_shape import COMPRESSION
from streamgauge.series.digests import Digests

try:
    from crick import TDigest
except ImportError:
    TDigest = None

PARTS, SIZE = 3600, 60
COUNT = PARTS * SIZE
QS = np.array([0.5, 0.95, 0.99, 0.999])
LEVELS = {"at once": (PARTS,), "by levels": (5, 12, 24, 3)}
Values = npt.NDArray[np.float64]
KINDS: dict[str, Callable[[np.random.Generator], Values]] = {
    "uniform": lambda random: random.random(COUNT),
    "normal": lambda random: random.normal(size=COUNT),
    "gamma": lambda random: random.gamma(0.5, size=COUNT),
    "lognormal": lambda random: random.lognormal(0, 1.5, COUNT),
    "zipf": lambda random: random.zipf(1.5, COUNT).astype(np.float64),
    "60 steps": lambda random: plateaus(random, 60),
    "120 steps": lambda random: plateaus(random, 120),
}
INEXACT_STEPS = "120 steps"
"""More levels than a digest has centroids, each with more weight than a centroid at p99."""


def plateaus(random: np.random.Generator, levels: int) -> Values:
    """A gauge that keeps each of some levels for a while."""
    return np.repeat(random.normal(100, 20, levels), COUNT // levels)


def merged(values: Values, levels: tuple[int, ...]) -> Digests:
    """One digest of all values, built in parts and merged by these numbers of parts."""
    found = tdigest.build(np.arange(0, len(values) + 1, SIZE), values)
    for parts in levels:
        groups = np.arange(len(found.exact)) // parts
        found = tdigest.merge(found, groups, int(groups[-1]) + 1)
    return found


def crick_parts(values: Values) -> list[object]:
    """A crick digest for each part."""
    parts = []
    for at in range(0, len(values), SIZE):
        part = TDigest(COMPRESSION)
        part.update(values[at : at + SIZE])
        parts.append(part)
    return parts


def crick_merged(parts: list[object], levels: tuple[int, ...]) -> object:
    """The same as `merged`, by crick."""
    for width in levels:
        merged_parts = []
        for at in range(0, len(parts), width):
            whole = TDigest(COMPRESSION)
            whole.merge(*parts[at : at + width])
            merged_parts.append(whole)
        parts = merged_parts
    return parts[0]


def rank_errors(ordered: Values, found: Values) -> Values:
    """The distance of each quantile from the ranks of its value, in ppm."""
    low = np.searchsorted(ordered, found, "left") / len(ordered)
    high = np.searchsorted(ordered, found, "right") / len(ordered)
    return 1e6 * (np.maximum(low - QS, 0) - np.maximum(QS - high, 0))


def accuracy(trials: int) -> Table:
    """The table of rank errors."""
    errors: dict[tuple[str, str], dict[str, list[Values]]] = {}
    centroids: dict[tuple[str, str], list[int]] = {}
    for kind, draw in KINDS.items():
        random = np.random.default_rng(1)
        for _ in range(trials):
            values = draw(random)
            ordered = np.sort(values)
            ends = ordered[:1], ordered[-1:]
            crick = crick_parts(values) if TDigest else []
            for name, levels in LEVELS.items():
                ours = merged(values, levels)
                answers = {"ours": (tdigest.quantiles(ours, *ends, QS)[0], len(ours.means))}
                if TDigest:
                    whole = crick_merged(crick, levels)
                    quantiles = np.array([whole.quantile(q) for q in QS])
                    answers["crick"] = (quantiles, len(whole.centroids()))
                for whose, (found, kept) in answers.items():
                    key = whose, name
                    errors.setdefault(key, {}).setdefault(kind, []).append(rank_errors(ordered, found))
                    centroids.setdefault(key, []).append(kept)
    shown = Table("", "", "centroids", "q", *KINDS, "all", "but", title=f"rank error in ppm, {trials} trials")
    for (whose, name), by_kind in sorted(errors.items(), reverse=True):
        squares = {kind: np.mean(np.square(found), axis=0) for kind, found in by_kind.items()}
        every = np.mean(list(squares.values()), axis=0)
        but = np.mean([square for kind, square in squares.items() if kind != INEXACT_STEPS], axis=0)
        for at, q in enumerate(QS):
            cells = [f"{np.sqrt(square[at]):.0f}" for square in (*squares.values(), every, but)]
            mean = np.mean(centroids[whose, name])
            shown.add_row(
                *((whose, name, f"{mean:.0f}") if at == 0 else ("", "", "")), f"p{100 * q:g}", *cells
            )
    return shown


def speed(work: int, step: Callable[[], object], seconds: float = 1.0) -> float:
    """Work a second of CPU, the best of some rounds."""
    step()
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        cpu = time.process_time()
        step()
        best = max(best, work / (time.process_time() - cpu))
    return best


def speeds() -> Table:
    """The table of speeds and sizes, for normal samples."""
    values = np.random.default_rng(2).normal(size=20 * COUNT)
    shown = Table("", "million/s", "of", title="speed of one core")
    levels = {"1min of 60": (), "5min": (5,), "1hour": (5, 12), "1day": (5, 12, 24)}
    parts = {name: merged(values, widths) for name, widths in levels.items()}

    def add(what: str, work: int, step: Callable[[], object], of: str) -> None:
        shown.add_row(what, f"{speed(work, step) / 1e6:.1f}", of)

    offsets = np.arange(0, len(values) + 1, SIZE)
    add("build", len(values), lambda: tdigest.build(offsets, values), "values")
    for (name, found), width in zip(parts.items(), (5, 12, 24, 30), strict=True):
        groups = np.arange(len(found.exact)) // width
        merging = partial(tdigest.merge, found, groups, int(groups[-1]) + 1)
        add(f"merge {width} of {name}", len(found.means), merging, "centroids")
    for name in ("1min of 60", "1hour"):
        found = parts[name]
        series, centroids = len(found.exact), len(found.means)
        ends = np.full(series, np.nan)
        blob = packing.encode(found)
        answer = partial(tdigest.quantiles, found, ends, ends, QS)
        add(f"quantiles of {name}", series * len(QS), answer, "answers")
        add(f"encode {name}", centroids, partial(packing.encode, found), "centroids")
        add(f"decode {name}", centroids, partial(packing.decode, blob, series), "centroids")
    if TDigest:
        crick = crick_parts(values[:COUNT])
        add("crick: merge 3600 of 60", COUNT, lambda: crick_merged(crick, (PARTS,)), "centroids")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    arguments = parser.parse_args()
    console = Console(width=130)
    if TDigest is None:
        console.print("crick is not installed: only our own digests are shown")
    console.print(accuracy(arguments.trials))
    console.print(speeds())


if __name__ == "__main__":
    main()
