"""Renders results as tables, and as a plot with its legend."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from math import isfinite

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamgauge.query.client import Answer
from streamgauge.query.plot import MIN_HEIGHT, colour_of, plot
from streamgauge.query.series import Series, label_names, series
from streamgauge.rules.templates.humanize import humanize
from streamgauge.series.labels import NAME

MAX_COLUMNS = 8
"""Of labels; with more of them a series stands in one column."""
MAX_LEGEND = 20
MAX_HEIGHT = 24


def instant(console: Console, answer: Answer, zone: tzinfo) -> None:
    """Show the answer of an instant query."""
    found = series(answer)
    if answer.kind in ("scalar", "string"):
        console.print(Text(found[0].texts[0]))
    elif not found:
        console.print("no series")
    elif answer.kind == "matrix":
        for one in found:
            _samples(console, one, zone)
    else:
        console.print(_table(found))


def ranged(console: Console, answer: Answer, span: tuple[float, float], step: float, zone: tzinfo) -> None:
    """Show the answer of a range query."""
    found = series(answer)
    if not found:
        console.print("no series")
        return
    shown = min(len(found), MAX_LEGEND)
    room = console.height - shown - 4 if console.is_terminal else MAX_HEIGHT
    height = max(MIN_HEIGHT + 2, min(MAX_HEIGHT, room))
    for line in plot(found, span, step, (console.width, height), zone):
        console.print(line, no_wrap=True, overflow="crop")
    console.print(_legend(found))


def _table(found: Sequence[Series]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = label_names(found)
    if len(names) > MAX_COLUMNS:
        table.add_column("series", overflow="fold")
    else:
        for name in names:
            table.add_column("" if name == NAME else Text(name), overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    for one in found:
        cells = [one.title] if len(names) > MAX_COLUMNS else [one.labels.get(name, "") for name in names]
        table.add_row(*map(Text, cells), Text(one.texts[0] if one.texts else "native histogram"))
    return table


def _samples(console: Console, one: Series, zone: tzinfo) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, title=one.title, title_justify="left")
    table.add_column("time", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for time, text in zip(one.times, one.texts, strict=True):
        table.add_row(datetime.fromtimestamp(time, zone).isoformat(sep=" ", timespec="milliseconds"), text)
    console.print(table)


def _legend(found: Sequence[Series]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("", "series"):
        table.add_column(name, overflow="fold")
    for name in ("last", "min", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for number, one in enumerate(found[:MAX_LEGEND]):
        values = [value for value in one.values if isfinite(value)]
        numbers = [one.values[-1], min(values, default=float("nan")), max(values, default=float("nan"))]
        table.add_row(Text("━━", colour_of(number)), Text(one.title), *map(humanize, numbers))
    if len(found) > MAX_LEGEND:
        table.add_row("", f"and {len(found) - MAX_LEGEND} more")
    return table
