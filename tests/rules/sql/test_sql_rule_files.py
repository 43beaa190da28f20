"""Rules in SQL, read: headers, statements, and every fault with its place."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.rule_files import NoData
from streamgauge.cli import main
from streamgauge.promql.syntax.parser import selector
from streamgauge.rules.sql.reader import parse, read_folder
from streamgauge.rules.sql.rule import distinct

GOOD = """\
-- name: HighErrors
-- for: 1m
-- severity: critical
-- labels: {team: web}
-- annotations:
--   summary: "{{ $labels.instance }} has {{ $value | humanize }} errors a second"
SELECT labels['instance'] AS instance, AVG(`value`) AS `value`
FROM TABLE(TUMBLE(TABLE samples('http_errors', 'job="web"'), DESCRIPTOR(ts), INTERVAL '5' MINUTE))
GROUP BY window_start, window_end, window_time, labels['instance'] HAVING AVG(`value`) > 5;
"""


def rule(text):
    found = parse("a.sql", text, ("critical", "page"))
    assert not found.faults
    return found.rule


def faults(text):
    found = parse("a.sql", text, ("critical", "page"))
    assert found.rule is None
    return [str(fault) for fault in found.faults]


def plain(select):
    return f"-- name: A\n{select}"


def test_a_file():
    found = rule(GOOD)
    assert (found.rule.name, found.rule.hold_ms, found.key) == ("HighErrors", 60_000, "/sql/HighErrors")
    assert found.rule.labels == {"team": "web", "severity": "critical"}
    assert found.rule.annotations["summary"].startswith("{{ $labels.instance }} has")
    assert found.rule.expr.startswith("SELECT labels")
    assert found.statement.queries == ('http_errors{job="web"}',)
    assert found.statement.labels == ["instance"]
    assert found.statement.calls[0].matchers == selector('http_errors{job="web"}')


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_a_line_of_a_header_ends_at_a_line_feed_only(end):
    found = parse("a.sql", GOOD.replace("errors a second", f"errors{end}a second"), ("critical", "page"))
    # YAML may refuse the character, at its place in the header; the statement is read as before
    if not found.faults:
        assert found.rule.rule.expr == rule(GOOD).rule.expr
    assert not any("name" in str(fault) for fault in found.faults)


def test_all_keys_of_a_header():
    found = rule(
        "-- name: A\n-- keep_firing_for: 5m\n-- every: 30s\n-- no_data: keep\n"
        "SELECT `value` FROM samples('up')\n"
    )
    assert (found.rule.keep_firing_ms, found.every_ms, found.rule.no_data) == (300_000, 30_000, NoData.KEEP)


@pytest.mark.parametrize(
    ("select", "every_ms"),
    [
        ("SELECT `value` FROM samples('up')", 60_000),
        (
            "SELECT window_time, 1 AS `value`"
            " FROM TABLE(TUMBLE(TABLE samples('a'), DESCRIPTOR(ts), INTERVAL '2' HOURS))",
            7_200_000,
        ),
        (
            "SELECT window_time, 1 AS `value` FROM TABLE(HOP(TABLE samples('a'), DESCRIPTOR(ts), INTERVAL '15' SECOND,"
            " INTERVAL '5' MINUTE))",
            15_000,
        ),
    ],
)  # fmt: skip
def test_ticks_are_as_far_apart_as_windows(select, every_ms):
    assert rule(plain(select)).every_ms == every_ms


def test_the_text_stays_but_for_samples_and_the_time():
    text = rule(GOOD).statement.with_views(lambda _: "samples_0")
    assert [len(line) for line in text.splitlines()[7:]] == [len(line) for line in GOOD.splitlines()[7:]]
    assert (
        text.splitlines()[6] == "SELECT window_time, labels['instance'] AS instance, AVG(`value`) AS `value`"
    )
    assert "TABLE samples_0   " in text
    assert ";" not in text
    assert text.splitlines()[:6] == GOOD.splitlines()[:6]


def test_a_call_over_several_lines_keeps_the_lines():
    text = plain("SELECT ts, `value` FROM samples(\n  'a'\n)\nWHERE `value` > 1")
    found = rule(text).statement.with_views(lambda _: "samples_10")
    assert found.splitlines()[4] == "WHERE `value` > 1"


@pytest.mark.parametrize(
    ("select", "time", "labels"),
    [
        ("SELECT `value`, labels['a'] AS a FROM samples('up')", "ts", ["a"]),
        ("SELECT s.ts, s.`value`, s.labels['a'] a FROM samples('up') AS s", "ts", ["a"]),
        (
            "SELECT DISTINCT window_time, window_start, 'x' AS `a``b`, 1 AS `value`"
            " FROM TABLE(TUMBLE(TABLE samples('up'), DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
            "window_time",
            ["a`b"],
        ),
        (
            "WITH w AS (SELECT ts AS window_time, `value` FROM samples('up')) SELECT `value`, 'x' AS `from` FROM w",
            "window_time",
            ["from"],
        ),
    ],
)  # fmt: skip
def test_columns(select, time, labels):
    found = rule(plain(select)).statement
    assert (found.time, found.labels) == (time, labels)


def test_the_time_is_put_into_every_branch_of_a_union():
    text = plain("SELECT ALL `value` FROM samples('a') UNION ALL SELECT `value` FROM samples('b')")
    found = rule(text).statement
    assert found.with_views(lambda call: call.selector).endswith("FROM b           ")
    assert found.with_views(lambda _: "x").count("SELECT ALL ts, `value`") == 1
    assert found.with_views(lambda _: "x").count("SELECT ts, `value`") == 1
    assert rule(text).statement.queries == ("a", "b")


def test_what_stands_in_strings_and_comments_is_not_looked_at():
    select = "SELECT `value`, 'value; SELECT' AS a -- samples(\nFROM /* value ( */ samples('up')"
    assert len(rule(plain(select)).statement.calls) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("for: 1m", "fro: 1m", ['2:4: the header: unknown key "fro", did you mean "for"?']),
        ("1m", "1", ['2:9: "HighErrors": for: not a valid duration string: "1"']),
        (
            "severity: critical",
            "severity: bad",
            ['3:14: "HighErrors": severity "bad" is not one of critical, page, which rules.severities lists'],
        ),
        ("{team: web}", "{severity: page}", ['3:4: "HighErrors": severity: already set among the labels']),
        ("{team: web}", "{__name__: web}", ['4:13: "HighErrors": labels: invalid label name "__name__"']),
        ("{team: web}", "[team", ["5:15: not YAML: did not find expected ',' or ']' while parsing a flow sequence"]),
        ("-- for: 1m", "-- no_data: no", ['2:13: "HighErrors": no_data: "no" is not one of ok, keep, alert']),
        ("-- for: 1m", "-- every: 1ms", ['2:11: "HighErrors": every: less than 1s']),
        ("-- for: 1m", "-- every: 1m", ['2:11: "HighErrors": every: less than the 5m between windows']),
        ("| humanize", "| humanise", ['6:55: "HighErrors": annotations: summary: function "humanise" not defined']),
        ("-- name: HighErrors", "-- # none", ["2:4: the header: a rule needs a name"]),
        ("HighErrors", '""', ["1:10: the header: a rule needs a name"]),
        ('job="web"', "job=web", ['8:53: samples: unexpected identifier "web" in label matching, expected string']),
        ("http_errors", "http errors", ['8:39: samples: unexpected identifier "errors"']),
        ("'job=\"web\"'", "3", ["8:25: samples takes a metric and matchers: samples('metric', 'job="]),
        ("samples('http_errors', 'job=\"web\"')", "x", ["7:1: the rule reads no samples: use SELECT ..."]),
        (" AS `value`", "", ["7:40: a column without a name: give it one with AS"]),
        ("AS `value`", "AS v", ["7:1: no column `value`, the value of the alert"]),
        ("AVG(`value`) AS `value`", "instance, 1 `value`", ['7:40: duplicate column "instance"']),
        ("AVG(`value`) AS `value`", "*", ["7:40: name the columns: each one except `value` is a label of the alert"]),
        ("AS `value`", "AS value", ["7:56: value is a keyword of SQL: write `value`"]),
        ("window_end, window_time", "window_end", ["9:1: the rows have no time: add window_time"]),
        ("AVG(`value`) AS", "AVG(`value` AS", ['7:43: "(" is not closed']),
        ("labels['instance'] AS", "labels['instance') AS", ['7:25: ")" has no opening counterpart']),
        ("> 5;", "> 5; SELECT 1", ["9:92: a file must be one SELECT, without a second statement"]),
        ("SELECT", "INSERT INTO x SELECT", ["7:1: a rule must be one SELECT"]),
        ("`value`) > 5", "`value) > 5", ["9:79: a quoted name is not closed"]),
        ("> 5", "> 5 /* ", ["9:92: a comment is not closed"]),
    ],
)  # fmt: skip
def test_a_fault_has_its_place(old, new, expected):
    found = faults(GOOD.replace(old, new, 1))
    assert len(found) == len(expected)
    for one, start in zip(found, expected, strict=True):
        assert one.startswith(f"a.sql:{start}")


def test_every_fault_is_reported():
    found = faults(GOOD.replace("1m", "1").replace("critical", "bad").replace("AS instance", ""))
    assert [one.split(":")[1] for one in found] == ["2", "3", "7"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: a rule must be one SELECT"]),
        ("SELECT `value` FROM samples('a')", ['1:1: no header: the file must begin with "-- name: ..."']),
        ("-- just words\nSELECT `value` FROM samples('a')", ['1:4: the header: expected a mapping, found "just']),
        ("-- name: A\nWITH x AS (SELECT 1)", ["2:1: the rule reads no samples"]),
    ],
)  # fmt: skip
def test_files_that_are_no_rule(text, expected):
    found = faults(text)
    assert len(found) == len(expected)
    for one, start in zip(found, expected, strict=True):
        assert one.startswith(f"a.sql:{start}")


def test_a_folder(tmp_path):
    assert [str(one) for one in read_folder(tmp_path / "x")[1]] == [f"{tmp_path / 'x'}:1:1: no such folder"]
    assert str(read_folder(tmp_path)[1][0]).endswith("no file that ends in .sql")
    (tmp_path / "a.sql").write_text(GOOD)
    (tmp_path / "b.sql").write_text(GOOD.replace("HighErrors", "Other").replace("5 MINUTE", "1 MINUTE"))
    rules, wrong = read_folder(tmp_path)
    assert ([one.rule.name for one in rules], wrong) == (["HighErrors", "Other"], [])
    assert len(distinct(rules)) == 1
    (tmp_path / "c.sql").write_text(GOOD)
    (tmp_path / "d.sql").write_bytes(b"\xff")
    assert [str(one) for one in read_folder(tmp_path)[1]] == [
        f"{tmp_path / 'd.sql'}:1:1: cannot be read: not UTF-8: invalid start byte",
        f'{tmp_path / "c.sql"}:1:4: rule "HighErrors" is already defined in {tmp_path / "a.sql"}',
    ]


def test_the_command_checks_them_and_does_not_apply_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.sql").write_text(GOOD)
    Path("b.sql").write_text(GOOD.replace("for: 1m", "fro: 1m"))
    Path("c.yml").write_text("groups: []")
    run = CliRunner().invoke
    result = run(main, ["rules", "check", "a.sql", "b.sql", "c.yml"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "c.yml: 0 rules in 0 groups",
        "a.sql: 1 rule in SQL, every 5m",
        'b.sql:2:4: error: the header: unknown key "fro", did you mean "for"?',
        "b.sql: 1 error",
    ]
    assert run(main, ["rules", "check", "a.sql"]).exit_code == 0
    result = run(main, ["rules", "diff", "a.sql"])
    assert result.exit_code == 1
    assert result.output == "a.sql:1:1: error: an SQL rule, which only jobs/sql_rules.py evaluates\n"


def test_the_rules_that_ship_are_good():
    rules, wrong = read_folder(Path(__file__).parents[3] / "rules", ("critical",))
    assert (len(rules), wrong) == (1, [])
