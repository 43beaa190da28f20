"""`streamgauge rules backtest`: reads the files, runs them and prints the results."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from streamgauge.promql.data.query import Source
from streamgauge.rules.backtest import show
from streamgauge.rules.backtest.run import Backtest, Span
from streamgauge.rules.files.command import usable_groups
from streamgauge.rules.machine.compiled import CompiledGroup, EvaluationContext, compile_group
from streamgauge.terminal import terminal

OK, FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tried, and how it is shown. fail_on_alert: whether an alert that fires is a failure."""

    files: Sequence[Path]
    span: Span
    as_json: bool = False
    fail_on_alert: bool = False


def run(
    asked: Asked,
    severities: Collection[str],
    source_of: Callable[[Sequence[CompiledGroup]], Source],
    context: EvaluationContext,
    seconds: Callable[[], float],
    zone: tzinfo | None = None,
) -> int:
    """Try the rules of all files on what is stored; the exit code.

    :param source_of: gives what is read of, for these groups. :param seconds: a clock that does not go back.
    :param zone: of the times that are shown; that of this machine if None.
    """
    groups = usable_groups(asked.files, severities)
    if groups is None:
        return FAILED
    began = seconds()
    compiled = [compile_group(group) for _, group in groups]
    console = terminal()
    backtest = Backtest(compiled, source_of(compiled), context, asked.span)
    if console.is_terminal and not asked.as_json:
        with click.progressbar(length=1000, label="backtest") as bar:
            report = backtest.run(lambda done: bar.update(round(done * 1000) - bar.pos))
    else:
        report = backtest.run()
    taken = seconds() - began
    if asked.as_json:
        click.echo(json.dumps(show.as_json(report, taken), ensure_ascii=False, indent=2))
    else:
        show.show(console, report, taken, zone or datetime.now().astimezone().tzinfo or UTC)
    return FAILED if asked.fail_on_alert and report.fired else OK
