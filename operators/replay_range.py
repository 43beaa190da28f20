"""Which part of Kafka a replay reads."""

import json
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from operators.raw_batches import Start
from schemas.topics import MAX_FUTURE_MS, RAW
from schemas.units import MINUTE_MS
from streamgauge.clients.kafka import client_settings
from streamgauge.config import Config
from streamgauge.times import LAST_DATE_MS, rfc3339

TIMEOUT_S = 30.0
LANES_SHOWN = 8


class InvalidRange(ValueError):
    """A range that cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class ReplayRange:
    """start: where the job reads. messages: how many there are. complete_from: see `ReplayMinutes`.

    missing: a line for each partition of which Kafka no longer holds, or does not hold yet, all that was asked for.
    """

    start: Start
    messages: int
    complete_from: float
    missing: tuple[str, ...] = ()


def of_times(config: Config, first: int, end: int) -> ReplayRange:
    """Everything that Kafka holds of the minutes from `first` to before `end` (ms), whenever it came.

    A message of a minute cannot come before the first with a newer sample, so reading begins there, and it ends
    where Kafka ends now, for what is late comes behind.
    """
    first, end = first - first % MINUTE_MS, end + -end % MINUTE_MS
    if first >= end:
        raise InvalidRange("--from has to be before --to")
    consumer = _consumer(config)
    try:
        bounds = _bounds(consumer)
        asked = [TopicPartition(RAW, partition, first) for partition in bounds]
        starts = {
            place.partition: place.offset if place.offset >= 0 else bounds[place.partition][1]
            for place in consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        }
        # where Kafka has lost its beginning, minutes before the first message that is left may lack some
        complete_from = {
            partition: _time_of(consumer, partition, low) if low < high else LAST_DATE_MS
            for partition, (low, high) in bounds.items()
            if low == starts[partition] > 0
        }
    finally:
        consumer.close()
    ends = {partition: high for partition, (_, high) in bounds.items()}
    lanes = config.layout.lanes
    missing = tuple(
        f"{_partition(partition, len(bounds), lanes)}: Kafka no longer holds all from before {_text(since)}; "
        f"minutes from {_text(first)} to {_text(min(since, end))} lack samples that it has dropped"
        for partition, since in complete_from.items()
        if since > first
    )
    return _range(Start(starts, ends, first, end - 1), max(first, *complete_from.values(), 0), missing)


def of_offsets(config: Config, file: Path) -> ReplayRange:
    """The offsets in a JSON file: by partition the first, or the first and the one after the last.

    Partitions that it does not name are not read. What such a range lacks of a minute cannot be known.
    """
    consumer = _consumer(config)
    try:
        bounds = _bounds(consumer)
    finally:
        consumer.close()
    named = _named(file)
    if unknown := named.keys() - bounds.keys():
        raise InvalidRange(f"{file}: {RAW} has no partition {', '.join(map(str, sorted(unknown)))}")
    starts, ends = {}, {}
    missing = []
    for partition, (low, high) in bounds.items():
        begin, end = named.get(partition, (high, high))
        if begin > (high if end is None else end):
            raise InvalidRange(f"{file}: partition {partition} ends at {end or high}, before {begin}")
        ends[partition] = high if end is None else min(end, high)
        starts[partition] = min(max(begin, low), ends[partition])
        if begin < low or (end or high) > high or begin > high:
            asked = f"offsets {begin} to before {high if end is None else end}"
            lanes = _partition(partition, len(bounds), config.layout.lanes)
            missing.append(f"{lanes}: of {asked} Kafka holds {low} to before {high}")
    return _range(Start(starts, ends), float("inf"), tuple(missing))


def _named(file: Path) -> dict[int, tuple[int, int | None]]:
    try:
        content = json.loads(file.read_text())
        found = {}
        for partition, place in content.items():
            begin, end = place if isinstance(place, list) else (place, None)
            found[int(partition)] = int(begin), None if end is None else int(end)
    except (OSError, ValueError, AttributeError, TypeError) as fault:
        wanted = 'for example {"0": 1200, "1": [1100, 1500]}'
        raise InvalidRange(f"{file}: offsets by partition are wanted, {wanted}: {fault}") from None
    return found


def _partition(partition: int, partitions: int, lanes: int) -> str:
    """A partition and its lanes, for people."""
    own = range(partition, lanes, partitions)
    more = f" and {len(own) - LANES_SHOWN} more" if len(own) > LANES_SHOWN else ""
    return f"partition {partition} (lanes {', '.join(map(str, own[:LANES_SHOWN]))}{more})"


def _text(time_ms: int) -> str:
    return "now" if time_ms >= LAST_DATE_MS else rfc3339(time_ms)


def _range(start: Start, complete_from: float, missing: tuple[str, ...]) -> ReplayRange:
    messages = sum(
        (start.ends or {})[partition] - begin for partition, begin in (start.offsets or {}).items()
    )
    return ReplayRange(start, messages, complete_from, missing)


def _consumer(config: Config) -> Consumer:
    return Consumer({**client_settings(config.kafka), "group.id": "streamgauge-backfill"})


def _bounds(consumer: Consumer) -> dict[int, tuple[int, int]]:
    partitions = consumer.list_topics(RAW, timeout=TIMEOUT_S).topics[RAW].partitions
    return {
        partition: consumer.get_watermark_offsets(TopicPartition(RAW, partition), timeout=TIMEOUT_S)
        for partition in partitions
    }


def _time_of(consumer: Consumer, partition: int, offset: int) -> int:
    """The end of the minute (ms) up to which messages before an offset may reach.

    The message there may be late, and newer ones before it gone: they were sent before it was.
    """
    consumer.assign([TopicPartition(RAW, partition, offset)])
    message = consumer.poll(TIMEOUT_S)
    if message is None or message.error() is not None:
        return LAST_DATE_MS
    timestamp: int = message.timestamp()[1]
    sent = dict(message.headers() or ()).get("sent") or b""
    if sent.isdigit():
        timestamp = max(timestamp, int(sent) + MAX_FUTURE_MS)
    return timestamp + -timestamp % MINUTE_MS
