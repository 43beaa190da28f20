"""Real calls of every kernel that Python calls, and what becomes of them when one argument does not fit the others.

`python kernel_calls.py FILE` tries recorded ones, for a process of its own: a kernel that is not checked may end it.
"""

import importlib
import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np

from streamgauge import warm
from streamgauge.promql.data.query import Level, Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.plan.lanes import execute
from streamgauge.promql.syntax.parser import parse
from streamgauge.rollup.aggregates import aggregate
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples
from streamgauge.series.sized import NUMBER, InconsistentSizes, Sized

ROOT = Path(__file__).parents[2]
_SERIES, _TIMES = 3, 4
_RANGES = (
    "rate(m[4s]) + idelta(m[4s]) + resets(m[4s]) + delta(m[4s] smoothed)",
    "sum_over_time(m[4s]) + avg_over_time(m[4s]) + stdvar_over_time(m[4s]) + ts_of_min_over_time(m[4s])",
    "quantile_over_time(0.5, m[4s]) + mad_over_time(m[4s]) + count_over_time(m[4s]) + first_over_time(m[4s])",
    "deriv(m[4s]) + predict_linear(m[4s], 1) + double_exponential_smoothing(m[4s], 0.5, 0.5)",
    "m smoothed",
    "m",
    "quantile by (a) (0.5, m) + count by (a) (topk(2, m))",
    "histogram_quantile(0.5, m) + histogram_fraction(0, 1, m)",
)
_ROLLED = (
    "rate(m[5m]) + resets(m[5m]) + stddev_over_time(m[5m])",
    "quantile_over_time(0.5, m[5m])",
)
_MERGED = "sum by (a) (m) + avg by (a) (m) + count by (a) (m) + max by (a) (m) + stddev by (a) (m)"


class _Source:
    levels = (Level(0, 60_000), Level(60_000, 0))

    def fetch(self, *_):
        ids = np.arange(2 * _SERIES, dtype=np.uint64).reshape(_SERIES, 2)
        times = np.tile(np.arange(_TIMES) * 1000, _SERIES)
        offsets = np.arange(_SERIES + 1) * _TIMES
        labels = [canonical({"__name__": "m", "a": str(n % 2), "le": str(n)}) for n in range(_SERIES)]
        return labels, Samples(ids, offsets, times, np.arange(float(len(times))))

    def rollups(self, *_):
        labels, samples = self.fetch()
        rolled, starts = aggregate(samples, 0), np.zeros(_SERIES, np.int64)
        offsets = np.arange(_SERIES + 1)
        return labels, Rollups(rolled.ids, offsets, starts, starts + 60_000, rolled.columns, rolled.digests)


class _Samples:
    fetch = _Source.fetch


def kernels() -> dict[str, Sized]:
    """Every kernel that Python calls, by its module and name."""
    found = {}
    for package in ("schemas", "streamgauge"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "sized(" in file.read_text():
                module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                members = vars(importlib.import_module(module)).items()
                found |= {
                    f"{module}.{name}": each
                    for name, each in members
                    if isinstance(each, Sized) and (each.__module__ == module or name != each.__name__)
                }
    return found


def recorded() -> dict[str, list[tuple]]:
    """The arguments of some calls of each kernel, as the processes and queries call them."""
    calls: dict[Sized, list[tuple]] = {}
    call = Sized.__call__

    def noted(kernel, *arguments):
        kept = calls.setdefault(kernel, [])
        if len(kept) < 3:
            kept.append(_copied(arguments))
        return call(kernel, *arguments)

    with patch.object(Sized, "__call__", noted):
        for text in _RANGES:
            evaluate(parse(text), Query(1000, 3000, 1000), _Samples())
        for text in _ROLLED:
            evaluate(parse(text), Query(0, 120_000, 60_000), _Source())
        execute(parse(_MERGED), Query(1000, 3000, 1000), [_Samples(), _Samples()])
        for part in warm.PARTS.values():
            part()
    names = {kernel: name for name, kernel in kernels().items()}
    return {names[kernel]: several for kernel, several in calls.items()}


def _copied(arguments: tuple) -> tuple:
    return tuple(each.copy() if isinstance(each, np.ndarray) else each for each in arguments)


def spoilt(argument) -> Iterator[tuple[str, object]]:
    """The argument with another size or with places that are not there, and what was done to it."""
    if not isinstance(argument, np.ndarray):
        yield from (("below 0", -1), ("huge", 1 << 40))
        return
    for axis in range(argument.ndim):
        if argument.shape[axis]:
            yield f"one less on axis {axis}", np.delete(argument, -1, axis)
            yield f"one more on axis {axis}", np.concatenate([argument, argument.take([-1], axis)], axis)
    yield "empty", argument[:0]
    yield "another axis", argument[np.newaxis]
    if argument.dtype.kind == "i" and argument.size:
        for place in {0, argument.size // 2, argument.size - 1}:
            for what, number in (("below 0", -7), ("huge", 1 << 30), ("one more", argument.flat[place] + 1)):
                changed = argument.copy()
                changed.flat[place] = min(number, np.iinfo(changed.dtype).max)
                yield f"{what} at {place}", changed
    yield "turned round", argument[::-1]


CONTENTS_OF_TABLES = {"slots", "hashes", "table", "keys"}
"""What these hold is the fault of no caller: one object has them, and changes them."""


def refusals(kernel: Sized, arguments: tuple) -> Iterator[bool]:
    """Of each argument that is spoilt whether the call was refused; an index outside of an array goes on."""
    for place, (name, rule) in enumerate(kernel.rules.items()):
        if rule is NUMBER:
            continue
        for what, changed in spoilt(arguments[place]):
            if name in CONTENTS_OF_TABLES and " at " in what:
                continue
            given = list(_copied(arguments))
            given[place] = changed
            try:
                kernel(*given)
            except InconsistentSizes:
                yield True
            # what a number may be is another matter than whether it is a place in an array
            except (ZeroDivisionError, OverflowError, MemoryError):
                yield False
            except Exception as fault:
                fault.add_note(f"{kernel.__module__}.{kernel.__name__}, {name}: {what}")
                raise
            else:
                yield False


def main() -> None:
    """Spoil the calls in a file and print how many of each kernel's were refused, as JSON."""
    by_name = kernels()
    calls = pickle.loads(Path(sys.argv[1]).read_bytes())
    counts = {
        name: sum(sum(refusals(by_name[name], arguments)) for arguments in several)
        for name, several in calls.items()
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
