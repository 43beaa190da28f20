"""The `streamgauge` command. Each subcommand imports its dependencies itself."""

import faulthandler
import logging
import sys
from pathlib import Path

import click

from streamgauge import __version__
from streamgauge import config as configuration
from streamgauge.cli.alert_commands import alerts, notify
from streamgauge.cli.audit_command import audit
from streamgauge.cli.reach import Commands, flink_listens, kafka_listens
from streamgauge.cli.rule_commands import rules
from streamgauge.cli.users import password, token
from streamgauge.config import Config
from streamgauge.yaml_file import InvalidFile


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file.  [default: $STREAMGAUGE_CONFIG, then ./streamgauge.yml, then built-in defaults]",
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, file: Path | None) -> None:
    """Streamgauge: a distributed monitoring system on Flink."""
    if sys.__stderr__:
        faulthandler.enable(sys.__stderr__)
    # Flink shows its own help, for which it has to be set up
    if ("--help" in sys.argv or "-h" in sys.argv) and context.invoked_subcommand != "flink":
        return
    try:
        context.obj = configuration.read(file)
    except InvalidFile as fault:
        raise click.ClickException(str(fault)) from None


def _log() -> None:
    """Log to stderr, a line an event."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("cassandra").setLevel(logging.WARNING)
    # it logs every request with its URL, and the password in it
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _parts(only: str | None, jobs: bool, collector: bool, gateway: bool, config: Config) -> set[str]:
    from streamgauge.local.stack import Stack

    stack = Stack(config)
    if only:
        return {name.strip() for name in only.split(",")}
    left_out = {name for name, kept in (("collector", collector), ("gateway", gateway)) if not kept}
    return set(stack.parts() - left_out - (frozenset() if jobs else stack.jobs()))


@main.command()
@click.option("--only", metavar="NAME,...", help="Start only these processes and jobs.")
@click.option("--jobs/--no-jobs", default=True, help="Submit the Flink jobs.")
@click.option("--collector/--no-collector", default=True, help="Start the collector.")
@click.option("--gateway/--no-gateway", default=True, help="Start the gateway.")
@click.pass_obj
def up(config: Config, only: str | None, jobs: bool, collector: bool, gateway: bool) -> None:
    """Start the local stack and wait until it serves."""
    from streamgauge.local.progress import Progress
    from streamgauge.local.stack import Stack, StackError

    try:
        Stack(config).up(_parts(only, jobs, collector, gateway, config), Progress())
    except StackError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.pass_obj
def demo(config: Config) -> None:
    """Start everything and show a metric that passed through the whole pipeline."""
    from streamgauge.local.demo import run
    from streamgauge.local.progress import Progress
    from streamgauge.local.stack import StackError

    try:
        run(config, Progress())
    except StackError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.pass_obj
def down(config: Config) -> None:
    """Stop the local stack; jobs take a savepoint first."""
    from streamgauge.local.progress import Progress
    from streamgauge.local.stack import Stack, StackError

    try:
        Stack(config).down(Progress())
    except StackError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(config: Config, as_json: bool) -> None:
    """Show the state of every process and job; exit with 1 if any is unhealthy."""
    from streamgauge.local.stack import Stack
    from streamgauge.local.status import look, show

    found = look(Stack(config))
    show(found, as_json=as_json)
    sys.exit(0 if found.well else 1)


@main.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines.")
@click.option("-n", "--lines", default=50, show_default=True, help="Number of lines to print first.")
@click.pass_obj
def logs(config: Config, name: str, follow: bool, lines: int) -> None:
    """Show the log of a process or job."""
    from streamgauge.local.supervision.home import Home
    from streamgauge.local.supervision.logs import print_log

    log = Home(config.local.home).log(name)
    if not log.exists():
        there = ", ".join(sorted(file.stem for file in log.parent.glob("*.log"))) or "none"
        raise click.ClickException(f"unknown log; available logs: {there}")
    print_log(log, lines, follow)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def flink(config: Config, arguments: tuple[str, ...]) -> None:
    """Run Flink's own command line against the local stack: `streamgauge flink run -py jobs/backfill.py ...`."""
    from streamgauge.local.supervision.jobs import run_flink

    named = {*arguments} & {"-h", "--help", "-m", "--jobmanager"}
    if arguments and not arguments[0].startswith("-") and not named:
        # Flink's client reports an unreachable cluster in forty lines of Java
        flink_listens(config)
    sys.exit(run_flink(arguments, config))


@main.group()
def schema() -> None:
    """Manage topics and tables."""


@schema.command()
@click.pass_obj
def apply(config: Config) -> None:
    """Create missing topics and tables; refuse changes that are not possible."""
    from streamgauge.store.schema import apply as apply_schema

    kafka_listens(config)
    apply_schema(config, report=click.echo)


@main.command()
@click.argument("selector")
@click.option(
    "--from", "start", default="now-1h", show_default=True, help="Start: RFC 3339, Unix seconds or now-1h."
)
@click.option("--to", "end", default="now", show_default=True, help="End, in the same formats.")
@click.option("--limit", default=10, show_default=True, help="Maximum number of series to show.")
@click.pass_obj
def inspect(config: Config, selector: str, start: str, end: str, limit: int) -> None:
    """Show the stored data of the series that SELECTOR matches, at each resolution."""
    from streamgauge.promql.syntax import parser
    from streamgauge.store.inspection import inspect as look
    from streamgauge.store.reader import Reader
    from streamgauge.store.session import connected
    from streamgauge.terminal import terminal
    from streamgauge.times import timestamp

    try:
        matchers, first, last = parser.selector(selector), timestamp(start), timestamp(end)
    except ValueError as fault:
        raise click.ClickException(str(fault)) from None
    if first >= last:
        raise click.ClickException("--from must be before --to")
    with connected(config.cassandra) as session:
        reader = Reader(session, config.shards, config.storage_classes)
        for shown in look(reader, config.shards, matchers, first, last, limit):
            terminal().print(shown)


@main.command()
@click.pass_obj
def collect(config: Config) -> None:
    """Run the collector."""
    from streamgauge.collect.command import run
    from streamgauge.listening import NotListening

    _log()
    try:
        run(config)
    except NotListening as fault:
        raise click.ClickException(f"collector.listen: {fault}") from None


@main.command()
@click.pass_obj
def serve(config: Config) -> None:
    """Run the gateway."""
    from streamgauge.gateway.command import run
    from streamgauge.listening import NotListening

    _log()
    try:
        run(config)
    except NotListening as fault:
        raise click.ClickException(f"gateway.listen: {fault}") from None


@main.command()
@click.argument("expression", metavar="EXPR")
@click.option("--time", "at", metavar="TIME", help="Time of an instant query.  [default: now]")
@click.option("--start", metavar="TIME", help="Start of a range query.  [default: an hour before the end]")
@click.option("--end", metavar="TIME", help="End of a range query.  [default: now]")
@click.option(
    "--step", metavar="DURATION", help="Step of a range query, such as 15s.  [default: from its length]"
)
@click.option(
    "--url", metavar="URL", help="URL of a gateway or any Prometheus.  [default: the configured gateway]"
)
@click.option("--json", "output", flag_value="json", help="Print the result as JSON.")
@click.option("--csv", "output", flag_value="csv", help="Print the result as CSV, one sample per line.")
@click.pass_obj
def query(config: Config, /, expression: str, url: str | None, **options: str | None) -> None:
    """Evaluate a PromQL expression: prints a table for an instant, a plot for a range.

    A TIME is RFC 3339, Unix seconds, now or now-1h. Any of --start, --end and --step makes it a range query.
    """
    import time

    from streamgauge.query.command import Asked, run

    asked = Asked(expression, url or config.gateway.url, **options)
    sys.exit(run(asked, time.time))


main.add_command(rules)
main.add_command(notify)
main.add_command(alerts)
main.add_command(audit)
main.add_command(password)
main.add_command(token)
