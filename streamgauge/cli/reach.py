"""One-line errors for commands whose servers are unreachable, with the setting to check."""

import re
import socket
import sys
from collections.abc import Iterable
from typing import Any

import click

from streamgauge.config import Config
from streamgauge.yaml_file import InvalidFile

KAFKA_PORT = 9092
_ADDRESS = re.compile(r"(?:\w+://)?(?P<host>\[[^]]+\]|[^:/]+)(?::(?P<port>\d+))?", re.ASCII)
CONNECT_S = 3.0
"""The timeout for one address, before a client is made: that would go on trying for half a minute."""


class Commands(click.Group):
    """Commands that end with one line for an error of files and servers. The configuration is the context's object."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        :raises click.ClickException: with that line.
        """
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (line := _explained(error, ctx.find_object(Config))) is None:
                raise
            raise click.ClickException(line) from None


def kafka_listens(config: Config) -> None:
    """Return if a broker of `kafka.bootstrap` takes a connection.

    :raises click.ClickException: if none does.
    """
    # as librdkafka reads them: PROTOCOL://HOST:PORT, of which only the host is needed
    addresses = filter(None, map(str.strip, config.kafka.bootstrap.split(",")))
    _one_listens(addresses, KAFKA_PORT, _kafka(config))


def flink_listens(config: Config) -> None:
    """Return if the REST endpoint of `flink.rest` takes a connection.

    :raises click.ClickException: if it does not.
    """
    rest = config.flink.rest
    port = 443 if rest.startswith("https:") else 80
    _one_listens([rest.rstrip("/")], port, f"Flink at {rest} (flink.rest)")


def _one_listens(addresses: Iterable[str], port: int, name: str) -> None:
    reasons: list[Exception] = []
    for address in addresses:
        found = _ADDRESS.fullmatch(address)
        if found is None:
            return
        try:
            own = int(found["port"] or port)
            socket.create_connection((found["host"].strip("[]"), own), CONNECT_S).close()
            return
        except (OSError, OverflowError) as error:
            reasons.append(error)
    raise click.ClickException(f"{name}: {reasons[-1] if reasons else 'no address'}. Is it running?")


def _explained(error: Exception, config: Config | None) -> str | None:
    """The line for an error; None for one that is a fault of the program. Nothing is imported for it."""
    if isinstance(error, InvalidFile):
        return str(error)
    if config is None:
        return None
    if _is(error, "confluent_kafka", "KafkaException"):
        [reason, *_] = error.args
        return f"{_kafka(config)}: {reason.str() if hasattr(reason, 'str') else reason}"
    if isinstance(error, TimeoutError):
        return f"{_kafka(config)}: {error}"
    where = f"Cassandra at {','.join(config.cassandra.hosts)}:{config.cassandra.port} (cassandra.hosts)"
    if _is(error, "cassandra.cluster", "NoHostAvailable"):
        reasons = [str(each) for each in getattr(error, "errors", {}).values()]
        return f"{where}: {reasons[-1] if reasons else error}"
    if _is(error, "cassandra", "DriverException"):
        return f"{where}: {error}"
    if _is(error, "streamgauge.store.schema", "SchemaMismatch"):
        return str(error)
    return None


def _is(error: Exception, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _kafka(config: Config) -> str:
    return f"Kafka at {config.kafka.bootstrap} (kafka.bootstrap)"
