"""Files of unit tests: what they may say, what is wrong with them, and what is not as they expect."""

from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.rules.unit_tests.difference import lines
from streamgauge.rules.unit_tests.file import read
from streamgauge.rules.unit_tests.runner import Item, Mismatch

RULES = """\
groups:
- name: first
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - record: team:up
    expr: job:up:sum * 2
    labels: {team: infra}
- name: alerts
  labels: {severity: page}
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {where: '{{ $labels.instance | stripPort }}'}
    annotations:
      summary: '{{ $labels.instance }} is {{ if eq $value 0.0 }}down{{ end }} in {{ $externalLabels.region }}'
      all: '{{ with query "count(up)" }}{{ . | first | value }}{{ end }}'
  - alert: Cold
    expr: temperature < 5
    resolve: temperature > 8
  - alert: Silent
    expr: probe > 1
    no_data: keep
"""
TEST = """\
rule_files: [rules*.yml]
evaluation_interval: 1m
tests:
- name: down
  interval: 1m
  external_labels: {region: eu}
  input_series:
  - series: up{job="a", instance="h:1"}
    values: 1 0x9
  - series: up{job="a", instance="h:2"}
    values: 1x9 stale
  promql_expr_test:
  - expr: team:up
    eval_time: 5m
    exp_samples:
    - labels: team:up{job="a", team="infra"}
      value: 2
  - expr: ALERTS
    eval_time: 2m
    exp_samples:
    - labels: ALERTS{alertname="Down", alertstate="pending", job="a", instance="h:1", severity="page", where="h"}
      value: 1
  - expr: ALERTS_FOR_STATE
    eval_time: 4m
    exp_samples:
    - {labels: 'ALERTS_FOR_STATE{alertname="Down", job="a", instance="h:1", severity="page", where="h"}', value: 60}
  alert_rule_test:
  - {eval_time: 2m, alertname: Down}
  - eval_time: 3m30s
    alertname: Down
    exp_alerts:
    - exp_labels: {job: a, instance: 'h:1', severity: page, where: h}
      exp_annotations: {summary: 'h:1 is down in eu', all: '2'}
- name: hysteresis
  input_series:
  - {series: 'temperature', values: '9 4 6 7 9 6'}
  alert_rule_test:
  - {eval_time: 3m, alertname: Cold, exp_alerts: [{exp_labels: {severity: page}}]}
  - {eval_time: 4m, alertname: Cold}
  - {eval_time: 5m, alertname: Cold}
- name: no data
  input_series:
  - {series: 'probe{x="a"}', values: '2 stale _ _ 0'}
  alert_rule_test:
  - {eval_time: 3m, alertname: Silent, exp_alerts: [{exp_labels: {severity: page, x: a}}]}
  - {eval_time: 4m, alertname: Silent}
"""


def run(folder: Path, test: str, rules: str = RULES, *options: str):
    (folder / "rules.yml").write_text(rules)
    (folder / "test.yml").write_text(test)
    result = CliRunner().invoke(main, ["rules", "test", str(folder / "test.yml"), *options])
    return result.exit_code, result.output.replace(f"{folder}/", "")


def test_a_file_whose_expectations_hold(tmp_path):
    assert run(tmp_path, TEST) == (0, "test.yml: 3 tests passed\n")
    assert run(tmp_path, TEST, RULES, "--run", "^hyst") == (0, "test.yml: 1 test passed\n")


def test_what_is_not_as_expected_is_shown_as_a_difference(tmp_path):
    broken = (
        TEST.replace("value: 2", "value: 3")
        .replace("down in eu", "down in us")
        .replace("eval_time: 2m, alertname: Down", "eval_time: 3m, alertname: Down")
        .replace("{eval_time: 4m, alertname: Cold}", "{eval_time: 4m, alertname: Cold, exp_alerts: [{}]}")
    )
    assert run(tmp_path, broken) == (
        1,
        dedent("""\
            test.yml: down: alert "Down" at 3m
              + {alertname="Down", instance="h:1", job="a", severity="page", where="h"}
              +     all: 2
              +     summary: h:1 is down in eu
                nothing was expected
            test.yml: down: alert "Down" at 3m30s
              ~ {alertname="Down", instance="h:1", job="a", severity="page", where="h"}
              -     summary: h:1 is down in us
              +     summary: h:1 is down in eu
            test.yml: down: `team:up` at 5m
              ~ team:up{job="a", team="infra"}
              -     value: 3
              +     value: 2
            test.yml: hysteresis: alert "Cold" at 4m
              - {alertname="Cold"}
                nothing came
            test.yml: FAILED, 4 expectations not met
            """),
    )


def test_a_rule_that_cannot_be_evaluated_ends_its_test(tmp_path):
    rules = "groups: [{name: g, rules: [{record: a, expr: 'up * on () up'}]}]"
    code, output = run(tmp_path, TEST, rules)
    assert code == 1
    assert output.startswith('test.yml: down: rule "a" at 0s\n  + found duplicate series')


def test_a_rule_or_test_file_with_faults_is_refused_with_their_places(tmp_path):
    code, output = run(tmp_path, TEST, RULES.replace("up == 0", "up =="))
    assert (code, output.splitlines()[0]) == (
        1,
        'rules.yml:13:16: error: group "alerts", rule 1, "Down": expr: unexpected end of input',
    )


def test_a_pattern_that_matches_nothing_is_no_error(tmp_path):
    code, output = run(tmp_path, "rule_files: [none/*.yml]\ntests: []")
    assert (code, output) == (0, "no file matches none/*.yml\ntest.yml: 0 tests passed\n")


def test_all_faults_of_a_test_file_are_reported_in_one_run(tmp_path):
    (tmp_path / "t.yml").write_text(
        dedent("""\
            evaluation_interval: 1x
            group_eval_order: [a, a]
            fuzzy_compare: perhaps
            tests:
            - interval: 1m
              start_timestamp: yesterday
              input_series:
              - series: up{job=~"a"}
                values: '1 2 x'
              - {serie: up}
              alert_rule_test:
              - eval_time: 1m
              promql_expr_test:
              - expr: up
                exp_samples:
                - {labels: 'up{', value: '1'}
                - {histogram: '{{}}'}
            """)
    )
    _, found = read(tmp_path / "t.yml")
    assert [str(fault).split("t.yml:")[1] for fault in found] == [
        '1:22: the file: evaluation_interval: unknown unit "x" in duration "1x"',
        '2:23: group_eval_order: group "a" is listed twice',
        '3:16: fuzzy_compare: "perhaps" is neither true nor false',
        '6:20: test 1: start_timestamp: "yesterday" is neither RFC 3339 nor Unix seconds',
        "8:13: test 1: input_series: series: a series has its labels after =, not =~",
        '9:18: test 1: input_series: values: "x" is not a value of a series: expected a number, _, stale, or runs '
        "such as 0+1x5",
        '10:6: test 1: input_series: unknown key "serie", did you mean "series"?',
        '12:5: test 1: alert_rule_test: "alertname" is missing',
        "16:20: test 1: promql_expr_test: labels: unexpected end of input inside braces",
        '16:30: test 1: promql_expr_test: value: "1" is not a number',
        "17:8: test 1: promql_expr_test: exp_samples: native histograms are not supported",
    ]


@pytest.mark.parametrize(
    "start", ["1704067200", "2024-01-01T00:00:00Z", "'2024-01-01T01:00:00+01:00'", "1704067200.0"]
)
def test_time_may_start_elsewhere(tmp_path, start):
    test = f"""\
tests:
- start_timestamp: {start}
  input_series: [{{series: m, values: 1+1x5}}]
  promql_expr_test:
  - {{expr: timestamp(m), eval_time: 5m, exp_samples: [{{value: 1704067500}}]}}
"""
    assert run(tmp_path, test)[0] == 0


def test_fuzzy_compare_lets_the_next_number_pass(tmp_path):
    test = """\
tests:
- input_series: [{series: m, values: 2.9999999999999996}]
  promql_expr_test: [{expr: m, exp_samples: [{labels: m, value: 3}]}]
"""
    assert run(tmp_path, test)[0] == 1
    assert run(tmp_path, f"fuzzy_compare: true\n{test}")[0] == 0


def item(value, **labels) -> Item:
    return Item(tuple(sorted(labels.items())), value=value)


def test_a_difference_pairs_what_is_most_alike():
    expected = [
        item(1.0, __name__="a", x="1", y="1"),
        item(2.0, __name__="a", x="2", y="2"),
        item(3.0, __name__="a"),
    ]
    found = [item(2.0, __name__="a", x="2", y="3"), item(3.0, __name__="a"), item(5.0, __name__="b")]
    assert [f"{mark} {text}" for mark, text in lines(Mismatch("t", "a", 0, expected, found))] == [
        '~ a{x="2"}',
        "-     y: 2",
        "+     y: 3",
        '- a{x="1", y="1"} 1',
        "+ b 5",
        "  as expected: 1 more",
    ]


def test_a_difference_shows_space_that_nobody_would_see():
    expected = [Item((("alertname", "A"),), (("text", "a\nb"),))]
    found = [Item((("alertname", "A"),), (("text", "a \nb\n"),))]
    assert [f"{mark} {text}" for mark, text in lines(Mismatch("t", "a", 0, expected, found))] == [
        '~ {alertname="A"}',
        "-     text: a",
        "-           b",
        '+     text: "a \\nb\\n"',
    ]


def test_a_rule_that_finds_no_data_raises_an_alert_if_it_is_told_to(tmp_path):
    rules = """\
groups:
- name: g
  rules:
  - alert: Probe
    expr: probe > 5
    for: 1m
    no_data: alert
    labels: {severity: page, from: '{{ $labels.x }}'}
    annotations: {summary: 'is {{ $value }}'}
"""
    test = """\
rule_files: [rules.yml]
tests:
- input_series:
  - {series: 'probe{x="a"}', values: '_ _ 1 1 9 9 stale'}
  alert_rule_test:
  - {eval_time: 0m, alertname: Probe}
  - eval_time: 1m
    alertname: Probe
    exp_alerts: [{exp_labels: {severity: page}, exp_annotations: {summary: is NaN}}]
  - {eval_time: 2m, alertname: Probe}
  - {eval_time: 4m, alertname: Probe}
  - eval_time: 5m
    alertname: Probe
    exp_alerts: [{exp_labels: {severity: page, x: a, from: a}, exp_annotations: {summary: is 9}}]
  - eval_time: 7m
    alertname: Probe
    exp_alerts:
    - {exp_labels: {severity: page, x: a, from: a}, exp_annotations: {summary: is 9}}
    - {exp_labels: {severity: page}, exp_annotations: {summary: is NaN}}
"""
    assert run(tmp_path, test, rules) == (0, "test.yml: 1 test passed\n")


def test_an_alert_about_absence_resolves_whatever_no_data_says(tmp_path):
    rules = "groups: [{name: g, rules: [{alert: Gone, expr: absent(up), no_data: %s}]}]"
    test = """\
rule_files: [rules.yml]
tests:
- input_series: [{series: up, values: '_ 1 1'}]
  alert_rule_test:
  - {eval_time: 0m, alertname: Gone, exp_alerts: [{}]}
  - {eval_time: 1m, alertname: Gone}
"""
    for word in ("ok", "keep", "alert"):
        assert run(tmp_path, test, rules % word)[0] == 0
