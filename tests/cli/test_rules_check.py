"""`streamgauge rules check`: what it prints, and its exit codes."""

import pytest
from click.testing import CliRunner

from streamgauge.cli import main

GOOD = "groups: [{name: g, rules: [{alert: A, expr: up, labels: {severity: page}}]}]"
TWICE = "groups: [{name: g, rules: [{record: a, expr: up}, {record: a, expr: down}]}]"


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*texts: str, options=(), stdin=None):
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.yml").write_text(text)
        arguments = ["rules", "check", *options, *(f"{number}.yml" for number in range(len(texts)))]
        result = CliRunner().invoke(main, arguments, input=stdin)
        return result.exit_code, result.output.splitlines()

    return run


def test_good_files(check):
    assert check(GOOD, "") == (0, ["0.yml: 1 rule in 1 group", "1.yml: 0 rules in 0 groups"])


def test_every_fault_of_every_file_is_printed(check):
    code, lines = check(GOOD.replace("up,", "up(,"), "groups: 3\nextra: 1", GOOD)
    assert code == 1
    assert lines == [
        '0.yml:1:48: error: group "g", rule 1, "A": expr: unclosed left parenthesis',
        "0.yml: 1 error",
        '1.yml:1:9: error: groups: expected a list, found "3"',
        '1.yml:2:1: error: the file: unknown key "extra"',
        "1.yml: 2 errors",
        "2.yml: 1 rule in 1 group",
    ]


def test_lint_is_an_error_only_if_it_shall_be(check):
    code, lines = check(TWICE)
    assert (code, lines[-1]) == (0, "0.yml: 2 rules in 1 group")
    assert lines[0].startswith('0.yml:1:51: lint: "a" with the same labels stands in line 1 already')
    assert check(TWICE, options=["--lint-fatal"])[0] == 3
    assert check(TWICE, GOOD.replace("up,", "up(,"), options=["--lint-fatal"])[0] == 1


def test_without_files_standard_input_is_read(check):
    assert check(stdin=GOOD) == (0, ["<stdin>: 1 rule in 1 group"])


def test_severities_are_those_of_the_configuration(check, tmp_path):
    odd = GOOD.replace("page", "odd")
    assert check(odd)[0] == 1
    (tmp_path / "streamgauge.yml").write_text("rules: {severities: [odd, even]}")
    assert check(odd)[0] == 0
    assert check(GOOD)[0] == 1
