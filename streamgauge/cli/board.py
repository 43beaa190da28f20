"""Rules and alerts for commands, from Kafka."""

from typing import TYPE_CHECKING

import click

from streamgauge.config import Config

if TYPE_CHECKING:
    from streamgauge.rules.applied.board import GroupView

READ_S = 30.0


def groups_now(config: Config) -> "list[GroupView]":
    """Return all groups with their health and alerts.

    :raises click.ClickException: if Kafka does not answer in time.
    """
    from streamgauge.times import now_ms
    from streamgauge.topics.alert_board import AlertBoard

    board = AlertBoard(config.kafka)
    try:
        if not board.wait(READ_S):
            raise click.ClickException(f"Kafka: {board.trouble or 'the topics were not read in time'}")
        groups, broken = board.see(lambda seen: (seen.groups(now_ms()), seen.broken()))
        for key in broken:
            click.secho(
                f"alerts of {key} may be out of date: parts of them are missing", fg="yellow", err=True
            )
        return groups
    finally:
        board.stop()
