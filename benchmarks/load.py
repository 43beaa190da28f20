"""Series and samples such as exporters have them, as batches or as remote write requests, at any number."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import KafkaException, Producer

from schemas import limits
from schemas.batches import batch
from schemas.protobuf import varint
from schemas.topics import RAW
from schemas.units import MINUTE_MS
from streamgauge.collect.receive.remote_write_request import encode
from streamgauge.config import Config
from streamgauge.series import ids as series_ids
from streamgauge.series import labels as series_labels
from streamgauge.series.samples import Samples

METRICS = 50
DEVICES = 4
SECOND_MS = 1000
ROWS_A_LANE = 8192
"""Series of a lane at design load: with 4 metric groups, 2048 to a row."""
Values = npt.NDArray[np.float64]


def lanes_for(series: int) -> int:
    """The lanes of a layout made for so many series."""
    lanes = 8
    while series / lanes > ROWS_A_LANE:
        lanes *= 2
    return lanes


def label_set(number: int) -> dict[str, str]:
    """The labels of a series: 50 metrics of 4 devices of each host."""
    host, device = number // (METRICS * DEVICES), number // METRICS % DEVICES
    return {
        "__name__": f"node_metric_{number % METRICS:02}_total",
        "cluster": "eu-west-1a",
        "device": f"nvme{device}n1",
        "instance": f"10.{host // 250}.{host % 250}.17:9100",
        "job": "node",
    }


def of_lane(count: int, lane: int, lanes: int) -> list[int]:
    """The first so many series that are of this lane: all metrics of the devices whose labels hash to it."""
    found: list[int] = []
    device = 0
    while len(found) < count:
        first = device * METRICS
        identity = series_ids.series_id(series_labels.canonical(label_set(first)))
        if series_ids.lane_of(identity, lanes) == lane:
            found += range(first, first + METRICS)
        device += 1
    return found[:count]


def by_lane(numbers: Iterable[int], lanes: int) -> Iterator[tuple[int, dict[bytes, bytes]]]:
    """Canonical labels by id, in batches of a lane as collectors make them."""
    waiting: dict[int, dict[bytes, bytes]] = {}
    for number in numbers:
        data = series_labels.canonical(label_set(number))
        identity = series_ids.series_id(data)
        lane = series_ids.lane_of(identity, lanes)
        waiting.setdefault(lane, {})[identity] = data
        if len(waiting[lane]) == limits.MAX_BATCH_SERIES:
            yield lane, waiting.pop(lane)
    yield from waiting.items()


class Steps:
    """What series show at each step: of ten, three constants, three counters, three gauges with two decimals, and
    one that uses all bits of a double."""

    def __init__(self, series: int, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._kinds = np.arange(series) * 7 % 10
        self._base = self._random.integers(1, 10**6, series).astype(np.float64)
        self._rates = self._random.integers(1, 5000, series)
        self._counters = self._base.copy()

    def __call__(self) -> Values:
        """The values of the next step, one a series."""
        series = len(self._base)
        self._counters += np.floor(self._rates * self._random.random(series))
        gauges = np.round(self._base / 100 + self._random.normal(0, 20, series), 2)
        noise = self._random.random(series)
        return np.select(
            [self._kinds < 3, self._kinds < 6, self._kinds < 9], [self._base, self._counters, gauges], noise
        )


class _Batch(NamedTuple):
    """Series that go into one batch: their lane, numbers, ids and labels."""

    lane: int
    numbers: npt.NDArray[np.int64]
    ids: series_ids.Ids
    labels: pa.BinaryArray


class Replay:
    """Puts minutes of samples into Kafka as collectors would, with simulated time.

    The batches of a lane, of up to 1000 series with a sample each, spread over the step; a lane that had none for
    a second gets a heartbeat. Messages of a partition are in the order of time.
    """

    def __init__(self, config: Config, series: int, step_ms: int) -> None:
        self._lanes, self._partitions = config.layout.lanes, config.kafka.partitions
        self._step_ms = step_ms
        self._values = Steps(series)
        self._messages = self._of_a_step(list(_batches_of(config, series)))
        self._kafka = Producer(
            {
                "bootstrap.servers": config.kafka.bootstrap,
                "enable.idempotence": True,
                "log_level": 0,
                "queue.buffering.max.kbytes": 512 * 1024,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self.bytes = 0

    def produce(self, start: int, minutes: int) -> None:
        """Produce these minutes from `start` (ms) on, and heartbeats of two more, which end the last one."""
        end = start + minutes * MINUTE_MS
        for tick in range(start, end, self._step_ms):
            values = self._values()
            for after, lane, own in self._messages:
                if own is None:
                    self._put(lane, batch.HEARTBEAT, tick + after)
                    continue
                size = len(own.numbers)
                times = np.full(size, tick + after)
                samples = Samples(own.ids, np.arange(size + 1), times, values[own.numbers])
                self._put(lane, batch.encode(samples, own.labels), tick + after)
        for time in range(end, end + 2 * MINUTE_MS, SECOND_MS):
            for lane in range(self._lanes):
                self._put(lane, batch.HEARTBEAT, time)
        self._kafka.flush()

    def _of_a_step(self, batches: list[_Batch]) -> list[tuple[int, int, _Batch | None]]:
        """When after its begin (ms) each lane sends what: a batch, or None for a heartbeat."""
        messages: list[tuple[int, int, _Batch | None]] = []
        for lane in range(self._lanes):
            own = [each for each in batches if each.lane == lane]
            for number, each in enumerate(own):
                share = (number + lane / self._lanes) / len(own)
                messages.append((int(share * self._step_ms), lane, each))
        busy = {(after // SECOND_MS, lane) for after, lane, _ in messages}
        messages += [
            (after, lane, None)
            for after in range(0, self._step_ms, SECOND_MS)
            for lane in range(self._lanes)
            if (after // SECOND_MS, lane) not in busy
        ]
        return sorted(messages, key=lambda message: message[:2])

    def _put(self, lane: int, value: bytes, time: int) -> None:
        self.bytes += len(value)
        partition = series_ids.partition_of(lane, self._partitions)
        headers = batch.headers_of("bench", time + 20)
        while True:
            try:
                self._kafka.produce(
                    RAW, value, batch.key_of(lane), partition, _raise, timestamp=time, headers=[*headers]
                )
                break
            except BufferError:
                self._kafka.poll(0.1)
        self._kafka.poll(0)


def _batches_of(config: Config, series: int) -> Iterator[_Batch]:
    labels = [series_labels.canonical(label_set(number)) for number in range(series)]
    ids = series_ids.from_bytes(b"".join(map(series_ids.series_id, labels)))
    lanes = series_ids.lanes_of(ids, config.layout.lanes)
    for lane in range(config.layout.lanes):
        own = np.flatnonzero(lanes == lane)
        own = own[np.lexsort((ids[own, 1], ids[own, 0]))]
        for numbers in np.array_split(own, -(-len(own) // limits.MAX_BATCH_SERIES)) if len(own) else ():
            yield _Batch(lane, numbers, ids[numbers], pa.array([labels[n] for n in numbers], pa.binary()))


class Requests:
    """Remote write requests of the same series again and again: only times and values change in their bytes.

    :param samples: of each series in one request, `apart_ms` from each other.
    """

    def __init__(self, series: Sequence[int], samples: int = 1, apart_ms: int = 1000) -> None:
        self._samples = samples
        self._apart_ms = apart_ms
        self._values = Steps(len(series), series[0])
        parts = [encode([(label_set(number), [(_PLACEHOLDER, 0.0)] * samples)]) for number in series]
        self._body = np.frombuffer(b"".join(parts), np.uint8).copy()
        found, at = [], 0
        # a sample: 0x09, 8 bytes of value, 0x10, 6 bytes of time
        for part in parts:
            at += len(part)
            found.append(at - 18 * samples + 2 + 18 * np.arange(samples))
        self._at = np.array(found)

    def body(self, time: int) -> bytes:
        """A compressed request whose newest samples are of this time (ms)."""
        for number in range(self._samples):
            place = self._at[:, number]
            values = self._values().view(np.uint8).reshape(-1, 8)
            self._body[place[:, None] + 1 + np.arange(8)] = values
            written = varint(time - (self._samples - 1 - number) * self._apart_ms)
            self._body[place[:, None] + 10 + np.arange(6)] = np.frombuffer(written, np.uint8)
        return bytes(cramjam.snappy.compress_raw(self._body.data))


_PLACEHOLDER = 1_763_892_000_000


def _raise(error: object, _: object) -> None:
    if error is not None:
        raise KafkaException(error)
