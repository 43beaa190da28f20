"""`streamgauge alerts`: prints active alerts and their changes."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from math import isfinite
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.alert_messages import ActiveAlert, Triggered
from streamgauge.notify.post import named, title

_COLOURS = {"firing": "red", "pending": "yellow", "resolved": "green", "error": "magenta"}


class Active(NamedTuple):
    """An active alert of a group."""

    group: str
    alert: ActiveAlert


def show(found: Sequence[Active], *, as_json: bool, console: Console, zone: tzinfo | None = None) -> None:
    """Print active alerts, those that fire first, then by since when they do.

    :param zone: of the times that are shown; that of this machine if None.
    """
    order = sorted(found, key=lambda each: (each.alert.state != "firing", each.alert.active_at))
    if as_json:
        print(json.dumps([{"group": each.group, **asdict(each.alert)} for each in order], ensure_ascii=False))
        return
    if not order:
        console.print("no alert is active")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("state", "since", "alert", "value", "summary", "group"):
        table.add_column(column, overflow="fold")
    for group, alert in order:
        since = _time(alert.starts_at or alert.active_at, zone)
        name = named(alert.labels.get("alertname", ""), alert.labels)
        summary = alert.annotations.get("summary", "")
        table.add_row(
            Text(alert.state, _COLOURS.get(alert.state, "")),
            *(Text(part) for part in (since, name, _number(alert.value), summary, group)),
        )
    console.print(table)


def line(change: Triggered, zone: tzinfo | None = None) -> Text:
    """A change as a line."""
    told = change.detail or change.annotations.get("summary", "")
    return Text.assemble(
        _time(change.tick, zone),
        "  ",
        (f"{change.after:8}", _COLOURS.get(change.after, "")),
        f"  {title(change)}",
        f"  value {_number(change.value)}" if change.value else "",
        f"  {told}" if told else "",
    )


def _number(value: str) -> str:
    """A value without the exponent that Prometheus's API writes, where people write none."""
    number = float(value)
    return f"{number:.15g}" if isfinite(number) else value


def _time(time: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(time / 1000, zone).strftime("%m-%d %H:%M:%S")
