"""A model store, what is kept of its answers, and both ways to ask."""

from collections import Counter

import numpy as np

from streamgauge.gateway.cache.asked import Asked
from streamgauge.gateway.cache.ranges import Ranges
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Vector
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax import durations
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.known_series import KNOWN_LIMIT
from streamgauge.store.reading import ReadContext
from tests.support.model_store import BEGIN, KEPT, LANES, ModelStore, label_set

MINUTE = 60_000
SERIES = [label_set(name, number) for name in ("x", "x_total") for number in range(3)]


class Dictionary:
    """Values in memory; what is asked for and put can be looked at."""

    def __init__(self):
        self.values = {}
        self.happen = lambda: None

    def get(self, keys, hold):
        self.happen()
        found = [self.values.get(key, (None,))[0] for key in keys]
        hold(sum(len(value) for value in found if value is not None))
        return found

    def put(self, values):
        self.happen()
        self.values.update(values)


class System:
    """A store, what is kept of its answers, and both ways to ask."""

    def __init__(self, known_limit=KNOWN_LIMIT):
        self.store = ModelStore(known_limit)
        self.kept = Dictionary()
        self.invalid = []
        self.ranges = Ranges(
            "test", self.store, [KEPT], LANES, self.kept, lambda: self.store.now, self.invalid.append
        )
        self.sources = Counter()

    def ask(self, text, query, reading=None, **more):
        expression = durations.resolve(parse(text), query.step, query.end - query.start, text)

        def compute(part, annotations):
            return evaluate(expression, part, self.store, Limits(), text, annotations).value

        asked = Asked(text, expression, query, self.store.levels, compute, Limits(), **more)
        found = self.ranges.answer(asked, reading or ReadContext())
        self.sources[found.report.refusal or ("kept" if found.report.kept else "computed")] += 1
        return found

    def compare(self, text, query):
        """Ask in parts, then as a whole, which has to be the same."""
        found = self.ask(text, query)
        annotations = Annotations(text)
        expression = durations.resolve(parse(text), query.step, query.end - query.start, text)
        whole = evaluate(expression, query, self.store, Limits(), text, annotations).value
        assert shown(found.value) == shown(whole)
        assert (found.warnings, found.infos) == (annotations.warnings, annotations.infos)
        return found


def shown(value):
    """The series in their order, each with the bits of its values by step."""
    if not isinstance(value, Vector):
        return value.view(np.uint64).tolist()
    return [
        (labels, {step: value.values[row, step].view(np.uint64).item() for step in steps})
        for row, labels in enumerate(value.labels.rows())
        for steps in [np.flatnonzero(value.present[row]).tolist()]
    ]


def filled(minutes=60, step=15_000):
    """Two lanes sealed for so long, with samples that differ."""
    system = System()
    for number, data in enumerate(SERIES):
        for time in range(BEGIN + number * 100, BEGIN + minutes * MINUTE, step):
            system.store.write(data, time, float(time // step % 50 + number))
    for lane in range(LANES):
        system.store.seal(lane, minutes)
    return system
