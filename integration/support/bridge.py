"""The bridge as a process, between the real Kafka and a real Alertmanager."""

import json
import re
import time
from collections import defaultdict

import httpx
from confluent_kafka import Producer

from integration.support.alertmanager import Alertmanager, Webhook
from integration.support.commands import start
from integration.support.stored import wait_for
from schemas.alert_messages import HEADERS, Triggered, encode
from schemas.topics import TRIGGERED
from streamgauge.local.servers.ports import free_ports

RESEND_S = 2
SENT = re.compile(r"sent: alertmanager=\S+ state=(\w+) alert=(.*) id=(\S+)$")


def change(instance, after, tick, before="", **more):
    """A change of the alert Down of an instance."""
    labels = {"alertname": "Down", "instance": instance, "severity": "page"}
    fields = {
        "labels": labels,
        "annotations": {"summary": f"{instance} is down"},
        "starts_at": tick,
        "ends_at": tick if after == "resolved" else 0,
        "generator_url": "http://gateway/graph?g0.expr=up+%3D%3D+0",
    } | more
    return Triggered(
        id=f"{instance}-{tick}-{after}",
        group="notify/up",
        rule="Down",
        rule_set="1",
        before=before,
        after=after,
        value="0e+00",
        active_at=tick,
        tick=tick,
        delay_ms=100,
        interval_ms=1000,
        **fields,
    )


class Bridge:
    """`streamgauge notify` in a process, started again and again, and what it logged."""

    def __init__(self, config, folder, url) -> None:
        self._folder = folder
        self._config = config
        [port] = free_ports(1)
        self.metrics_url = f"http://127.0.0.1:{port}/metrics"
        self.notify = {
            "alertmanagers": [url],
            "resend_delay": f"{RESEND_S}s",
            "listen": f"127.0.0.1:{port}",
            "external_labels": {"region": "here"},
            "name": "one",
        }
        self.log = folder / "bridge.log"
        self.process = None

    @property
    def file(self):
        return self._folder / "notify.yml"

    def start(self, name="one") -> None:
        self.notify["name"] = name
        document = self._config.model_dump(mode="json") | {"notify": self.notify}
        self.process = start("notify", document, self.file, self.log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(40) == 0, self.log.read_text()[-3000:]

    def sent(self):
        """The ids that the Alertmanager took, by alert, in their order, those that it took again left out."""
        found = defaultdict(dict)
        for line in self.log.read_text().splitlines():
            if (match := SENT.search(line)) is not None:
                found[match[2]].setdefault(match[3])
        return {alert: list(ids) for alert, ids in found.items()}

    def ids(self, instance):
        return next((ids for alert, ids in self.sent().items() if f'"{instance}"' in alert), [])

    def metric(self, name):
        """The sum of the samples of a metric that have these words in their line."""
        lines = httpx.get(self.metrics_url).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


class System:
    """All of it."""

    def __init__(self, config, folder) -> None:
        self.hook = Webhook()
        [port] = free_ports(1)
        self.alertmanager = Alertmanager(folder, port, self.hook.url)
        self.bridge = Bridge(config, folder, self.alertmanager.url)
        self.now = int(time.time() * 1000) - 600_000
        self._producer = Producer({"bootstrap.servers": config.kafka.bootstrap, "linger.ms": 0})

    def tick(self) -> int:
        """The next one."""
        self.now += 1000
        return self.now

    def trigger(self, *changes) -> None:
        """Put changes on the topic, keyed by their alerts."""
        for each in changes:
            key, value = (each, each) if isinstance(each, str) else (json.dumps(each.labels), encode(each))
            self._producer.produce(TRIGGERED, value, key, headers={**HEADERS})
        self._producer.flush(30)

    def wait(self, condition) -> None:
        """Until the condition holds, or fail with the bridge's log."""
        wait_for(condition, 60, lambda: self.bridge.log.read_text()[-3000:])

    def told(self, instance, *statuses) -> None:
        """Wait until people were told exactly so."""
        self.wait(lambda: len(self.hook.of(instance)) >= len(statuses))
        assert self.hook.of(instance) == list(statuses)
