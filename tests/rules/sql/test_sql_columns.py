"""Columns that nothing in a rule in SQL has: found without Flink, and never said of what Flink takes."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.cli import main
from streamgauge.rules.sql.columns import unknown_columns
from streamgauge.rules.sql.reader import MAX_UNKNOWN, parse
from streamgauge.rules.sql.tokens import InvalidSql, tokens

WINDOW = "TABLE(TUMBLE(TABLE samples('a'), DESCRIPTOR(ts), INTERVAL '1' MINUTE))"
TAKEN = [
    "SELECT labels['a'] a, `value` FROM samples('up') AS s WHERE s.`value` BETWEEN 1 AND 5 AND NOT s.labels['b'] LIKE"
    " 'x'",
    "WITH w (t, v) AS (SELECT ts, `value` FROM samples('up')) SELECT t AS ts, v AS `value` FROM w WHERE v IN (1, 2)",
    "WITH a AS (SELECT ts, `value` v FROM samples('up')), b (w) AS (SELECT v FROM a) SELECT ts, w AS `value` FROM a, b",
    "SELECT `value0` AS `value`, ts FROM (SELECT * FROM samples('a') x JOIN samples('b') y ON x.ts = y.ts)",
    "SELECT EXPR$0 AS `value`, ts FROM (SELECT `value` + 1, ts FROM samples('a'))",
    "SELECT `EXPR$0` AS `value`, ts FROM (SELECT `value` + 1, ts FROM samples('a'))",
    "SELECT ts, `value`, EXTRACT(MINUTE FROM ts) AS m, TIMESTAMPDIFF(DAY, ts, CURRENT_TIMESTAMP) age,"
    " FLOOR(ts TO HOUR) h FROM samples('a')",
    "SELECT ts, `value`, U&'\\00e4' AS u, X'1F' AS x, DATE '2026-01-01' AS d, ARRAY[1][1] AS first_one, LOCALTIME AS l"
    " FROM samples('a')",
    "SELECT ts, CAST(`value` AS DECIMAL(10, 2)) AS `value`, CAST(NULL AS MAP<STRING, ARRAY<INT>>) AS m"
    " FROM samples('a')",
    "SELECT ts, `value`, SUM(`value`) OVER w AS total FROM samples('a') WINDOW w AS (PARTITION BY labels ORDER BY ts"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "SELECT v.n AS kind, s.ts, s.`value` FROM samples('a') s JOIN (VALUES (1, 'x')) v(id, n) ON s.`value` = v.id",
    "SELECT window_time, `value` FROM TABLE(HOP(DATA => TABLE samples('a'), TIMECOL => DESCRIPTOR(ts),"
    " SLIDE => INTERVAL '5' SECOND, SIZE => INTERVAL '1' MINUTE))",
    "SELECT name, kind, ts, `value` FROM (SELECT labels['n'] name, CASE WHEN 1 > 0 THEN 'a' END kind, ts, `value`"
    " FROM samples('a'))",
    "SELECT `größe`, ts, `value` FROM (SELECT labels['g'] AS größe, ts, `value` FROM samples('a'))",
    "SELECT TRIM(BOTH ' ' FROM labels['x']) AS x, JSON_VALUE(labels['j'], '$.a' RETURNING STRING NULL ON EMPTY) AS j,"
    " ts, `value` FROM samples('a')",
    "SELECT f.a.b AS x, ts, `value` FROM (SELECT CAST(ROW(ROW(1)) AS ROW<a ROW<b INT>>) f, ts, `value`"
    " FROM samples('a'))",
]  # fmt: skip
"""What Flink 2.2's planner was seen to take."""


def faults(select):
    return [str(fault) for fault in parse("a.sql", f"-- name: A\n{select}").faults]


@pytest.mark.parametrize("select", TAKEN)
def test_nothing_is_said_of_what_flink_takes(select):
    assert faults(select) == []


@pytest.mark.parametrize(
    "select",
    [
        "SELECT @`valeu` AS x, `value` FROM samples('a')",
        "SELECT DISTINCT @nothing, `value` FROM samples('a')",
        "SELECT @lables['a'] AS a, `value` FROM samples('a')",
        "SELECT @LABELS['a'] AS a, `value` FROM samples('a')",
        "SELECT 1 + @nothing AS x, `value` FROM samples('a')",
        "SELECT s.@nothing AS x, s.`value` FROM samples('a') s",
        "SELECT CAST(@nothing AS DOUBLE) AS `value` FROM samples('a')",
        "SELECT ABS(@nothing) AS `value` FROM samples('a')",
        "SELECT COALESCE(`value`, @nothing) AS `value` FROM samples('a')",
        "SELECT CASE WHEN @nothing > 1 THEN 1 END AS `value` FROM samples('a')",
        "SELECT CASE WHEN 1 > 1 THEN 1 ELSE @nothing END AS `value` FROM samples('a')",
        "SELECT `value` FROM samples('a') WHERE NOT @nothing",
        "SELECT `value` FROM samples('a') WHERE `value` BETWEEN 1 AND @nothing",
        "SELECT a.ts AS ts, a.`value` FROM samples('a') a JOIN samples('b') b ON a.ts = b.@time_of",
        "SELECT ts, `value` FROM samples('a') WHERE `value` IN (@nothing, 1)",
        "SELECT ts, COUNT(*) OVER (PARTITION BY @nothing ORDER BY ts) AS `value` FROM samples('a')",
        "SELECT `value`, @window_time FROM samples('a')",
        f"SELECT window_time, 1 AS `value` FROM {WINDOW} GROUP BY window_time, @window_begin",
        f"SELECT window_time, 1 AS `value` FROM {WINDOW.replace('(ts)', '(@tss)')}",
        f"SELECT window_time, SUM(@valu) AS `value` FROM {WINDOW} GROUP BY window_time",
        f"SELECT window_time, SUM(@`valu`) AS `value` FROM {WINDOW} GROUP BY window_time",
        "SELECT ts, @totl AS `value` FROM (SELECT ts, `value` AS total FROM samples('a'))",
        "WITH w (t, v) AS (SELECT ts, `value` FROM samples('up')) SELECT t AS ts, @w2x AS `value` FROM w",
        "SELECT ts,\n  -- a comment\n  @nothing AS x, `value` FROM samples('a')",
    ],
)
def test_a_name_that_nothing_has_is_found_with_its_place(select):
    before, _, after = select.partition("@")
    [fault] = faults(before + after)
    line, column = before.count("\n") + 2, len(before.rpartition("\n")[2]) + 1
    name = next(token for token in tokens(after)).value
    assert fault.startswith(f'a.sql:{line}:{column}: unknown column "{name}", ')


@pytest.mark.parametrize(
    ("name", "hint"),
    [("valu", "did you mean `value`?"), ("Labels", "did you mean `labels`?"), ("q", "samples has ts, labels, value")],
)  # fmt: skip
def test_the_name_that_may_be_meant_is_told(name, hint):
    [fault] = faults(f"SELECT {name} AS x, `value` FROM samples('a')")
    assert fault.endswith(f", {hint}")


def test_every_one_is_told_but_not_without_end():
    assert len(faults("SELECT nothing + `two` AS x, three AS y, `value` FROM samples('a')")) == 3
    many = ", ".join(f"{'n' * 1000}x{at}x AS c{at}" for at in range(50))
    found = faults(f"SELECT {many}, `value` FROM samples('a')")
    assert len(found) == MAX_UNKNOWN
    assert max(map(len, found)) < 300


words = st.sampled_from(
    ["SELECT", "AS", "FROM", "a", "b", "`c`", "TABLE", "ROWS", "(", ")", "[", "]", ",", ".", "$", "=", ">", "1", "'s'"]
)  # fmt: skip


@given(st.lists(words, max_size=12))
def test_no_text_is_too_strange(parts):
    try:
        found = list(tokens(" ".join(parts)))
    except InvalidSql:
        return
    assert {token for token, _ in unknown_columns(found)} <= set(found)


def test_the_command_finds_it(tmp_path):
    file = tmp_path / "a.sql"
    file.write_text("-- name: A\nSELECT ts, SUM(valu) AS `value` FROM samples('a')\n")
    ran = CliRunner().invoke(main, ["rules", "check", str(file)])
    assert ran.exit_code == 1
    assert f'{file}:2:16: error: unknown column "valu", did you mean `value`?' in ran.output
