"""What is planned to be read is what the evaluation reads, call by call."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.data.query import SAMPLES, Level, Query
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.plan.planned_reads import PlannedReads
from streamgauge.promql.syntax import durations
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.samples import empty
from streamgauge.store.blocks.rollups import by_series

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_763_892_000_000
LEVELS = [
    Level(SAMPLES, NOW - DAY),
    Level(60_000, NOW - 7 * DAY),
    Level(300_000, NOW - 30 * DAY),
    Level(HOUR, NOW - 365 * DAY),
]
QUERIES = [
    "x",
    "(x)",
    "x offset 7m",
    "x offset -7m",
    f"x @ {NOW / 1000 - 500}",
    "x @ start()",
    "x @ end() offset 1h",
    "x smoothed",
    "rate(x[30m])",
    "rate((x[30m]))",
    "rate(x[1m])",
    "rate(x[30m] @ end())",
    "rate(x[30m] anchored)",
    "increase(x[30m] smoothed)",
    "irate(x[30m] offset 3m)",
    "deriv(x[2h])",
    "quantile_over_time(0.9, x[3h])",
    "quantile_over_time(scalar(y), x[3h])",
    "predict_linear((x[1h] @ 1763890000), 3600)",
    "predict_linear(x[1h], scalar(y offset 5m))",
    "absent_over_time(x[10m])",
    "timestamp(x)",
    "timestamp(x @ 1763890000)",
    "sum by (a) (rate(x[10m])) / on (a) group_left y",
    "quantile(scalar(y @ start()), x)",
    "quantile(scalar(y), x @ end())",
    "count_values('v', x)",
    "max_over_time(rate(x[5m])[1h:])",
    "max_over_time(rate(x[5m])[1h:7m])",
    "max_over_time((rate(x[5m])[1h:7m] @ 1763890000))",
    "sum_over_time(x[30s:5m])",
    "sum_over_time(sum_over_time(x[10m:1m])[1h:10m] offset 2m)",
    "label_replace(x, 'a', '$1', 'b', '(.*)') or vector(scalar(y))",
    "x + -y * 2 ^ (x > bool 1)",
    "histogram_quantile(0.9, sum by (le) (rate(x[15m])))",
    "sum_over_time(x[step() * 3]) + max_over_time(x[range()])",
    "time() + vector(1)",
]


class Recorder:
    """A source without series that remembers what it was asked for."""

    levels = LEVELS

    def __init__(self):
        self.asked = []

    def fetch(self, matchers, start, end):
        self.asked.append((tuple(matchers), start, end, 0, ()))
        return [], empty()

    def rollups(self, matchers, start, end, width, wanted):
        self.asked.append((tuple(matchers), start, end, width, tuple(wanted)))
        return [], by_series([], wanted)


def _resolved(text, query):
    span = query.end - query.start
    return durations.resolve(parse(text), query.step if span else 0, span, text)


def _planned(expression, query):
    reads = PlannedReads(expression, LEVELS).of(query)
    found = [(read.selector.conditions, read.start, read.end, read.width, read.wanted) for read in reads]
    return reads, found


@pytest.mark.parametrize("text", QUERIES)
@given(
    st.sampled_from([HOUR, 5 * HOUR, 3 * DAY, 20 * DAY, 100 * DAY]),
    st.sampled_from([1000, 15_000, 60_000, 240_000, 1_800_000]),
    st.integers(0, 60),
    st.booleans(),
)
def test_planned_reads_are_those_of_the_evaluation(text, back, step, count, with_rest):
    start = NOW - back
    query = Query(start, start + count * step + (step // 2 if with_rest else 0), step)
    expression = _resolved(text, query) if query.end > query.start or "range()" not in text else None
    if expression is None:
        return
    source = Recorder()
    evaluate(expression, query, source)
    assert Counter(_planned(expression, query)[1]) == Counter(source.asked)


@pytest.mark.parametrize("text", QUERIES)
@given(
    st.sampled_from([HOUR, 20 * HOUR, 3 * DAY, 20 * DAY]),
    st.sampled_from([15_000, 60_000, 240_000]),
    st.integers(3, 60),
    st.data(),
)
def test_a_part_reads_from_where_the_whole_does(text, back, step, count, data):
    whole = Query(NOW - back, NOW - back + count * step, step)
    expression = _resolved(text, whole)
    reads, _ = _planned(expression, whole)
    widths = {id(read.node): read.width for read in reads}
    first = data.draw(st.integers(0, count - 1))
    part = Query(whole.start + first * step, whole.end, step, widths=widths)
    source = Recorder()
    evaluate(expression, part, source)
    own, planned = _planned(expression, part)
    assert Counter(planned) == Counter(source.asked)
    assert all(widths[id(read.node)] == read.width for read in own if id(read.node) in widths)
    assert [id(read.node) for read in own if id(read.node) in widths] == [
        id(read.node) for read in reads if id(read.node) in {id(each.node) for each in own}
    ]


def test_the_recorder_sees_windows():
    source = Recorder()
    evaluate(parse("rate(x[30m])"), Query(NOW - 3 * DAY, NOW, 60_000), source)
    assert [width for *_, width, _ in source.asked] == [60_000]
