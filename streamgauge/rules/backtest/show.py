"""Renders the results of a backtest as text and as JSON."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamgauge.promql.data.vectors import written
from streamgauge.promql.syntax.literals import duration_text, number_text
from streamgauge.rules.backtest.raised import Raised, Report
from streamgauge.rules.machine.alerts import Labels
from streamgauge.rules.machine.evaluation import ALERT_NAME
from streamgauge.rules.templates.humanize import humanize

MIN_TIMELINE = 24
NOTHING, PENDING, FIRING = "·", "░", "█"
_STYLES = {NOTHING: "dim", PENDING: "yellow", FIRING: "red"}


def show(console: Console, report: Report, seconds: float, zone: tzinfo) -> None:
    """Print the alerts as a table and a timeline, what failed, and how much was done."""
    fired = report.fired
    if fired:
        console.print(_table(fired, zone))
        console.print()
        for line in timeline(report, console.width, zone):
            console.print(line, no_wrap=True, overflow="crop")
        console.print()
    for broken in report.broken:
        until = _time(broken.ended, zone) if broken.ended is not None else "the end"
        text = Text("error: ", "red").append(f"{broken.group}, {broken.rule}: {broken.detail}", "default")
        count = _counted(broken.ticks, "evaluation")
        console.print(text.append(f" ({_time(broken.began, zone)} to {until}, {count})", "dim"))
    console.print(_summary(report))
    console.print(
        f"{_counted(len(fired), 'alert')}; {_counted(report.evaluations, 'evaluation')} of "
        f"{_counted(len(report.rules), 'rule')} over {duration_text(report.end - report.start)} in {seconds:.1f} s"
    )


def as_json(report: Report, seconds: float) -> dict[str, Any]:
    """The same for machines; times in ms, null for never or not yet."""
    return {
        "start": report.start,
        "end": report.end,
        "seconds": round(seconds, 3),
        "evaluations": report.evaluations,
        "alerts": [
            {
                "group": one.group,
                "rule": one.rule,
                "labels": dict(one.labels),
                "annotations": dict(one.annotations),
                "pendingSince": one.pending,
                "firingFrom": one.fired,
                "to": one.ended,
                "peak": number_text(one.peak),
            }
            for one in report.raised
        ],
        "errors": [
            {
                "group": one.group,
                "rule": one.rule,
                "from": one.began,
                "to": one.ended,
                "evaluations": one.ticks,
                "error": one.detail,
            }
            for one in report.broken
        ],
        "rules": [
            {
                "group": one.group,
                "rule": one.rule,
                "type": "alerting" if one.is_alert else "recording",
                "evaluations": one.evaluations,
                "failed": one.failed,
                "fired": one.fired,
                "onlyPending": one.pending,
            }
            for one in report.rules
        ],
    }


def timeline(report: Report, width: int, zone: tzinfo) -> Iterator[Text]:
    """A row for each alert that fired, its times from left to right, and the axis below."""
    rows: dict[tuple[str, str, Labels], list[Raised]] = defaultdict(list)
    for one in report.raised:
        rows[one.group, one.rule, one.labels].append(one)
    rows = {key: own for key, own in rows.items() if any(one.has_fired for one in own)}
    names = [f"{rule} {_labels(labels)}" for _, rule, labels in rows]
    room = min(max(map(len, names), default=0), max(8, width - MIN_TIMELINE - 1, width // 3))
    room = min(room, max(8, width // 2))
    columns = max(MIN_TIMELINE, width - room - 1)
    for name, own in zip(names, rows.values(), strict=True):
        short = name if len(name) <= room else f"{name[: room - 1]}…"
        line = Text(f"{short:<{room}} ")
        for mark in _marks(own, report, columns):
            line.append(mark, _STYLES[mark])
        yield line
    first, last = _time(report.start, zone), _time(report.end, zone)
    yield Text(f"{'':<{room}} {first}{last:>{max(len(last) + 1, columns - len(first))}}", "dim")


def _marks(alerts: Sequence[Raised], report: Report, columns: int) -> str:
    """What was so in each column for any moment, firing before pending."""
    span = max(1, report.end - report.start)

    def column(time: int) -> int:
        return min(columns - 1, (time - report.start) * columns // span)

    marks = [NOTHING] * columns
    for mark in (PENDING, FIRING):
        for one in alerts:
            began = one.pending if mark == PENDING else one.fired
            if began is not None:
                end = columns if one.ended is None else column(one.ended)
                for at in range(column(began), max(column(began) + 1, end)):
                    marks[at] = mark
    return "".join(marks)


def _table(alerts: Sequence[Raised], zone: tzinfo) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("rule", overflow="fold")
    table.add_column("labels", overflow="fold")
    for name in ("pending since", "firing from", "to"):
        table.add_column(name, no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("peak", justify="right", no_wrap=True)
    for one in alerts:
        fired, ended = one.fired or 0, one.ended
        table.add_row(
            Text(one.rule),
            Text(_labels(one.labels)),
            _time(one.pending, zone),
            _time(fired, zone),
            Text("still firing", "red") if ended is None else _time(ended, zone),
            "" if ended is None else duration_text(ended - fired),
            humanize(one.peak),
        )
    return table


def _summary(report: Report) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("group", "rule"):
        table.add_column(name, overflow="fold")
    for name in ("evaluations", "failed", "fired", "only pending"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in report.rules:
        counts = [str(one.fired), str(one.pending)] if one.is_alert else ["", ""]
        failed = Text(str(one.failed), "red" if one.failed else "")
        table.add_row(Text(one.group), Text(one.rule), str(one.evaluations), failed, *counts)
    return table


def _labels(labels: Labels) -> str:
    return written({name: value for name, value in labels if name != ALERT_NAME})


def _time(time: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(time / 1000, zone).strftime("%m-%d %H:%M:%S")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
