"""`streamgauge rules check | test`: output, and promtool's exit codes."""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click

from schemas.rule_files import Group
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.files.reader import parse, read
from streamgauge.rules.sql.reader import SUFFIX
from streamgauge.rules.sql.reader import read as read_sql
from streamgauge.rules.unit_tests.difference import lines
from streamgauge.rules.unit_tests.file import TestFile
from streamgauge.rules.unit_tests.file import read as read_tests
from streamgauge.rules.unit_tests.runner import Mismatch, run

OK, FAILED, LINT_FAILED = 0, 1, 3
_COLOURS = {"-": "red", "+": "green", "~": "yellow"}


def check(paths: Sequence[Path], severities: Collection[str], lint_is_fatal: bool) -> int:
    """Read rule files, or standard input if there are none, and print what is wrong; the exit code."""
    code = OK
    in_sql = [path for path in paths if path.suffix == SUFFIX]
    read_files = [(str(path), read(path, severities)) for path in paths if path not in in_sql]
    if not paths:
        read_files = [("<stdin>", parse("<stdin>", sys.stdin.read(), severities))]
    for path, one in read_files:
        for fault in one.faults:
            _print_fault(fault)
        groups = one.rules.groups
        if not one.is_usable:
            count = sum(not fault.is_lint for fault in one.faults)
            click.secho(f"{path}: {_counted(count, 'error')}", fg="red")
            code = FAILED
            continue
        if one.faults and lint_is_fatal and code == OK:
            code = LINT_FAILED
        rules = sum(len(group.rules) for group in groups)
        click.echo(f"{path}: {_counted(rules, 'rule')} in {_counted(len(groups), 'group')}")
    for file in in_sql:
        code = _check_sql(file, severities) or code
    return code


def _check_sql(path: Path, severities: Collection[str]) -> int:
    found = read_sql(path, severities)
    for fault in found.faults:
        _print_fault(fault)
    if found.rule is None:
        click.secho(f"{path}: {_counted(len(found.faults), 'error')}", fg="red")
        return FAILED
    click.echo(f"{path}: 1 rule in SQL, every {duration_text(found.rule.every_ms)}")
    return OK


def test(paths: Sequence[Path], only: str | None) -> int:
    """Run files of unit tests and print what is not as expected; the exit code.

    :param only: a regex for the names of the tests to run.
    """
    code = OK
    for path in paths:
        tests, faults = read_tests(path)
        groups, more = _rules(path.parent, tests)
        faults = [*faults, *more]
        for fault in faults:
            _print_fault(fault)
        if faults:
            click.secho(f"{path}: FAILED", fg="red")
            code = FAILED
            continue
        chosen = [one for one in tests.tests if only is None or re.search(only, one.name)]
        mismatches = [mismatch for one in chosen for mismatch in run(tests, one, groups)]
        for mismatch in mismatches:
            _print_mismatch(path, mismatch)
        if mismatches:
            click.secho(f"{path}: FAILED, {_counted(len(mismatches), 'expectation')} not met", fg="red")
            code = FAILED
        else:
            click.secho(f"{path}: {_counted(len(chosen), 'test')} passed", fg="green")
    return code


def usable_groups(paths: Sequence[Path], severities: Collection[str]) -> list[tuple[Path, Group]] | None:
    """The groups of all files, each with its file; None if any has an error. All faults go to stderr."""
    groups: list[tuple[Path, Group]] = []
    is_usable = True
    for path in paths:
        if path.suffix == SUFFIX:
            detail = "an SQL rule, which only jobs/sql_rules.py evaluates"
            _print_fault(Fault(str(path), Position(), FileFault.MISPLACED_FILE, detail), to_stderr=True)
            is_usable = False
            continue
        found = read(path, severities)
        for fault in found.faults:
            _print_fault(fault, to_stderr=True)
        is_usable = is_usable and found.is_usable
        groups += [(path, group) for group in found.rules.groups]
    return groups if is_usable else None


def _rules(folder: Path, tests: TestFile) -> tuple[list[Group], list[Fault]]:
    groups: list[Group] = []
    faults: list[Fault] = []
    for path in _matching(folder, tests.rule_files):
        found = read(path)
        groups += found.rules.groups
        faults += [fault for fault in found.faults if not fault.is_lint]
    return groups, faults


def _matching(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        whole = folder / pattern
        found = sorted(Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))
        if not found:
            click.secho(f"no file matches {whole}", fg="yellow", err=True)
        yield from found


def _print_fault(fault: Fault, to_stderr: bool = False) -> None:
    place = f"{fault.file}:{fault.place.line}:{fault.place.column}:"
    kind = click.style("lint:", fg="yellow") if fault.is_lint else click.style("error:", fg="red")
    click.echo(f"{click.style(place, bold=True)} {kind} {fault.detail}", err=to_stderr)


def _print_mismatch(path: Path, mismatch: Mismatch) -> None:
    click.echo(f"{click.style(str(path), bold=True)}: {mismatch.title}")
    for mark, text in lines(mismatch):
        click.secho(f"  {mark} {text}", fg=_COLOURS.get(mark))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
