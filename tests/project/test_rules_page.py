"""docs/rules.md and docs/sql-rules.md show rules and a test that hold."""

import re
from pathlib import Path
from textwrap import dedent

from click.testing import CliRunner

from streamgauge.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE, SQL_PAGE = DOCS / "rules.md", DOCS / "sql-rules.md"
EXAMPLE = DOCS.parent / "rules" / "checkout_errors.sql"


def block(first: str, page: Path = PAGE) -> str:
    found = re.search(
        rf"(?:^    .*\n|^\n(?=    ))*?^    {re.escape(first)}\n(?:^    .*\n|^\n(?=    ))+",
        page.read_text(),
        re.M,
    )
    assert found, first
    return dedent(found[0]).lstrip("\n")


def test_what_the_page_shows_is_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rules, test = block("groups:"), block("rule_files: [rules.yml]")
    Path("rules.yml").write_text(rules)
    Path("test.yml").write_text(test)
    run = CliRunner().invoke
    assert run(main, ["rules", "check", "rules.yml"]).output == "rules.yml: 3 rules in 1 group\n"
    assert run(main, ["rules", "test", "test.yml"]).output == "test.yml: 1 test passed\n"
    Path("test.yml").write_text(test.replace("web is down", "web is up"))
    assert (
        dedent(block('test.yml: a host goes down: alert "HostDown" at 6m'))
        in run(main, ["rules", "test", "test.yml"]).output
    )
    Path("rules.yml").write_text(rules.replace('"}[5m]))', '"}[5m])').replace("$labels.inst", "$label.inst"))
    for line in re.findall(r"^    (rules\.yml:.*)$", PAGE.read_text(), re.M):
        assert line in run(main, ["rules", "check", "rules.yml"]).output


def test_the_sql_rule_that_the_page_shows_is_the_one_that_ships():
    shown = block("-- name: CheckoutErrors", SQL_PAGE)
    assert shown.rstrip() == EXAMPLE.read_text().rstrip()
