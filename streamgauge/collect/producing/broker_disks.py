"""How full the disks of Kafka's brokers are, asked in Kafka's own protocol: DescribeLogDirs, version 4 (KIP-827).

The client library has no such call.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamgauge.clients.kafka import client_settings
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.broker_connection import TIMEOUT_S, Cursor, connect
from streamgauge.config import Kafka
from streamgauge.config.connections import MissingPassword

API_KEY, VERSION = 35, 4
EVERY_S = 15.0

log = logging.getLogger(__name__)


class Disk(NamedTuple):
    """The disk of one of a broker's log folders, in bytes."""

    folder: str
    total: int
    usable: int

    @property
    def used_pct(self) -> float:
        """How much of it is used, in percent."""
        return 100 * (1 - self.usable / self.total)


class BrokerDisks:
    """Keeps `broker_disk_usage_pct` up to date."""

    def __init__(self, kafka: Kafka, metrics: Metrics) -> None:
        self._kafka = kafka
        self._gauge = metrics.broker_disk_usage
        self._shown: set[tuple[str, str]] = set()
        self._trouble = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            found = await asyncio.to_thread(self._look)
            shown = {(broker, disk.folder): disk for broker, disks in found.items() for disk in disks}
            for gone in self._shown - shown.keys():
                self._gauge.remove(*gone)
            for place, disk in shown.items():
                self._gauge.labels(*place).set(disk.used_pct)
            self._shown = set(shown)
            await asyncio.sleep(EVERY_S)

    def _look(self) -> Mapping[str, list[Disk]]:
        """The disks of the brokers that answer."""
        found = {}
        trouble = ""
        try:
            brokers = AdminClient(client_settings(self._kafka)).list_topics(timeout=TIMEOUT_S).brokers
        except (KafkaException, MissingPassword) as error:
            brokers, trouble = {}, str(error)
        for broker in brokers.values():
            try:
                found[str(broker.id)] = disks(self._kafka, broker.host or "", broker.port)
            except (OSError, ValueError) as error:
                trouble = f"broker {broker.id}: {error}"
        if trouble and not self._trouble:
            log.warning("disks of brokers not known: error=%s", trouble)
        self._trouble = trouble
        return found


def disks(kafka: Kafka, host: str, port: int) -> list[Disk]:
    """The disks of a broker.

    :raises OSError: if it does not answer. :raises ValueError: if it refuses, or for an answer that cannot be read.
    """
    with connect(kafka, host, port) as connection:
        # an empty list of topics: their sizes are not asked for
        return read_answer(connection.ask(API_KEY, VERSION, b"\x01\x00", flexible=True))


def read_answer(data: bytes) -> list[Disk]:
    """The disks that an answer tells, without those whose size the broker does not know.

    :raises ValueError: for what is no good answer.
    """
    cursor = Cursor(data)
    cursor.number(">i")
    _check(cursor.number(">h"))
    found = []
    for _ in range(cursor.length()):
        _check(cursor.number(">h"))
        folder = cursor.text()
        for _ in range(cursor.length()):
            cursor.text()
            for _ in range(cursor.length()):
                cursor.take(4 + 8 + 8 + 1)
                cursor.tags()
            cursor.tags()
        total, usable = cursor.number(">q"), cursor.number(">q")
        cursor.tags()
        if total > 0 and usable >= 0:
            found.append(Disk(folder, total, usable))
    return found


def _check(code: int) -> None:
    if code:
        raise ValueError(f"Kafka's error {code}")
