"""`streamgauge notify`: the bridge and its metrics in one process."""

import json
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prometheus_client import disable_created_metrics, start_http_server

from schemas.alert_messages import Triggered
from schemas.units import HOUR_MS
from streamgauge.config import Config
from streamgauge.notify.bridge import Bridge, Journal, Terms
from streamgauge.notify.receiver import Alertmanager
from streamgauge.promql.syntax.literals import duration
from streamgauge.rules.machine.alert_output import NO_EXTERNAL_URL
from streamgauge.times import now_ms

log = logging.getLogger(__name__)


class OpenJournal(Journal, Protocol):
    """A journal that is closed in the end."""

    def close(self) -> None:
        """Stop reading."""
        ...


Holds = Callable[[Triggered], Triggered | None]
Open = Callable[[Bridge], OpenJournal]


class Printer:
    """Takes alerts by printing them, each as a line of JSON."""

    name = "stdout"

    def send(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Print alerts."""
        for alert in alerts:
            print(json.dumps(alert, ensure_ascii=False), flush=True)


def run(config: Config, opened: Open, holds: Holds) -> None:
    """Tell the configured Alertmanagers of alerts until SIGTERM or SIGINT.

    :param opened: opens the journal of a bridge. :param holds: as the bridge's.
    """
    settings = config.notify
    disable_created_metrics()  # type: ignore[no-untyped-call]
    receivers = [Alertmanager(url, settings.token_file, settings.timeout_s) for url in settings.alertmanagers]
    bridge = Bridge(receivers, _terms(config), now_ms, holds)
    host, _, port = settings.listen.rpartition(":")
    start_http_server(int(port), host, bridge.metrics.registry)
    names = " ".join(each.name for each in receivers)
    log.info("notify: alertmanagers=%s metrics=%s", names, settings.listen)
    if not config.alerts.external_url:
        log.warning(NO_EXTERNAL_URL)
    _until_told(bridge, opened)


def print_alerts(config: Config, opened: Open, holds: Holds) -> None:
    """Print the alerts that would be sent, firing ones first, until SIGTERM or SIGINT."""
    _until_told(Bridge([Printer()], _terms(config), now_ms, holds), opened)


def _until_told(bridge: Bridge, opened: Open) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.end())
    journal = opened(bridge)
    try:
        bridge.run(journal)
    finally:
        journal.close()


def _terms(config: Config) -> Terms:
    # samples older than their retention in Kafka cannot be evaluated again
    memory_ms = (config.kafka.retention_hours + 1) * HOUR_MS
    return Terms(duration(config.notify.resend_delay), memory_ms, config.notify.external_labels)
