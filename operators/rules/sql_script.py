"""Submits the statements of SQL rules to Flink and maps its errors to places in the rule's file."""

import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from py4j.protocol import Py4JJavaError
from pyflink.common import Types
from pyflink.datastream import DataStream, KeyedStream
from pyflink.table import StreamTableEnvironment
from pyflink.util.exceptions import JavaException

from operators.raw_batches import keyed_by_first_field
from operators.rules.sql_alerts import LABELS_AND_VALUE
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.sql.rule import SqlRule
from streamgauge.rules.sql.script import Script
from streamgauge.rules.sql.statement import Statement

_PLACE = re.compile(r"(?:From|at|At) line (\d+), column (\d+)")
_CAUSE = re.compile(r"^(?:Caused by: |: )?(?:[a-z_]\w*\.)+[A-Z]\w*(?:Exception|Error): (.*)$", re.MULTILINE)
_NO_TIME = "Union fields with time attributes"
"""What Flink says of a column that is no longer the time of its rows."""

Given = TypeVar("Given")


class RefusedRules(ValueError):
    """Rules that Flink does not take; each line of the message names file, line and column."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))


def keyed_rows(tables: StreamTableEnvironment, script: Script) -> KeyedStream:
    """The rows of all rules, keyed by rule: LABELS_AND_VALUE, with their times.

    :raises RefusedRules: with the fault of every file.
    """
    # the state of a query is not that of another, which a number alone would make it
    tables.get_config().set("table.exec.uid.format", f"{script.identity}_<id>_<transformation>")
    # every window operator takes a megabyte of the slot's managed memory: one for a rule, not two
    tables.get_config().set("table.optimizer.agg-phase-strategy", "ONE_PHASE")
    for view in script.views:
        tables.execute_sql(view)
    streams: list[DataStream] = []
    faults: list[Fault] = []
    for one in script.rules:
        view, rows = one.view, one.rows
        made = _given(partial(tables.execute_sql, view), one.rule, faults, is_own=True)
        if made is not None:
            stream = _given(partial(_stream, tables, rows), one.rule, faults)
            streams += [] if stream is None else [stream]
    if faults:
        raise RefusedRules(faults)
    return keyed_by_first_field(streams, Types.STRING(), LABELS_AND_VALUE, Types.INSTANT())


def _stream(tables: StreamTableEnvironment, query: str) -> DataStream:
    return tables.to_data_stream(tables.sql_query(query))


def _given(
    give: Callable[[], Given], rule: SqlRule, faults: list[Fault], is_own: bool = False
) -> Given | None:
    """What Flink makes of a statement of a rule; is_own: whether its lines are those of the file."""
    try:
        return give()
    except (Py4JJavaError, JavaException) as error:
        faults.append(_fault(str(error), rule, is_own))
        return None


def _fault(text: str, rule: SqlRule, is_own: bool) -> Fault:
    causes = _CAUSE.findall(text)
    detail = next((one for one in reversed(causes) if one), text.strip().splitlines()[0])
    if _NO_TIME in detail:
        time = rule.statement.time
        detail = f"{time} is no longer the time attribute of the rows: group by a window and its window_time"
    placed = next((one for one in causes if _PLACE.search(one)), "")
    place = _PLACE.search(placed) if is_own else None
    if place is None:
        return Fault(rule.file, Position(rule.rule.line, rule.rule.column), FileFault.BAD_SQL, detail)
    line, column = int(place[1]), int(place[2])
    shift = _shift(rule.statement, line, column)
    words = re.sub(r"^From line .*? to line \d+, column \d+: |^At line \d+, column \d+: ", "", placed)
    return Fault(rule.file, Position(line, column - shift), FileFault.BAD_SQL, words)


def _shift(statement: Statement, line: int, column: int) -> int:
    """How far what was put into a line has moved what stands at a column."""
    for at in statement.inserted_at:
        before = statement.text[:at]
        if before.count("\n") + 1 == line and column > at - (before.rfind("\n") + 1):
            return len(statement.insertion)
    return 0
