"""Queries over a reader whose samples are in memory."""

import json
import time

import numpy as np
import pytest

from streamgauge.config import Gateway as Settings
from streamgauge.gateway.query.queries import Queries
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import Form
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import Samples, between, take
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reading import ReadContext


class Shelf:
    """What the queries use of a reader: two counters, a sample every 10 s for 10 minutes."""

    def __init__(self):
        self.labels = [canonical({"__name__": "hits_total", "host": host}) for host in ("a", "b")]
        self.labels.sort(key=series_id)
        times = np.arange(0, 600_000, 10_000, dtype=np.int64)
        rates = [1.0 if b"\xffa" in labels else 3.0 for labels in self.labels]
        self.samples = Samples(
            from_bytes(b"".join(map(series_id, self.labels))),
            np.array([0, 60, 120]),
            np.concatenate([times, times]),
            np.concatenate([times / 1000 * rate for rate in rates]),
        )

    def levels(self):
        return []

    def select(self, matchers, _, __, ___):
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        rows = [row for row, labels in enumerate(self.labels) if fulfils(labels, named)]
        return Selection(self.samples.ids[rows], [self.labels[row] for row in rows])

    def raw(self, selection, start, end, reading):
        rows = [row for row, labels in enumerate(self.labels) if labels in selection.labels]
        found = between(take(self.samples, np.array(rows, np.int64)), start, end)
        reading.take_samples(len(found.values))
        return found


@pytest.fixture
def queries():
    return Queries(Settings(), Shelf(), lambda: 500_000)


def instant(queries, query, reading=None):
    answer = queries.instant(Form(f"query={query}"), reading or ReadContext())
    return json.loads(str(answer.data))["result"], answer


def test_a_rate_is_evaluated(queries):
    result, answer = instant(queries, "rate(hits_total[1m])")
    assert [(series["metric"], series["value"]) for series in result] == [
        ({"host": "a"}, [500, "1"]),
        ({"host": "b"}, [500, "3"]),
    ]
    assert (answer.warnings, answer.infos) == ([], [])


def test_samples_come_as_they_are(queries):
    result, _ = instant(queries, "hits_total{host='b'}[25s]")
    [series] = result
    assert series["metric"] == {"__name__": "hits_total", "host": "b"}
    assert series["values"] == [[480, "1440"], [490, "1470"], [500, "1500"]]


def test_a_range_query_is_evaluated_at_its_steps(queries):
    form = Form("query=sum(hits_total) by (none)&start=100&end=102&step=1")
    assert json.loads(str(queries.range(form, ReadContext()).data))["result"] == [
        {"metric": {}, "values": [[100, "400"], [101, "400"], [102, "400"]]}
    ]


def test_remarks_are_in_the_answer(queries):
    _, answer = instant(queries, "rate(label_replace(hits_total,'a','b','','')[1m:])")
    assert answer.infos == []
    _, answer = instant(queries, "quantile(2, hits_total)")
    assert answer.warnings == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]


@pytest.mark.parametrize(
    ("query", "reading", "reason"),
    [
        ("sum(hits_total) / hits_total[5m]", ReadContext(), ErrorType.BAD_DATA),
        ("hits_total[step() - 5]", ReadContext(), ErrorType.BAD_DATA),
        ("hits_total %2B on() hits_total", ReadContext(), ErrorType.EXECUTION),
        ("histogram_sum(hits_total)", ReadContext(), ErrorType.EXECUTION),
        ("hits_total", ReadContext(max_series=1), ErrorType.COST_LIMIT),
        ("hits_total", ReadContext(deadline=time.monotonic() - 1), ErrorType.TIMEOUT),
    ],
)
def test_a_refusal_has_its_type(queries, query, reading, reason):
    with pytest.raises(InvalidRequest) as refusal:
        instant(queries, query, reading)
    assert refusal.value.reason is reason


def test_how_a_query_was_answered_is_told_if_that_is_asked_for(queries):
    _, answer = instant(queries, "rate(hits_total[1m])")
    assert answer.explain == ""
    _, answer = instant(queries, "rate(hits_total{host='a'}[1m])&explain=1")
    told = json.loads(answer.explain)
    assert told["expression"] == 'rate(hits_total{host="a"}[1m])'
    times = {"from": 440.001, "to": 500.0}
    selector = {"selector": 'hits_total{host="a"}[1m]', "resolution": "raw", **times}
    assert told["selectors"] == [selector]
    [read] = told["reads"]
    assert read["selector"] == '{__name__="hits_total",host="a"}'
    assert (read["from"], read["to"], read["series"], read["samples"]) == (440.001, 500.0, 1, 6)
    assert told["cache"] is None
    with pytest.raises(InvalidRequest, match='invalid parameter "explain": cannot parse "yes" to a boolean'):
        instant(queries, "hits_total&explain=yes")
