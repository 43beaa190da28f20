"""The rules of the system about itself."""

from pathlib import Path

from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.rules.files.reader import read

RULES = Path(__file__).parents[3] / "rules"


def test_the_rules_are_without_fault():
    result = CliRunner().invoke(main, ["rules", "check", "--lint-fatal", str(RULES / "self.yml")])
    assert (result.exit_code, result.output) == (0, f"{RULES / 'self.yml'}: 10 rules in 3 groups\n")


def test_each_rule_fires_above_its_threshold_and_not_below():
    result = CliRunner().invoke(main, ["rules", "test", str(RULES / "self_test.yml")])
    assert result.exit_code == 0, result.output
    tested = (RULES / "self_test.yml").read_text()
    for group in read(RULES / "self.yml").rules.groups:
        for rule in group.rules:
            assert rule.name in tested


def test_each_rule_says_how_bad_it_is_and_what_to_do():
    for group in read(RULES / "self.yml").rules.groups:
        for rule in group.rules:
            assert rule.labels["severity"] in ("critical", "warning", "info")
            assert {"summary", "description"} <= rule.annotations.keys()
