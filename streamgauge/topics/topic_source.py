"""Samples read from `metrics.raw` itself, for rules that are tried on what the store no longer or never had."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from schemas.batches import batch
from schemas.batches.batch import InvalidBatch
from schemas.topics import RAW
from streamgauge.config import Kafka
from streamgauge.series import ids as series_ids
from streamgauge.series.matchers import Matcher, Named, fulfils, named
from streamgauge.series.samples import Samples, between, concat, take
from streamgauge.topics.partition import TIMEOUT_S, headers_of, reader

MESSAGES_AT_ONCE = 500
Conditions = Sequence[Matcher]


class TopicSource:
    """A `streamgauge.promql.data.query.Source` of what Kafka has.

    The topic is read once, from a time on, for all that is known to be asked for; once more for what is asked besides.

    :param selectors: what is known to be asked for. :param start: the earliest time (ms) of it.
    skipped: messages that are no batch.
    """

    def __init__(self, kafka: Kafka, lanes: int, selectors: Sequence[Conditions], start: int) -> None:
        self.skipped = 0
        self._kafka = kafka
        self._lanes = lanes
        self._selectors = [tuple(one) for one in selectors]
        self._start = start
        self._labels: dict[bytes, bytes] = {}
        self._samples: Samples | None = None

    def read(self, progress: Callable[[float], None] = lambda _: None) -> None:
        """Read the topic now, not when something is asked first.

        :param progress: called with the part that is done, up to 1.
        :raises confluent_kafka.KafkaException, TimeoutError: without Kafka.
        """
        self._samples = self._read(progress)

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `Source` asks for.

        :raises confluent_kafka.KafkaException, TimeoutError: without Kafka.
        """
        wanted = tuple(matchers)
        if wanted not in self._selectors or start_ms < self._start:
            self._selectors = list(dict.fromkeys([*self._selectors, wanted]))
            self._start = min(self._start, start_ms)
            self._samples = None
        if self._samples is None:
            self._samples = self._read(lambda _: None)
        conditions = named(wanted)
        packed = series_ids.split(series_ids.to_bytes(self._samples.ids))
        rows = [row for row, one in enumerate(packed) if fulfils(self._labels[one], conditions)]
        found = between(take(self._samples, np.array(rows, np.int64)), start_ms, end_ms)
        return [self._labels[one] for one in series_ids.split(series_ids.to_bytes(found.ids))], found

    def _read(self, progress: Callable[[float], None]) -> Samples:
        known: dict[bytes, bool] = {}
        selectors = [named(one) for one in self._selectors]
        parts: list[Samples] = []
        for message in _messages(self._kafka, self._start, progress):
            value = message.value()
            if value == batch.HEARTBEAT:
                continue
            try:
                part = self._picked(message, value, selectors, known)
            except InvalidBatch:
                # the store job sets it aside with its reason
                self.skipped += 1
                continue
            if part is not None:
                parts.append(part)
        return concat(parts)

    def _picked(
        self,
        message: Message,
        value: bytes | None,
        selectors: Sequence[Named],
        known: dict[bytes, bool],
    ) -> Samples | None:
        """The series of a batch that any selector wants."""
        headers = {name: text.encode() for name, text in headers_of(message).items()}
        key = message.key()
        place = batch.envelope(
            key.encode() if isinstance(key, str) else key, headers, message.timestamp()[1], self._lanes
        )
        found = batch.decode(value, place.lane, place.minute, self._lanes)
        packed = series_ids.split(series_ids.to_bytes(found.samples.ids))
        if any(one not in known for one in packed):
            whole = batch.decode(value, place.lane, place.minute, self._lanes, labels=True)
            for one, data in batch.labels_by_id(whole).items():
                known[one] = any(fulfils(data, each) for each in selectors)
                if known[one]:
                    self._labels[one] = data
        rows = [row for row, one in enumerate(packed) if known[one]]
        return take(found.samples, np.array(rows, np.int64)) if rows else None


def _messages(kafka: Kafka, start: int, progress: Callable[[float], None]) -> Iterator[Message]:
    """The messages of all partitions from a time (ms) of theirs up to what is the end now."""
    consumer = reader(kafka)
    try:
        places = consumer.list_topics(RAW, timeout=TIMEOUT_S).topics[RAW].partitions
        asked = [TopicPartition(RAW, partition, max(0, start)) for partition in places]
        starts: list[TopicPartition] = []
        ends: dict[int | None, int] = {}
        for place in consumer.offsets_for_times(asked, timeout=TIMEOUT_S):
            _, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
            # without any message of that time it is the end, which is negative
            if 0 <= place.offset < end:
                starts.append(place)
                ends[place.partition] = end
        consumer.assign(starts)
        left = dict(ends) | {place.partition: ends[place.partition] - place.offset for place in starts}
        whole = sum(left.values())
        while ends:
            found = consumer.consume(MESSAGES_AT_ONCE, TIMEOUT_S)
            if not found:
                raise TimeoutError(f"{RAW} has not been read to its end within {TIMEOUT_S:.0f} s")
            for message in found:
                partition = message.partition()
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if partition not in ends:
                    continue
                offset, end = message.offset(), ends[partition]
                left[partition] = max(0, end - offset - 1) if offset is not None else 0
                if error is not None or offset is None or offset >= end - 1:
                    del ends[partition]
                if error is None and offset is not None and offset < end:
                    yield message
            progress(1 - sum(left.values()) / whole)
    finally:
        consumer.close()
