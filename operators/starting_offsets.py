"""Where the rollup job starts when it has no state."""

import time

from cassandra.cluster import Session
from confluent_kafka import Consumer, KafkaException, TopicPartition

from operators.raw_batches import Start
from schemas.tables import Resolution
from schemas.topics import RAW
from streamgauge.clients.kafka import client_settings
from streamgauge.config import Config
from streamgauge.store.progress import ProgressStore

MARGIN_MS = 120_000
TIMEOUT_S = 30.0
RETRY_S = 0.5


def from_progress(session: Session, config: Config, group: str) -> Start:
    """The offsets from which every minute that is not sealed can be computed again.

    In each partition, the first message whose newest sample is not before the end of the least sealed lane,
    less a margin; where there is none, the group's committed offset; else the beginning.
    """
    sealed = ProgressStore(session).read(Resolution.MIN1)
    # a lane that was never sealed may have its first samples anywhere in the topic
    everywhere = len(sealed) == config.layout.lanes
    consumer = Consumer({**client_settings(config.kafka), "group.id": group})
    try:
        return Start(_offsets_at(consumer, min(sealed.values()) - MARGIN_MS if everywhere else 0))
    finally:
        consumer.close()


def _partitions(consumer: Consumer) -> list[TopicPartition]:
    known = consumer.list_topics(RAW, timeout=TIMEOUT_S).topics[RAW].partitions
    return [TopicPartition(RAW, partition) for partition in known]


def _committed(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return consumer.committed(places, timeout=TIMEOUT_S)
        except KafkaException:
            # a broker that has just started does not know yet that it coordinates the group
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def _offsets_at(consumer: Consumer, timestamp: int) -> dict[int, int]:
    places = _partitions(consumer)
    committed = {place.partition: place.offset for place in _committed(consumer, places)}
    asked = [TopicPartition(RAW, place.partition, timestamp) for place in places]
    offsets = {}
    for found in consumer.offsets_for_times(asked, timeout=TIMEOUT_S):
        earliest, _ = consumer.get_watermark_offsets(found, timeout=TIMEOUT_S)
        known = [offset for offset in (found.offset, committed[found.partition]) if offset >= 0]
        offsets[found.partition] = max(min(known, default=earliest), earliest)
    return offsets
