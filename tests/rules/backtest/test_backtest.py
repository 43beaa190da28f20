"""Backtests: the same as a group that ticks, and what they find."""

import json
import struct
from dataclasses import replace
from datetime import UTC
from io import StringIO
from textwrap import dedent

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from schemas.rule_files import SEVERITIES
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Level
from streamgauge.rules.backtest.command import Asked, run
from streamgauge.rules.backtest.dependencies import components, dependencies
from streamgauge.rules.backtest.run import Backtest, Span
from streamgauge.rules.backtest.show import show
from streamgauge.rules.files.reader import parse
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.rules.unit_tests.series_notation import labels, values

MINUTE = 60_000
LENGTH = 20
SURROUNDINGS = EvaluationContext({"region": "eu"}, "http://gauge")


def memory_of(series):
    memory = Memory()
    for name, text in series.items():
        memory.load(labels(name), 0, MINUTE, values(text))
    memory.until = 1 << 60
    return memory


def groups_of(text):
    read = parse("rules.yml", dedent(text))
    assert read.is_usable, [str(fault) for fault in read.faults]
    return [compile_group(group) for group in read.rules.groups]


def backtest(text, series, end=LENGTH * MINUTE, step=0):
    tried = Backtest(groups_of(text), memory_of(series), SURROUNDINGS, Span(0, end, step))
    return tried, tried.run()


def bits(transition):
    """Everything about it; NaN is the same as NaN."""
    alert = transition.alert
    value = struct.pack("d", alert.value) if alert else b""
    rest = replace(alert, value=0.0) if alert else None
    return replace(transition, alert=rest), value


def assert_same(text, series):
    tried, report = backtest(text, series)
    groups, memory = groups_of(text), memory_of(series)
    order = [at for component in dependencies(groups).components for at in component.groups]
    ticking = {at: GroupRun(groups[at], memory, SURROUNDINGS) for at in order}
    failures = set()
    for tick in range(0, LENGTH * MINUTE + 1, MINUTE):
        memory.until = tick
        for at in order:
            if tick % (groups[at].group.interval_ms or MINUTE) == 0:
                failures |= {(tick, *failure) for failure in ticking[at].tick(tick)}
    for at in order:
        found = [one for place, own in tried.transitions.items() if place.group == at for one in own]
        wanted = ticking[at].transitions
        assert sorted(map(bits, found), key=str) == sorted(map(bits, wanted), key=str)
    assert {(one.began, one.rule, one.detail) for one in report.broken} <= failures
    assert sum(rule.failed for rule in report.rules) == len(failures)


CONDITIONS = (
    "a > 3",
    "a",
    "a < 2",
    "b == 0",
    "a > on (host) b",
    "a > on (job) b",
    "sum by (job) (a) > 10",
    "a unless b > 1",
    "a and on (host) b > 1 or b > 8",
    "topk(1, a) > 2",
    "absent(c)",
    "rate(a[3m]) > 0.01",
    "r0 > 2",
    "r1 > 2",
    "sum(r0) + sum(r1) > 4",
    "avg_over_time(r0[4m]) > 3",
    'ALERTS{alertstate="firing"}',
    'ALERTS{alertname="A01"}',
    "count_over_time(ALERTS_FOR_STATE[3m]) > 2",
    "changes(b[5m]) > 1 or a < 0",
    "vector(1) > 2",
    "vector(time()) % 600 > 300",
    "max_over_time(a[5m:2m]) > 5",
    "a offset -2m > 3",
    "max(a @ end()) > 3",
    "a offset 1m > 3",
    'label_replace(a, "host", "x", "host", ".*")',
)
TEMPLATES = (
    "{{ $labels.host }} has {{ $value }}",
    '{{ range query "sum by (host) (a)" | sortByLabel "host" }}{{ .Labels.host }}={{ printf "%.2f" .Value }};{{ end }}',
    '{{ with query "max(r0)" }}{{ . | first | value }}{{ else }}none{{ end }}',
    "{{ $externalLabels.region }}{{ $externalURL }} {{- $labels.nope }}",
    "{{ .Nope }}",
)
minutes = st.integers(0, 5).map(lambda count: f"{count}m")


@st.composite
def alert(draw, name):
    rule = {"alert": name, "expr": draw(st.sampled_from(CONDITIONS))}
    for key in ("for", "keep_firing_for"):
        if draw(st.booleans()):
            rule[key] = draw(minutes)
    if draw(st.integers(0, 2)) == 0:
        rule["resolve"] = draw(st.sampled_from(["a < 2", "sum by (job) (a) < 5", "b > on (job) a"]))
    if draw(st.integers(0, 2)) == 0:
        rule["no_data"] = draw(st.sampled_from(["ok", "keep", "alert"]))
    if draw(st.integers(0, 2)) == 0:
        rule["labels"] = draw(
            st.sampled_from([{"team": "t{{ $labels.job }}", "host": ""}, {"v": "{{ $value }}"}])
        )
    rule["annotations"] = {
        f"n{at}": text for at, text in enumerate(draw(st.lists(st.sampled_from(TEMPLATES))))
    }
    return rule


@st.composite
def rule_files(draw):
    groups = []
    for number in range(draw(st.integers(1, 3))):
        rules = [draw(alert(f"A{number}{at}")) for at in range(draw(st.integers(1, 3)))]
        if draw(st.booleans()):
            expression = draw(
                st.sampled_from(["a * 2", "sum by (job) (a)", "a > 2", "r0 + 1", "a > on (job) b"])
            )
            record = {"record": f"r{number}", "expr": expression}
            if draw(st.integers(0, 2)) == 0:
                record["labels"] = {"team": "x", "host": ""}
            rules.insert(draw(st.integers(0, len(rules))), record)
        group = {"name": f"g{number}", "rules": rules}
        for key, found in {"interval": "2m", "limit": 1, "query_offset": "1m"}.items():
            if draw(st.integers(0, 3)) == 0:
                group[key] = found
        groups.append(group)
    return {"groups": groups}


runs = st.sampled_from(["_", "stale", "_x2", "_x7", "NaN", "0x3", "4x2", "-2+1x9", "9-2x4", "1", "5x5"])
input_series = st.dictionaries(
    st.sampled_from([f'{name}{{host="h{host}", job="j{host % 2}"}}' for name in "ab" for host in range(3)]),
    st.lists(runs, min_size=1, max_size=8).map(" ".join),
)


@settings(max_examples=25)
@given(rule_files(), input_series)
def test_a_backtest_is_the_same_as_ticking(rules, series):

    assert_same(yaml.safe_dump(rules), series)


RULES = """
groups:
  - name: hosts
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 2m
        annotations: {summary: '{{ $labels.instance }} of {{ query "job:up:sum" | first | value }} up'}
      - alert: Cold
        expr: temperature < 5
"""
SERIES = {
    'up{instance="a", job="j"}': "1 0x3 1x9",
    'up{instance="b", job="j"}': "1x4 0 1x8",
    "temperature": "9 4 2 3 7",
}


def test_an_alert_has_its_times_its_peak_and_its_texts():
    _, report = backtest(RULES, SERIES, 12 * MINUTE)
    down, cold = sorted(report.fired, key=lambda one: one.rule, reverse=True)
    assert (down.pending, down.fired, down.ended) == (MINUTE, 3 * MINUTE, 5 * MINUTE)
    assert dict(down.annotations) == {"summary": "a of 1 up"}
    assert (cold.fired, cold.ended, cold.peak) == (MINUTE, 4 * MINUTE, 2)
    assert [(rule.fired, rule.pending, rule.evaluations) for rule in report.rules] == [
        (0, 0, 13),
        (1, 1, 13),
        (1, 0, 13),
    ]


def test_all_ticks_are_one_query_for_each_expression():
    _, report = backtest(RULES, SERIES, 12 * MINUTE)
    assert (report.evaluations, report.queries) == (39, 3)


def test_a_failing_evaluation_is_shown_and_resolves_nothing():
    rules = "groups: [{name: g, rules: [{alert: A, expr: a > on () b}]}]"
    series = {'a{x="1"}': "5x10", "b": "1x10", 'b{x="2"}': "_x4 1x2 stale"}
    tried, report = backtest(rules, series, 10 * MINUTE)
    [alert], [broken] = report.fired, report.broken
    assert (alert.fired, alert.ended) == (0, None)
    assert (broken.began, broken.ended, broken.ticks) == (4 * MINUTE, 7 * MINUTE, 3)
    assert broken.detail.startswith("found duplicate series for the match group")
    assert len(tried.transitions[0, 0]) == 3


def test_what_was_recorded_in_the_past_gives_way_from_the_start_on():
    rules = (
        "groups: [{name: g, rules: [{record: r, expr: a * 2}, {alert: A, expr: 'sum_over_time(r[4m]) > 0'}]}]"
    )
    tried = Backtest(
        groups_of(rules), memory_of({"a": "1x20", "r": "100x20"}), SURROUNDINGS, Span(5 * MINUTE, 8 * MINUTE)
    )
    [alert] = tried.run().raised
    assert alert.peak == 302


def test_a_step_takes_the_place_of_the_intervals():
    _, report = backtest(RULES, SERIES, 12 * MINUTE, step=4 * MINUTE)
    assert {rule.evaluations for rule in report.rules} == {4}


def test_groups_come_after_those_that_they_read_from():
    text = """
    groups:
      - {name: late, rules: [{alert: A, expr: x > 1}]}
      - {name: self, rules: [{record: y, expr: y + 1}]}
      - {name: one, rules: [{record: v, expr: w}]}
      - {name: two, rules: [{record: w, expr: v}]}
      - {name: early, rules: [{record: x, expr: a}, {alert: B, expr: 'ALERTS{alertname="A"}'}]}
    """
    found = dependencies(groups_of(text))
    assert found.components == [((0, 4), True), ((1,), True), ((2, 3), True)]
    assert found.read == {"x", "y", "v", "w", "ALERTS"}


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7)), max_size=8))
def test_components_are_what_reaches_each_other_and_come_after_what_they_reach(edges):
    edges = {node: edges.get(node, set()) for node in range(8)}
    reach = {node: {node} for node in edges}
    for _ in edges:
        for node, targets in edges.items():
            reach[node] |= targets.union(*(reach[target] for target in targets))
    found = components(edges)
    assert sorted(node for part in found for node in part) == list(range(8))
    place = {node: at for at, part in enumerate(found) for node in part}
    for node in edges:
        for other in reach[node]:
            assert place[other] <= place[node]
            assert (place[other] == place[node]) == (node in reach[other])


def shown(report, width=110):
    console = Console(width=width, file=StringIO(), highlight=False)
    show(console, report, 0.25, UTC)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_alerts_are_shown_as_a_table_a_timeline_and_counts():
    _, report = backtest(RULES, SERIES, 12 * MINUTE)
    lines = shown(report)
    assert lines[:3] == [
        "rule  labels                   pending since   firing from     to              duration  peak",
        "Cold  {}                       01-01 00:01:00  01-01 00:01:00  01-01 00:04:00        3m     2",
        'Down  {instance="a", job="j"}  01-01 00:01:00  01-01 00:03:00  01-01 00:05:00        2m     0',
    ]
    marks = {line.split(" ")[0]: line.split(" ")[-1] for line in lines[4:6]}
    assert {name: "".join(dict.fromkeys(row)) for name, row in marks.items()} == {"Cold": "·█", "Down": "·░█"}
    assert marks["Cold"].index("█") == marks["Down"].index("░") < marks["Down"].index("█")
    assert len(set(map(len, lines[4:6]))) == 1
    assert lines[6].split() == ["01-01", "00:00:00", "01-01", "00:12:00"]
    assert lines[-2].split() == ["hosts", "Cold", "13", "0", "1", "0"]
    assert lines[-1] == "2 alerts; 39 evaluations of 3 rules over 12m in 0.2 s"


def test_an_error_is_shown_with_its_times():
    _, report = backtest(
        "groups: [{name: g, rules: [{alert: A, expr: a > on () b}]}]",
        {"a": "5x3", 'b{x="1"}': "1", "b": "1 stale"},
    )
    [line] = [line for line in shown(report, 400) if line.startswith("error: ")]
    assert line.startswith("error: g, A: found duplicate series")
    assert line.endswith("(01-01 00:00:00 to 01-01 00:01:00, 1 evaluation)")


class Rolled(Memory):
    """Samples that are kept since a time, and rollups that nobody may read before."""

    def __init__(self, kept):
        super().__init__()
        self.levels = [Level(0, kept), Level(MINUTE, -1 << 60)]
        self.until = 1 << 60

    def rollups(self, *_):
        raise InvalidQuery(QueryFault.NOT_SUPPORTED, "rollups")


@pytest.mark.parametrize(("kept", "errors"), [(-1 << 60, []), (30 * MINUTE, ["rollups"])])
def test_samples_are_read_where_they_are_kept_as_a_running_rule_would(kept, errors):
    text = "groups: [{name: g, interval: 10m, rules: [{alert: A, expr: a > 1}]}]"
    report = Backtest(groups_of(text), Rolled(kept), SURROUNDINGS, Span(0, 20 * MINUTE)).run()
    assert [one.detail for one in report.broken] == errors


def test_the_command_prints_json_and_fails_on_alerts_if_it_shall(tmp_path, capsys):
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    asked = Asked([file], Span(0, 12 * MINUTE), as_json=True)
    clock = iter([1.0, 3.5] * 3).__next__
    assert run(asked, SEVERITIES, lambda _: memory_of(SERIES), SURROUNDINGS, clock, UTC) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seconds"], found["evaluations"], found["errors"]) == (2.5, 39, [])
    assert [(one["rule"], one["firingFrom"], one["to"]) for one in found["alerts"] if one["firingFrom"]] == [
        ("Cold", MINUTE, 4 * MINUTE),
        ("Down", 3 * MINUTE, 5 * MINUTE),
    ]
    fatal = replace(asked, fail_on_alert=True)
    assert run(fatal, SEVERITIES, lambda _: memory_of(SERIES), SURROUNDINGS, clock, UTC) == 1
    assert run(fatal, SEVERITIES, lambda _: memory_of({}), SURROUNDINGS, clock, UTC) == 0
    file.write_text(RULES.replace("up == 0", "up =="))
    assert run(asked, SEVERITIES, lambda _: memory_of(SERIES), SURROUNDINGS, clock, UTC) == 1
    assert "error: " in capsys.readouterr().err


def test_what_is_recorded_for_earlier_times_is_seen_from_the_tick_that_records_it():
    rules = """\
        groups:
        - name: early
          query_offset: 1m
          rules:
          - {record: r, expr: a * 2}
          - {alert: A, expr: a > 3, for: 1m}
        - name: reader
          rules:
          - {alert: Fires, expr: 'ALERTS{alertname="A", alertstate="firing"}'}
          - alert: Asks
            expr: a > 1
            annotations: {n: '{{ with query "max(r)" }}{{ . | first | value }}{{ else }}none{{ end }}'}
        """
    assert_same(rules, {'a{host="h"}': "1 4 5 6 2 4 7 1"})
