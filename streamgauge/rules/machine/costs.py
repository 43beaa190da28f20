"""`streamgauge rules costs`: the evaluation cost of each rule."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamgauge.rules.applied.board import GroupView, RuleView
from streamgauge.rules.stream.samples.pool import SAMPLE_BYTES

_COLOURS = {"ok": "green", "err": "red", "unknown": "yellow"}


def show(groups: Sequence[GroupView], *, as_json: bool, console: Console) -> None:
    """Print the rules of all groups, those that look at most samples first."""
    found = [(view, rule) for view in groups for rule in view.rules]
    found.sort(key=lambda each: (-each[1].health.samples, -each[1].health.seconds, each[0].key))
    if as_json:
        print(json.dumps([_content(*each) for each in found], ensure_ascii=False))
        return
    if not found:
        console.print("no rules are applied")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "group", "health"):
        table.add_column(column, overflow="fold")
    for column in ("evaluation, ms", "samples", "memory, kB", "series given"):
        table.add_column(column, justify="right")
    for view, rule in found:
        health = rule.health
        table.add_row(
            Text(rule.rule.name),
            Text(view.key),
            Text(health.health, _COLOURS.get(health.health, "")),
            f"{health.seconds * 1000:,.2f}",
            f"{health.samples:,}",
            f"{_bytes(rule) / 1000:,.0f}",
            f"{health.series:,}",
        )
    console.print(table)


def _content(view: GroupView, rule: RuleView) -> dict[str, object]:
    health = rule.health
    return {
        "rule": rule.rule.name,
        "group": view.key,
        "health": health.health,
        "seconds": health.seconds,
        "samples": health.samples,
        "bytes": _bytes(rule),
        "series": health.series,
    }


def _bytes(rule: RuleView) -> int:
    """Of the samples that it looks at; others may look at them too, and they are kept once."""
    return rule.health.samples * SAMPLE_BYTES
