"""What `streamgauge rules costs` prints."""

import io
import json

from rich.console import Console

from schemas.alert_messages import RuleHealth
from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.rules.applied.board import GroupView, RuleView
from streamgauge.rules.machine import costs


def _groups():
    rules = [
        (Rule(RuleKind.ALERT, "Small", "up == 0"), RuleHealth("ok", "", 0.00125, 3, 1000)),
        (Rule(RuleKind.RECORD, "all:up", "sum(up)"), RuleHealth("err", "bad", 0.5, 0, 2_000_000)),
    ]
    views = [RuleView(rule, health, []) for rule, health in rules]
    return [GroupView("web/hosts", Group("hosts", [rule for rule, _ in rules]), None, views)]


def test_the_rule_that_looks_at_most_samples_comes_first():
    out = io.StringIO()
    costs.show(_groups(), as_json=False, console=Console(file=out, width=120))
    header, first, second = out.getvalue().splitlines()
    assert header.split("  ")[0] == "rule"
    assert first.split() == ["all:up", "web/hosts", "err", "500.00", "2,000,000", "32,000", "0"]
    assert second.split() == ["Small", "web/hosts", "ok", "1.25", "1,000", "16", "3"]


def test_it_is_json_too(capsys):
    costs.show(_groups(), as_json=True, console=Console())
    first, second = json.loads(capsys.readouterr().out)
    assert (first["rule"], first["bytes"], second["samples"]) == ("all:up", 32_000_000, 1000)


def test_without_rules_it_says_so():
    out = io.StringIO()
    costs.show([], as_json=False, console=Console(file=out))
    assert out.getvalue() == "no rules are applied\n"
