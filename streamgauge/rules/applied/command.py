"""`streamgauge rules apply | list | diff`: what they print, and their exit codes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol

import click

from schemas.rule_files import Group
from schemas.rule_messages import RuleMessage, file_of, key_of
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.rules.applied.difference import Count, Line, difference
from streamgauge.rules.applied.rule_sets import RuleSet, RuleSets, oversized, publication
from streamgauge.rules.command import usable_groups

OK, FAILED, DIFFERENT = 0, 1, 2
_COLOURS = {"-": "red", "+": "green", "~": "yellow"}


class Topic(Protocol):
    """Where rule sets are published."""

    def read(self) -> list[RuleMessage]:
        """All messages that are there now, in their order."""
        ...

    def publish(self, messages: Sequence[RuleMessage]) -> None:
        """Add all messages or none."""
        ...


def apply(
    paths: Sequence[Path],
    severities: Collection[str],
    topic: Topic,
    clock: Callable[[], int],
    zone: tzinfo | None = None,
) -> int:
    """Publish the rules of files, if no file has an error; the exit code.

    :param clock: gives ms. :param zone: of the time that is shown; that of this machine if None.
    """
    files = _files(paths, severities)
    if files is None:
        click.secho("nothing was applied", fg="red", err=True)
        return FAILED
    read = RuleSets(topic.read())
    planned = publication(read, files, clock())
    if not planned.messages:
        click.echo(f"nothing changes: rule set {read.last.version[:12]} is applied")
        return OK
    if faults := oversized(planned):
        for fault in faults:
            click.secho(f"error: {fault}: divide it", fg="red", err=True)
        click.secho("nothing was applied", fg="red", err=True)
        return FAILED
    lines, count = difference(read.last.groups, planned.rules.groups)
    topic.publish(planned.messages)
    _print(lines)
    when = _time(planned.rules.effective_from, zone)
    click.secho(f"rule set {planned.rules.version[:12]} counts from {when} on: {_counts(count)}", bold=True)
    return OK


def diff(paths: Sequence[Path], severities: Collection[str], topic: Topic) -> int:
    """Print what applying files would change; the exit code, 2 if that is anything."""
    files = _files(paths, severities)
    if files is None:
        return FAILED
    applied = RuleSets(topic.read()).last.groups
    old = {key: group for key, group in applied.items() if file_of(key) in files}
    new = {key_of(file, group.name): group for file, own in files.items() for group in own}
    lines, count = difference(old, new)
    _print(lines)
    click.echo(f"{'nothing changes' if not lines else _counts(count)}")
    return DIFFERENT if lines else OK


def show(topic: Topic, zone: tzinfo | None = None) -> int:
    """Print the rules that are applied; the exit code."""
    read = RuleSets(topic.read())
    if read.fault is not None:
        click.secho(f"the newest rule set does not count: {read.fault.value}", fg="yellow", err=True)
    if not read.last.version:
        click.echo("no rules are applied")
        return OK
    _print_set(read.last, zone)
    return OK


def _files(paths: Sequence[Path], severities: Collection[str]) -> dict[str, list[Group]] | None:
    """The groups by the names of their files; None if there is a fault, after all are printed."""
    groups = usable_groups(paths, severities)
    files: dict[str, list[Group]] = {path.stem: [] for path in paths}
    for name in files:
        same = sorted({str(path) for path in paths if path.stem == name})
        if len(same) > 1:
            click.secho(f"error: these files would replace each other: {', '.join(same)}", fg="red", err=True)
            return None
    if groups is None:
        return None
    for path, group in groups:
        files[path.stem].append(group)
    return files


def _print(lines: Sequence[Line]) -> None:
    for mark, text in lines:
        click.secho(f"{mark} {text}", fg=_COLOURS[mark])


def _print_set(found: RuleSet, zone: tzinfo | None) -> None:
    rules = sum(len(group.rules) for group in found.groups.values())
    click.secho(
        f"rule set {found.version[:12]}, from {_time(found.effective_from, zone)} on: "
        f"{_counted(rules, 'rule')} in {_counted(len(found.groups), 'group')}",
        bold=True,
    )
    for key, group in found.groups.items():
        every = "" if group.interval_ms is None else f" every {duration_text(group.interval_ms)}"
        click.echo(f"{key}{every}")
        for rule in group.rules:
            hold = f" for {duration_text(rule.hold_ms)}" if rule.hold_ms else ""
            click.echo(f"  {rule.kind.value}: {rule.name}{hold}: {' '.join(rule.expr.split())}")


def _counts(count: Count) -> str:
    parts: Mapping[str, int] = {
        "added": count.added,
        "changed": count.changed,
        "removed": count.removed,
    }
    words = [f"{_counted(number, 'rule')} {word}" for word, number in parts.items() if number]
    if count.groups:
        words.append(f"settings of {_counted(count.groups, 'group')}")
    return ", ".join(words) or "no rule changes"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _time(time: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(time / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")
