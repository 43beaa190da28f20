"""How full the disks of Kafka's brokers are, asked in Kafka's own protocol: DescribeLogDirs, version 4 (KIP-827).

The client library has no such call. Brokers are spoken to without TLS, as everywhere in this system.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamgauge.collect.metrics import Metrics
from streamgauge.config import Kafka

API_KEY, VERSION, CORRELATION = 35, 4, 1
CLIENT = b"streamgauge"
TIMEOUT_S = 5.0
EVERY_S = 15.0
MAX_ANSWER_BYTES = 1024 * 1024

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
        self._bootstrap = kafka.bootstrap
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
            brokers = (
                AdminClient({"bootstrap.servers": self._bootstrap}).list_topics(timeout=TIMEOUT_S).brokers
            )
        except KafkaException as error:
            brokers, trouble = {}, str(error)
        for broker in brokers.values():
            try:
                found[str(broker.id)] = disks(broker.host or "", broker.port)
            except (OSError, ValueError) as error:
                trouble = f"broker {broker.id}: {error}"
        if trouble and not self._trouble:
            log.warning("disks of brokers not known: error=%s", trouble)
        self._trouble = trouble
        return found


def disks(host: str, port: int) -> list[Disk]:
    """The disks of a broker.

    :raises OSError: if it does not answer. :raises ValueError: for an answer that cannot be read.
    """
    header = struct.pack(f">hhih{len(CLIENT)}sB", API_KEY, VERSION, CORRELATION, len(CLIENT), CLIENT, 0)
    # an empty list of topics: their sizes are not asked for
    request = header + b"\x01\x00"
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            length = _Cursor(stream.read(4)).number(">i")
            if not 0 < length <= MAX_ANSWER_BYTES:
                raise ValueError(f"an answer of {length} bytes")
            return read_answer(stream.read(length))


def read_answer(data: bytes) -> list[Disk]:
    """The disks that an answer tells, without those whose size the broker does not know.

    :raises ValueError: for what is no good answer.
    """
    cursor = _Cursor(data)
    if (correlation := cursor.number(">i")) != CORRELATION:
        raise ValueError(f"answer to another request, {correlation}")
    cursor.tags()
    cursor.number(">i")
    _check(cursor.number(">h"))
    found = []
    for _ in range(cursor.length()):
        _check(cursor.number(">h"))
        folder = cursor.text()
        for _ in range(cursor.length()):
            cursor.text()
            for _ in range(cursor.length()):
                cursor.bytes(4 + 8 + 8 + 1)
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


class _Cursor:
    """Reads the types of Kafka's protocol from bytes. Each read raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def bytes(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise ValueError("the answer ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, form: str) -> int:
        [found] = struct.unpack(form, self.bytes(struct.calcsize(form)))
        return int(found)

    def varint(self) -> int:
        found = 0
        for shift in range(0, 35, 7):
            [byte] = self.bytes(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
        raise ValueError("a number without an end")

    def length(self) -> int:
        """Of a compact array or text: one more is written, 0 for none."""
        return max(self.varint() - 1, 0)

    def text(self) -> str:
        return self.bytes(self.length()).decode(errors="replace")

    def tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.bytes(self.varint())
