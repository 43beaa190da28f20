"""What the job of SQL rules is made of, without Flink: script, samples, rows, ticks."""

import json
import math
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import alert_messages
from schemas.batches.batch import InvalidBatch
from schemas.batches.batch_packing import pack
from streamgauge.config import Alerts
from streamgauge.promql.syntax.parser import parse as parse_promql
from streamgauge.promql.syntax.parser import selector
from streamgauge.rules.job.sql_group import SqlGroup
from streamgauge.rules.job.waiting_rows import WaitingRows
from streamgauge.rules.machine import alert_codec, group_codec
from streamgauge.rules.machine.compiled import EvaluationContext
from streamgauge.rules.machine.group_state import GroupState
from streamgauge.rules.sql.reader import parse
from streamgauge.rules.sql.sampler import Sampler
from streamgauge.rules.sql.script import render
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.samples import STALE, Samples

LANES = 4
EVERY = 60_000
NOON = 1_763_985_600_000
NO_TIME = -(2**63)
HEADER = """\
-- name: High
-- for: 1m
-- severity: page
-- annotations: {summary: "{{ $labels.instance }} at {{ $value }}"}
"""
SELECT = "SELECT labels['instance'] AS instance, `value` FROM samples('errors', 'job=\"web\"')"


def rule(header=HEADER, select=SELECT, file="a.sql"):
    found = parse(file, header + select)
    assert not found.faults
    return found.rule


def test_a_script_has_a_view_for_each_selector_and_two_statements_for_each_rule():
    other = rule(
        "-- name: It's\n-- no_data: alert\n-- every: 90m\n",
        "SELECT labels['a'] AS `a``b`, ts, `value` FROM samples('up')",
    )
    third = rule("-- name: Third\n")
    script = render([rule(), other, third])
    assert [call.selector for call in script.selectors] == ['errors{job="web"}', "up"]
    assert script.views[1] == (
        "CREATE TEMPORARY VIEW samples_1 AS\nSELECT ts, labels, `value` FROM all_samples WHERE selector = 1"
    )
    first = script.rules[0]
    assert first.view.splitlines()[:2] == ["CREATE TEMPORARY VIEW rule_0 AS -- name: High", "-- for: 1m"]
    assert "MAP['alertname', 'High', 'instance', CAST(`instance` AS STRING)]" in first.rows
    assert "COUNT" not in first.rows
    assert "FROM samples_0" in script.rules[2].view
    assert "'/sql/It''s'" in script.rules[1].rows
    assert "'a`b', CAST(`a``b` AS STRING)" in script.rules[1].rows
    assert "INTERVAL '0 01:30:00.000' DAY TO SECOND" in script.rules[1].rows
    assert render([rule(), other, third]).identity == script.identity
    assert render([rule(), other]).identity != script.identity


def batches_of(rows, time=NOON + 1000):
    """Batches of series, (labels, values in the order of time)."""
    named = sorted((series_id(canonical(labels)), canonical(labels), values) for labels, values in rows)
    counts = [len(values) for _, _, values in named]
    samples = Samples(
        from_bytes(b"".join(identity for identity, _, _ in named)),
        np.cumsum([0, *counts]),
        np.concatenate([time + np.arange(count) for count in counts]).astype(np.int64),
        np.concatenate([np.array(values, np.float64) for _, _, values in named]),
    )
    return list(pack(samples, {identity: data for identity, data, _ in named}, LANES))


def test_only_what_selectors_ask_for_is_given():
    web = {"__name__": "errors", "job": "web", "instance": "a"}
    rows = [
        (web, [1.0, STALE, 3.0]),
        ({**web, "job": "db"}, [5.0]),
        ({"__name__": "up", "job": "web"}, [math.nan]),
        ({"__name__": "other"}, [7.0]),
    ]
    sampler = Sampler([selector('errors{job="web"}'), selector("up"), selector('{job="web"}')], LANES)
    for _ in range(2):
        found = [
            sample
            for one in batches_of(rows)
            for sample in sampler.samples(one.payload, one.lane, one.minute)
        ]
        assert {(s.selector, s.time - NOON, s.labels["__name__"], str(s.value)) for s in found} == {
            (0, 1000, "errors", "1.0"),
            (2, 1000, "errors", "1.0"),
            (0, 1002, "errors", "3.0"),
            (2, 1002, "errors", "3.0"),
            (1, 1000, "up", "nan"),
            (2, 1000, "up", "nan"),
        }
        assert next(s.labels for s in found if s.selector == 0) == web
    one = batches_of(rows)[0]
    with pytest.raises(InvalidBatch):
        list(sampler.samples(one.payload[:-9], one.lane, one.minute))
    with pytest.raises(InvalidBatch):
        list(sampler.samples(one.payload, (one.lane + 1) % LANES, one.minute))


def test_rows_wait_for_their_tick():
    waiting = WaitingRows(EVERY)
    assert waiting.add(NOON, {"a": "x", "alertname": None}, 1.5) == (
        NOON,
        '[[["a","x"]],"0x1.8000000000000p+0"]',
    )
    assert waiting.add(NOON, {"a": "x"}, 1.5) is None
    waiting.add(NOON - EVERY, {"a": "past"}, 1.0)
    waiting.add(NOON + 1, {"a": "next"}, 2.0)
    waiting.add(NOON - 5, {"a": "x"}, 9.0)
    waiting.add(NOON - 5, {"a": "y"}, None)
    due = waiting.take(NOON)
    assert sorted(labels["a"] for labels, _ in due.rows) == ["x", "y"]
    assert next(value for labels, value in due.rows if labels["a"] == "x") == 1.5
    assert next(math.isnan(value) for labels, value in due.rows if labels["a"] == "y")
    assert (due.has_samples, len(due.forgotten)) == (False, 4)
    waiting.add(NOON + EVERY, None, 3.0)
    due = waiting.take(NOON + EVERY)
    assert (due.rows, due.has_samples) == ([({"a": "next"}, 2.0)], True)
    assert waiting.take(NOON + 2 * EVERY) == ([], False, [])


def test_ticks_begin_with_the_oldest_row_whichever_partition_comes_first():
    waiting = WaitingRows(EVERY)
    assert waiting.next_tick is None
    assert waiting.see(NOON + 5 * EVERY, NO_TIME)
    assert waiting.next_tick == NOON + 5 * EVERY
    assert waiting.see(NOON + 1, NO_TIME)
    place = waiting.add(NOON + 1, {"a": "x"}, 1.0)
    assert waiting.next_tick == NOON + EVERY
    again = WaitingRows(EVERY, stored=[place])
    assert again.next_tick == NOON + EVERY
    assert again.take(NOON + EVERY).rows == [({"a": "x"}, 1.0)]
    assert not again.see(NOON + EVERY, NOON)
    assert again.see(NOON + EVERY + 1, NOON)
    assert again.next_tick == NOON + 2 * EVERY


def test_what_is_past_when_the_first_row_comes_has_no_tick():
    waiting = WaitingRows(EVERY)
    assert not waiting.see(NOON + 1, NOON + 3 * EVERY + 1)
    assert waiting.next_tick == NOON + 4 * EVERY
    assert WaitingRows(EVERY, NOON + EVERY).next_tick == NOON + 2 * EVERY


@given(
    st.lists(
        st.tuples(st.integers(1, 5 * EVERY), st.sampled_from("abc"), st.floats()), max_size=30
    ),
    st.randoms(),
)  # fmt: skip
def test_the_order_of_rows_and_a_restart_change_nothing(rows, random):
    def run(rows, restarts):
        waiting, found, stored = WaitingRows(EVERY), [], {}
        for tick in range(EVERY, 6 * EVERY, EVERY):
            for time, label, value in rows:
                if tick - EVERY < time <= tick and (place := waiting.add(time, {"l": label}, value)):
                    stored[place] = True
            if restarts:
                waiting = WaitingRows(EVERY, tick - EVERY, stored)
            due = waiting.take(tick)
            for place in due.forgotten:
                del stored[place]
            found.append(sorted(map(str, due.rows)))
        return found

    shuffled = [*rows, *rows[:3]]
    random.shuffle(shuffled)
    assert run(rows, False) == run(shuffled, True)


class Running:
    """A rule as the operator runs it, its state kept as bytes."""

    def __init__(self, of):
        self.stored = {}
        self.origins = ""
        self.changes = []
        self.shown = {}
        self.written = []
        self.take_up(of)

    def take_up(self, of):
        state = GroupState(
            {one: alert_codec.decode(data) for one, data in self.stored.items()},
            {},
            group_codec.decode_origins(self.origins),
        )
        self.group = SqlGroup(
            "/sql/High",
            of,
            state,
            Alerts(external_url="http://x"),
            LANES,
            EvaluationContext(),
            Memory(),
            lambda: 0.0,
        )

    def tick(self, number, *rows, has_samples=True):
        ticked = self.group.tick(NOON + number * EVERY, rows, has_samples)
        for identity in ticked.outcome.states:
            found = self.group.state.states.get(identity)
            self.stored.pop(identity, None)
            if found:
                self.stored[identity] = alert_codec.encode(found)
        if ticked.are_new:
            self.origins = group_codec.encode_origins(self.group.state.origins)
        self.changes += [alert_messages.decode_triggered(one.payload) for one in ticked.triggered]
        self.shown |= {one.key.decode(): one.payload for one in ticked.state}
        self.written += ticked.batches
        return ticked

    @property
    def path(self):
        return [(one.after, -(-(one.tick - NOON) // EVERY)) for one in self.changes]


A, B = ({"instance": "a", "alertname": "High"}, 6.0), ({"instance": "b"}, 7.0)


def test_inactive_pending_firing_resolved():
    running = Running(rule())
    for number, rows in enumerate([(), (A,), (A, A), (A,), ()]):
        running.tick(number, *rows)
    assert running.path == [("pending", 1), ("firing", 2), ("resolved", 4)]
    firing = running.changes[1]
    assert firing.group == "/sql/High"
    assert firing.labels == {"alertname": "High", "instance": "a", "severity": "page"}
    assert firing.annotations == {"summary": "a at 6"}
    assert (firing.value, firing.interval_ms, firing.rule_set) == ("6e+00", EVERY, rule().version)
    assert firing.generator_url == "http://x/graph?g0.expr=errors%7Bjob%3D%22web%22%7D&g0.tab=1"
    assert parse_promql(parse_qs(urlsplit(firing.generator_url).query)["g0.expr"][0])
    assert json.loads(running.shown["/sql/High#"])["rules"][0]["health"] == "ok"
    assert running.shown["/sql/High#0"] is None
    assert running.written


def test_the_link_of_an_alert_leads_to_all_that_its_rule_reads():
    join = "SELECT a.ts AS ts, a.`value` FROM samples('errors') a JOIN samples('requests') b ON a.ts = b.ts"
    running = Running(rule(HEADER.replace("1m", "0s"), join))
    running.tick(0, A)
    link = parse_qs(urlsplit(running.changes[0].generator_url).query)
    assert (link["g0.expr"], link["g1.expr"]) == (["errors"], ["requests"])


def test_a_state_with_the_one_query_of_a_former_build_goes_on():
    join = "SELECT a.ts AS ts, a.`value` FROM samples('errors') a JOIN samples('requests') b ON a.ts = b.ts"
    running = Running(rule(HEADER.replace("1m", "0s"), join))
    running.tick(0, A)
    running.origins = running.origins.replace('"errors","requests"', '"errors or requests"')
    running.take_up(rule(HEADER.replace("1m", "0s"), join))
    running.tick(1, A)
    running.tick(2)
    assert running.path == [("firing", 0), ("resolved", 2)]
    assert "g1.expr=requests" in running.changes[-1].generator_url


def test_a_restart_changes_nothing():
    whole, cut = Running(rule()), Running(rule())
    for number, rows in enumerate([(A,), (A, B), (A, B), (B,), (), (A,)]):
        whole.tick(number, *rows)
        cut.take_up(rule())
        cut.tick(number, *rows)
    assert [one.id for one in whole.changes] == [one.id for one in cut.changes]
    assert len({one.id for one in whole.changes}) == len(whole.changes) == 7


def test_rows_that_contradict_each_other_are_an_error_that_resolves_nothing():
    running = Running(rule())
    running.tick(0, A)
    running.tick(1, A)
    ticked = running.tick(2, A, (A[0], 8.0))
    assert running.path == [("pending", 0), ("firing", 1), ("error", 2)]
    assert "two rows with the labels {'instance': 'a'}" in ticked.outcome.errors[0]
    assert running.changes[-1].detail == ticked.outcome.errors[0]
    running.tick(3, A)
    assert running.path[3:] == [("inactive", 3)]


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("ok", [("firing", 0), ("resolved", 1)]),
        ("keep", [("firing", 0), ("resolved", 3)]),
        ("alert", [("firing", 0), ("firing", 1), ("resolved", 3), ("resolved", 3)]),
    ],
)
def test_firing_no_data(word, path):
    running = Running(rule(f"-- name: High\n-- no_data: {word}\n"))
    running.tick(0, A)
    running.tick(1, has_samples=False)
    running.tick(2, has_samples=False)
    running.tick(3)
    assert running.path == path


def test_another_select_begins_anew_and_a_rule_that_is_gone_ends_its_alerts():
    running = Running(rule(HEADER.replace("1m", "0s")))
    running.tick(0, A)
    running.take_up(rule(HEADER.replace("1m", "0s"), SELECT + " WHERE `value` > 1"))
    running.tick(1, A)
    assert running.path == [("firing", 0), ("resolved", 1), ("firing", 1)]
    # by its tick a consumer knows which of the two holds
    assert running.changes[1].tick == running.changes[2].tick - 1
    running.take_up(None)
    running.tick(2)
    assert running.path[3:] == [("resolved", 2)]
    assert set(running.shown.values()) == {None}
    assert (running.stored, running.origins) == ({}, "{}")
