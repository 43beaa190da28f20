"""`streamgauge rules apply | list | diff`: output and exit codes."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol

import click

from schemas.rule_files import Group
from schemas.rule_messages import RuleMessage, file_in, file_of, key_of
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.rules.applied.difference import Count, Line, difference
from streamgauge.rules.applied.rule_sets import Publication, RuleSet, RuleSets, oversized, publication
from streamgauge.rules.files.command import usable_groups

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


@dataclass(frozen=True, slots=True)
class _Change:
    """What would be published, and what that changes, for people."""

    publication: Publication
    lines: Sequence[Line]
    count: Count


def apply(
    paths: Sequence[Path],
    severities: Collection[str],
    topic: Topic,
    clock: Callable[[], int],
    agrees: Callable[[str], bool] | None = None,
    namespace: str = "",
    zone: tzinfo | None = None,
) -> int:
    """Publish the rules of files, if no file has an error; the exit code.

    :param clock: gives ms. :param agrees: is asked, with a summary, once all that changes is shown; None agrees.
    :param namespace: of the files. :param zone: of the time that is shown; that of this machine if None.
    """
    files = _files(paths, severities, namespace)
    if files is None:
        return _refused()
    change = _change(topic, files, clock())
    found = change.publication
    if not found.messages:
        click.echo(f"no changes: rule set {found.rules.version[:12]} is already applied")
        return OK
    if faults := oversized(found):
        for fault in faults:
            click.secho(f"error: {fault}: split it", fg="red", err=True)
        return _refused()
    _print(change.lines)
    if agrees is not None:
        if not agrees(_counts(change.count)):
            return _refused()
        # whoever was asked took their time: others may have applied theirs, and the first tick lies behind
        now = _change(topic, files, clock())
        if now.lines != change.lines:
            return _refused("other rules were applied in the meantime, so the changes shown are out of date")
        found = now.publication
    topic.publish(found.messages)
    when = _time(found.rules.effective_from, zone)
    summary = _counts(change.count)
    click.secho(f"rule set {found.rules.version[:12]} takes effect at {when}: {summary}", bold=True)
    return OK


def ask(summary: str) -> bool:
    """Ask on the terminal whether to apply what is shown.

    :raises click.ClickException: where standard input is none.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.ClickException("nothing was applied: the confirmation needs a terminal, or --yes")
    return click.confirm(f"{summary}: apply?", err=True)


def diff(paths: Sequence[Path], severities: Collection[str], topic: Topic, namespace: str = "") -> int:
    """Print what applying files to a namespace would change; the exit code, 2 if that is anything."""
    files = _files(paths, severities, namespace)
    if files is None:
        return FAILED
    applied = RuleSets(topic.read()).last.groups
    old = {key: group for key, group in applied.items() if file_of(key) in files}
    new = {key_of(file, group.name): group for file, own in files.items() for group in own}
    lines, count = difference(old, new)
    _print(lines)
    click.echo(f"{'no changes' if not lines else _counts(count)}")
    return DIFFERENT if lines else OK


def show(topic: Topic, namespace: str = "", zone: tzinfo | None = None) -> int:
    """Print the rules that are applied, all or those of a namespace; the exit code."""
    read = RuleSets(topic.read())
    if read.fault is not None:
        click.secho(f"the newest rule set is invalid: {read.fault.value}", fg="yellow", err=True)
    if not read.last.version:
        click.echo("no rules are applied")
        return OK
    _print_set(read.last, namespace, zone)
    return OK


def _change(topic: Topic, files: Mapping[str, Sequence[Group]], now: int) -> _Change:
    read = RuleSets(topic.read())
    found = publication(read, files, now)
    return _Change(found, *difference(read.last.groups, found.rules.groups))


def _refused(reason: str = "") -> int:
    if reason:
        click.secho(f"error: {reason}", fg="red", err=True)
    click.secho("nothing was applied", fg="red", err=True)
    return FAILED


def _files(
    paths: Sequence[Path], severities: Collection[str], namespace: str
) -> dict[str, list[Group]] | None:
    """The groups by their files; None if there is a fault, after all are printed."""
    groups = usable_groups(paths, severities)
    names = {path: file_in(namespace, path.stem) for path in paths}
    files: dict[str, list[Group]] = {name: [] for name in names.values()}
    for name in files:
        same = sorted({str(path) for path in paths if names[path] == name})
        if len(same) > 1:
            click.secho(f"error: these files would replace each other: {', '.join(same)}", fg="red", err=True)
            return None
    if groups is None:
        return None
    for path, group in groups:
        files[names[path]].append(group)
    return files


def _print(lines: Sequence[Line]) -> None:
    for mark, text in lines:
        click.secho(f"{mark} {text}", fg=_COLOURS[mark])


def _print_set(found: RuleSet, namespace: str, zone: tzinfo | None) -> None:
    # of an empty namespace, all
    own = file_in(namespace, "")
    groups = {key: group for key, group in found.groups.items() if file_of(key).startswith(own)}
    rules = sum(len(group.rules) for group in groups.values())
    click.secho(
        f"rule set {found.version[:12]}, effective from {_time(found.effective_from, zone)}: "
        f"{_counted(rules, 'rule')} in {_counted(len(groups), 'group')}",
        bold=True,
    )
    for key, group in groups.items():
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
