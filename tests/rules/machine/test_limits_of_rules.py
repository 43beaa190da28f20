"""Labels above the limits: the alert job, unit tests and backtests come to the same verdict, in the same words."""

import json

import pytest
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.rules.backtest.run import Backtest, Span
from streamgauge.rules.files.reader import parse
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import Evaluation, FromSource
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.machine.group_state import GroupState, Outcome, identities, origin_of
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.series.samples import STALE
from tests.support.limit_cases import LIMITS, labels_of

MINUTE, TICKS = 60_000, 6
RULES = """\
groups:
- name: g
  interval: 1m
  rules:
  - {alert: Hot, expr: 'm > 0', labels: {team: a}}
  - {alert: Told, expr: 'm > 0', labels: {copy: '{{ $labels.a }}'}, annotations: {text: '{{ $value }}'}}
  - {record: 'r:m', expr: m}
  - {record: 'r:twice', expr: 'r:m * 2', labels: {team: a}}
  - {alert: Written, expr: 'r:twice > 0'}
"""
SMALL = [{"__name__": "m", "instance": str(at)} for at in range(2)]
CASES = [
    {**labels_of(reason, size), "__name__": "m"}
    for reason, most in LIMITS.items()
    if reason != "metric_name_too_long"
    for size in (most - 1, most, most + 1, 10 * most)
]
CASES.append({"__name__": "m", "a": "x" * (LIMITS["label_value_too_long"] + 1)})


def rules():
    [group] = parse("rules.yml", RULES).rules.groups
    return group


def filled(large):
    """Series of six minutes, the large one only in the middle of them."""
    memory = Memory()
    for labels in SMALL:
        memory.load(labels, 0, MINUTE, [1.0] * TICKS)
    memory.load(large, 2 * MINUTE, MINUTE, [1.0, 1.0, STALE])
    return memory


def of_the_job(memory):
    """The errors and transitions of each rule by tick, as the alert job's own state machine gives them."""
    group = rules()
    names = identities(group, "f/g")
    state = GroupState()
    state.adopt({name: origin_of(rule) for name, rule in zip(names, group.rules, strict=True)}, 0)
    errors, changes = set(), []
    for tick in range(0, TICKS * MINUTE, MINUTE):
        memory.until, outcome = tick, Outcome()
        for name, rule in zip(names, compile_group(group).rules, strict=True):
            evaluation = Evaluation(FromSource(memory, EvaluationContext()), EvaluationContext(), tick)
            found = evaluation.observe(rule) if rule.is_alert else evaluation.record(rule)
            for point in state.take(name, rule, tick, found, outcome):
                memory.put(point.labels, tick, point.value)
        errors |= {
            (tick, rule.name, error) for rule, error in zip(group.rules, outcome.errors, strict=True) if error
        }
        changes += [change.transition for change in outcome.changes]
    return errors, changes


@pytest.mark.parametrize(
    "large", CASES, ids=lambda large: f"{len(large)} labels of {sum(map(len, large.values()))}"
)
def test_unit_tests_and_backtests_leave_out_what_the_alert_job_does(large):
    errors, changes = of_the_job(filled(large))
    memory, group = filled(large), compile_group(rules())
    run, found = GroupRun(group, memory, EvaluationContext()), set()
    for tick in range(0, TICKS * MINUTE, MINUTE):
        memory.until = tick
        found |= {(tick, *failure) for failure in run.tick(tick)}
    assert found == errors
    assert sorted(map(str, run.transitions)) == sorted(map(str, changes))
    memory = filled(large)
    memory.until = 1 << 60
    backtest = Backtest([group], memory, EvaluationContext(), Span(0, (TICKS - 1) * MINUTE))
    report = backtest.run()
    tried = [one for own in backtest.transitions.values() for one in own]
    assert sorted(map(str, tried)) == sorted(map(str, changes))
    assert {(one.began, one.rule, one.detail) for one in report.broken} <= errors
    assert sum(rule.failed for rule in report.rules) == len(errors)
    assert all(one.ended is not None for one in report.broken)


def test_what_is_left_out_fails_a_unit_test_in_the_words_of_the_job(tmp_path):
    value = "x" * (LIMITS["label_value_too_long"] + 1)
    test = {
        "rule_files": ["rules.yml"],
        "tests": [
            {
                "input_series": [
                    {"series": 'm{a="' + value + '"}', "values": "1"},
                    {"series": "m", "values": "1"},
                ]
            }
        ],
    }
    test["tests"][0]["promql_expr_test"] = [
        {"expr": "1", "eval_time": "0m", "exp_samples": [{"labels": "{}", "value": 1}]}
    ]
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "test.json").write_text(json.dumps(test))
    found = CliRunner().invoke(main, ["rules", "test", str(tmp_path / "test.json")])
    assert found.exit_code == 1
    text = " ".join(found.output.split())
    assert 'rule "Hot" at 0s' in text
    assert "1 of 2 series left out: label_value_too_long: label_value_length_limit exceeded" in text
