"""`streamgauge rules ...`; each command imports its dependencies itself."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamgauge.cli.reach import kafka_listens
from streamgauge.config import Config

if TYPE_CHECKING:
    from schemas.rule_messages import RuleMessage
    from streamgauge.rules.backtest.command import Asked
    from streamgauge.rules.machine.compiled import EvaluationContext

_FILES = click.Path(path_type=Path, exists=True, dir_okay=False)


def _checked_namespace(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str:
    from schemas.rule_messages import check_namespace

    if given is None:
        return ""
    try:
        check_namespace(given)
    except ValueError as fault:
        raise click.ClickException(f"--namespace: {fault}") from None
    return given


def _namespace(does: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that names a namespace. does: what the command does in it, for its help."""
    return click.option("--namespace", metavar="NAME", callback=_checked_namespace, help=does)


class _Topic:
    """The topic of rules. Kafka is asked once the files are read, and whether it listens before that."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def read(self) -> "list[RuleMessage]":
        from streamgauge.topics.rule_topic import RuleTopic

        kafka_listens(self._config)
        return RuleTopic(self._config.kafka).read()

    def publish(self, messages: "Sequence[RuleMessage]") -> None:
        from streamgauge.topics.rule_topic import RuleTopic

        RuleTopic(self._config.kafka).publish(messages)


@click.group()
def rules() -> None:
    """Check, test, backtest and apply rule files."""


@rules.command()
@click.argument("files", nargs=-1, type=_FILES)
@click.option("--lint-fatal", is_flag=True, help="Exit with 3 if there are duplicate rules.")
@click.pass_obj
def check(config: Config, files: tuple[Path, ...], lint_fatal: bool) -> None:
    """Report every error in rule FILES, SQL rules included, with its line; reads standard input without FILES."""
    from streamgauge.rules.files import command

    sys.exit(command.check(files, config.rules.severities, lint_fatal))


@rules.command()
@click.argument("files", nargs=-1, required=True, type=_FILES)
@click.option("--run", "only", metavar="REGEX", help="Run only tests whose names match.")
def test(files: tuple[Path, ...], only: str | None) -> None:
    """Run unit tests of rules from FILES in promtool's format."""
    from streamgauge.rules.files import command

    sys.exit(command.test(files, only))


@rules.command()
@click.argument("files", nargs=-1, required=True, type=_FILES)
@click.option(
    "--from", "start", required=True, metavar="TIME", help="Start: RFC 3339, Unix seconds or now-1d."
)
@click.option(
    "--to", "end", default="now", show_default=True, metavar="TIME", help="End, in the same formats."
)
@click.option(
    "--step", metavar="DURATION", help="Time between evaluations.  [default: each group's interval]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--fail-on-alert", is_flag=True, help="Exit with 1 if any alert fires.")
@click.option("--topic", is_flag=True, help="Read metrics.raw in Kafka instead of the store.")
@click.pass_obj
def backtest(
    config: Config,
    files: tuple[Path, ...],
    start: str,
    end: str,
    step: str | None,
    as_json: bool,
    fail_on_alert: bool,
    topic: bool,
) -> None:
    """Show the alerts that rule FILES would have raised on the samples in the store, or in Kafka."""
    from streamgauge.promql.syntax.literals import duration
    from streamgauge.rules.backtest.command import Asked
    from streamgauge.rules.backtest.run import Span
    from streamgauge.times import timestamp

    try:
        span = Span(timestamp(start), timestamp(end), duration(step) if step else 0)
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    if span.start >= span.end:
        raise click.ClickException("--from must be before --to")
    asked = Asked(files, span, as_json, fail_on_alert)
    sys.exit(_on_topic(config, asked) if topic else _on_store(config, asked))


def _on_store(config: Config, asked: "Asked") -> int:
    import time

    from streamgauge.rules.backtest.command import run
    from streamgauge.store.reader import Reader
    from streamgauge.store.reading import ReadContext
    from streamgauge.store.session import connected
    from streamgauge.store.source import ReaderSource

    with connected(config.cassandra) as session:
        reader, reading = Reader(session, config.shards, config.storage_classes), ReadContext()
        source = ReaderSource(reader, reading)
        code = run(asked, config.rules.severities, lambda _: source, _context(config), time.monotonic)
        for damage in reading.damages:
            click.secho(f"skipped a damaged row: {damage.reason}: {damage.row}", fg="yellow", err=True)
    return code


def _on_topic(config: Config, asked: "Asked") -> int:
    import time

    from schemas.topics import RAW
    from streamgauge.rules.backtest.command import run
    from streamgauge.rules.machine.compiled import CompiledGroup
    from streamgauge.rules.stream.compile.reach import reach_of
    from streamgauge.topics.topic_source import TopicSource

    context = _context(config)
    opened: list[TopicSource] = []

    def source_of(groups: Sequence[CompiledGroup]) -> TopicSource:
        found = reach_of(groups, context.lookback_ms)
        start = asked.span.start - max((reach.before for reach in found), default=0)
        selectors = [reach.conditions for reach in found]
        kafka_listens(config)
        opened.append(TopicSource(config.kafka, config.layout.lanes, selectors, start))
        is_hidden = not sys.stderr.isatty()
        with click.progressbar(length=1000, label=f"reading {RAW}", file=sys.stderr, hidden=is_hidden) as bar:
            opened[0].read(lambda done: bar.update(round(done * 1000) - bar.pos))
        return opened[0]

    code = run(asked, config.rules.severities, source_of, context, time.monotonic)
    if opened and opened[0].skipped:
        click.secho(f"skipped messages that are not batches: {opened[0].skipped}", fg="yellow", err=True)
    return code


def _context(config: Config) -> "EvaluationContext":
    from streamgauge.rules.machine.compiled import EvaluationContext

    return EvaluationContext(lookback_ms=config.gateway.lookback_s * 1000)


@rules.command()
@click.argument("files", nargs=-1, required=True, type=_FILES)
@_namespace("Namespace of these files; files of other namespaces are never replaced.")
@click.option("--yes", is_flag=True, help="Apply without asking for confirmation.")
@click.pass_obj
def apply(config: Config, files: tuple[Path, ...], namespace: str, yes: bool) -> None:
    """Show what FILES would change and, once confirmed, apply their rules to a running system.

    All changes take effect together, a few seconds later. Groups of other files stay as they are. Without a terminal
    for the confirmation nothing is applied unless --yes is given.
    """
    from streamgauge.rules.applied import command
    from streamgauge.times import now_ms

    agrees = None if yes else command.ask
    sys.exit(command.apply(files, config.rules.severities, _Topic(config), now_ms, agrees, namespace))


@rules.command("list")
@_namespace("Show only the rules of this namespace.")
@click.pass_obj
def applied(config: Config, namespace: str) -> None:
    """Show the applied rules."""
    from streamgauge.rules.applied import command

    sys.exit(command.show(_Topic(config), namespace))


@rules.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def costs(config: Config, as_json: bool) -> None:
    """Show the cost of each running rule, SQL rules included, most samples first."""
    from streamgauge.cli.board import groups_now
    from streamgauge.rules.machine import costs as command
    from streamgauge.terminal import terminal

    kafka_listens(config)
    command.show(groups_now(config), as_json=as_json, console=terminal())


@rules.command()
@click.argument("files", nargs=-1, required=True, type=_FILES)
@_namespace("Namespace of these files.")
@click.pass_obj
def diff(config: Config, files: tuple[Path, ...], namespace: str) -> None:
    """Show what applying FILES would change; exit with 2 if there are changes."""
    from streamgauge.rules.applied import command

    sys.exit(command.diff(files, config.rules.severities, _Topic(config), namespace))
