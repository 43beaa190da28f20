"""`streamgauge notify` and `streamgauge alerts`; each command imports its dependencies itself."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamgauge.cli.reach import kafka_listens
from streamgauge.config import Config
from streamgauge.config.urls import check_url

if TYPE_CHECKING:
    from streamgauge.notify.bridge import Bridge


@click.command()
@click.option(
    "--alertmanager",
    "urls",
    multiple=True,
    metavar="URL",
    help="Root URL of an Alertmanager; repeat to notify several.  [default: notify.alertmanagers]",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with a bearer token for all Alertmanagers.  [default: notify.token_file]",
)
@click.option(
    "--dry-run", "--print", "dry_run", is_flag=True, help="Print the alerts instead of sending them."
)
@click.pass_obj
def notify(config: Config, /, urls: tuple[str, ...], token_file: Path | None, dry_run: bool) -> None:
    """Send firing and resolved alerts to Alertmanagers."""
    from streamgauge.notify.command import print_alerts, run
    from streamgauge.topics.alert_board import AlertBoard
    from streamgauge.topics.notified import Journal
    from streamgauge.topics.triggered import DryJournal

    own = _with(config, urls, token_file)
    if not (dry_run or own.notify.alertmanagers):
        raise click.ClickException("no Alertmanager: name one with --alertmanager or in notify.alertmanagers")
    board = AlertBoard(config.kafka)
    board.start()
    level = logging.WARNING if dry_run else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        if dry_run:
            print_alerts(own, lambda bridge: DryJournal(own.kafka, bridge.assigned), board.holds)
            return

        def opened(bridge: "Bridge") -> Journal:
            return Journal(
                own.kafka, own.notify.name, bridge.assigned, bridge.revoked, lambda: bridge.is_ending
            )

        run(own, opened, board.holds)
    finally:
        board.stop()


@click.command()
@click.option("--watch", is_flag=True, help="Keep printing changes until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; changes as JSON lines.")
@click.pass_obj
def alerts(config: Config, watch: bool, as_json: bool) -> None:
    """Show pending and firing alerts."""
    from streamgauge.cli.board import groups_now
    from streamgauge.notify.watch import Active, line, show
    from streamgauge.terminal import terminal
    from streamgauge.topics.triggered import changes

    kafka_listens(config)
    console = terminal()
    try:
        # before what there is now, so that nothing falls between
        following = changes(config.kafka) if watch else iter(())
        groups = groups_now(config)
        found = [Active(view.key, alert) for view in groups for rule in view.rules for alert in rule.alerts]
        show(found, as_json=as_json, console=console)
        for change, raw in following:
            if as_json:
                print(raw, flush=True)
            else:
                console.print(line(change), soft_wrap=True)
    except KeyboardInterrupt:
        return


def _with(config: Config, urls: tuple[str, ...], token_file: Path | None) -> Config:
    try:
        for url in urls:
            check_url(url)
    except ValueError as fault:
        raise click.ClickException(f"--alertmanager: {fault}") from None
    chosen = {
        "alertmanagers": urls or config.notify.alertmanagers,
        "token_file": token_file or config.notify.token_file,
    }
    return config.model_copy(update={"notify": config.notify.model_copy(update=chosen)})
