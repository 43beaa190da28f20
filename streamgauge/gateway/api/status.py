"""/api/v1/status/... and /api/v1/alertmanagers: the gateway's own state and configuration."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from streamgauge import __version__
from streamgauge.config import KEPT, Config
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.query.queries import Answer, document
from streamgauge.gateway.request.parameters import Form
from streamgauge.redaction import redacted, without_secrets
from streamgauge.store.reading import ReadContext
from streamgauge.times import rfc3339

PROMETHEUS_VERSION = "3.16.0"
"""Version of Prometheus's API that this one follows; clients choose features by it."""


class Status:
    """Answers from the configuration. clock: gives the time in ms."""

    def __init__(self, config: Config, clock: Callable[[], int]) -> None:
        self._config = config
        self._clock = clock
        self._started = clock()

    def buildinfo(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/buildinfo"""
        build = {
            "version": PROMETHEUS_VERSION,
            "revision": f"streamgauge-{__version__}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
        return document(build, reading)

    def config(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/config: all keys with their values, passwords hidden."""
        shown = yaml.safe_dump(self._shown(), sort_keys=False, allow_unicode=True)
        return document({"yaml": shown}, reading)

    def flags(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/flags: the keys of the configuration, and Prometheus's flags that say the same."""
        gateway = self._config.gateway
        flags = dict(_flat(self._shown())) | {
            "query.lookback-delta": f"{gateway.lookback_s}s",
            "query.timeout": f"{gateway.timeout_s}s",
            "storage.tsdb.retention.time": self._retention,
            "web.listen-address": gateway.listen,
        }
        return document(dict(sorted(flags.items())), reading)

    def runtimeinfo(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/runtimeinfo, as far as it applies outside of Go."""
        started = rfc3339(self._started)
        content = {
            "startTime": started,
            "CWD": str(Path.cwd()),
            "hostname": socket.gethostname(),
            "serverTime": rfc3339(self._clock()),
            "reloadConfigSuccess": True,
            "lastConfigTime": started,
            "corruptionCount": 0,
            "goroutineCount": threading.active_count(),
            "GOMAXPROCS": os.cpu_count() or 1,
            "GOMEMLIMIT": 0,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": self._retention,
        }
        return document(content, reading)

    def alertmanagers(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/alertmanagers: those that the bridge sends to."""
        urls = [f"{redacted(url).rstrip('/')}/api/v2/alerts" for url in self._config.notify.alertmanagers]
        content = {"activeAlertmanagers": [{"url": url} for url in urls], "droppedAlertmanagers": []}
        return document(content, reading)

    @property
    def _retention(self) -> str:
        """How long the coarsest rollups of the standard class are kept."""
        standard = self._config.storage.classes.get("standard")
        return (standard.retention if standard else {}).get("1day", KEPT["1day"])

    def _shown(self) -> dict[str, Any]:
        content: dict[str, Any] = without_secrets(self._config.model_dump(mode="json"))
        return content


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value if isinstance(value, str) else answer.text(value)
