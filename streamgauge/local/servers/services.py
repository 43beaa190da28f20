"""Every process of the local stack, in the order of starting."""

import sys

from streamgauge.config import Config
from streamgauge.local.servers import cassandra, flink, kafka, redis
from streamgauge.local.servers.service import Service, address, answers, listens
from streamgauge.local.supervision.home import Home


def services(config: Config, home: Home) -> list[Service]:
    """The stack's processes as the configuration describes them."""
    found = [
        redis.service(config, home),
        cassandra.service(config, home),
        kafka.service(config, home),
        flink.jobmanager(config, home),
        _schema(home),
        flink.taskmanager(config, home),
        _collector(config, home),
        _gateway(config, home),
    ]
    return [*found, _notify(config, home)] if config.notify.alertmanagers else found


def _streamgauge(home: Home, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "streamgauge.cli", "--config", str(home.config), *arguments]


def _schema(home: Home) -> Service:
    command = _streamgauge(home, "schema", "apply")
    return Service("schema", lambda: command, lambda: False, ("kafka", "cassandra"), once=True)


def _collector(config: Config, home: Home) -> Service:
    command = _streamgauge(home, "collect")
    _, port = address(config.collector.listen)
    ready = lambda: answers(f"http://{config.collector.listen}/metrics")  # noqa: E731
    return Service("collector", lambda: command, ready, ("schema",), {"collector.listen": port})


def _gateway(config: Config, home: Home) -> Service:
    command = _streamgauge(home, "serve")
    host, port = address(config.gateway.listen)
    # its certificate is for others to trust
    ready = lambda: listens(host, port) if config.gateway.tls else answers(f"{config.gateway.url}/metrics")  # noqa: E731
    return Service("gateway", lambda: command, ready, ("schema", "redis"), {"gateway.listen": port})


def _notify(config: Config, home: Home) -> Service:
    command = _streamgauge(home, "notify")
    _, port = address(config.notify.listen)
    ready = lambda: answers(f"http://{config.notify.listen}/metrics")  # noqa: E731
    return Service("notify", lambda: command, ready, ("schema",), {"notify.listen": port})
