"""What is set aside: which series of a batch, how much is told of it, and in which size."""

import numpy as np
import pytest

from operators.rejected_messages import BURST, KINDS, MAX_HEADER_BYTES, Sampling, message
from schemas.batches.batch import MAX_DETAIL, BatchFault, Envelope, InvalidBatch, envelope
from schemas.limits import MAX_INDEX_LABEL_BYTES, MAX_MESSAGE_BYTES, MAX_REJECTED_BYTES
from schemas.topics import REJECTED, topics
from schemas.units import DAY_MS
from sinks.cassandra.refused_series import RefusedSeries
from streamgauge.config import Config
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples

NOW = 1_800_000_000_000
LONG = Config.model_validate(
    {"storage": {"classes": {"long": {"match": ['{tier="1"}'], "retention": {"raw": "30d", "1min": "60d"}}}}}
)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_of_a_kind_a_burst_and_then_one_a_second_is_told_and_the_rest_counted():
    clock = Clock()
    sampling = Sampling(clock)
    found = [sampling.take("not_arrow", "a") for _ in range(1000)]
    assert found == [0] * BURST + [None] * (1000 - BURST)
    assert sampling.take("not_arrow", "b") == 0
    assert sampling.take("bad_key", "a") == 0
    clock.now += 1
    assert sampling.take("not_arrow", "a") == 1000 - BURST
    assert sampling.take("not_arrow", "a") is None
    clock.now += 3600
    assert [sampling.take("not_arrow", "a") for _ in range(BURST + 1)] == [1] + [0] * (BURST - 1) + [None]


def test_producers_that_nobody_can_count_share_what_is_told():
    sampling = Sampling(Clock())
    told = sum(sampling.take("bad_key", f"p{number}") is not None for number in range(10 * KINDS))
    assert told <= KINDS + BURST


def _size(row):
    key, payload, headers = row
    return (
        len(key or b"") + len(payload or b"") + sum(len(name) + len(text) for name, text in headers.items())
    )


@pytest.mark.parametrize("size", [0, 10, MAX_MESSAGE_BYTES])
def test_whatever_comes_in_is_told_in_a_message_that_the_topic_takes(size):
    assert len(InvalidBatch(BatchFault.BAD_LABELS, "x" * size).detail) == min(size, MAX_DETAIL)
    text = b"\x00" * size
    for key, headers in (
        (text, {"version": b"1", "sent": b"1"}),
        (b"0", {"version": text, "sent": b"1"}),
        (b"0", {"version": b"1", "sent": text}),
    ):
        with pytest.raises(InvalidBatch) as fault:
            envelope(key, headers, NOW, 0 if key == b"0" and not size else 8)
        origin = {"producer": text.decode(), "partition": "1", "offset": "2"}
        assert len(fault.value.detail) <= MAX_DETAIL
        row = message(fault.value, origin, key, text, 3)
        assert _size(row) < MAX_REJECTED_BYTES + 10 * MAX_HEADER_BYTES < MAX_MESSAGE_BYTES
        assert row[2]["held_back"] == b"3"
        assert ("truncated_from" in row[2]) == (size > MAX_REJECTED_BYTES)
        assert ("key_truncated_from" in row[2]) == (len(key) > MAX_HEADER_BYTES)


def test_the_topic_of_what_was_set_aside_is_bounded():
    [topic] = [topic for topic in topics(4, 1, DAY_MS) if topic.name == REJECTED]
    assert int(topic.settings["segment.bytes"]) < int(topic.settings["retention.bytes"]) < 2**30


def _batch(*labels):
    rows = sorted((series_id(data), data) for data in map(canonical, labels))
    samples = Samples(
        from_bytes(b"".join(identity for identity, _ in rows)),
        np.arange(len(rows) + 1),
        np.full(len(rows), NOW),
        np.ones(len(rows)),
    )
    return samples, dict(rows)


def test_of_a_batch_only_the_series_is_set_aside_that_the_index_cannot_hold():
    samples, labels = _batch(
        {"__name__": "m", "v": "x" * MAX_INDEX_LABEL_BYTES}, {"__name__": "m"}, {"__name__": "n" * 70_000}
    )
    refused = RefusedSeries(Config().storage_classes, Config().class_rules)
    refused.learn(labels)
    for _ in range(2):
        found = refused.of(Envelope(0, NOW, NOW), samples, NOW, lambda: 1 / 0)
        assert {fault.reason for fault in found.values()} == {BatchFault.LABELS_TOO_LONG}
        assert found.keys() == {identity for identity, data in labels.items() if len(data) > 60_000}


def test_a_series_is_too_old_by_its_own_class():
    samples, labels = _batch({"__name__": "m", "tier": "1"}, {"__name__": "m", "tier": "2"})
    [standard] = [identity for identity, data in labels.items() if data.endswith(b"2")]
    refused = RefusedSeries(LONG.storage_classes, LONG.class_rules)

    def of(age):
        return refused.of(Envelope(0, NOW, NOW - age), samples, NOW, lambda: labels)

    assert of(0) == of(DAY_MS - 1000) == {}
    assert {one: fault.reason for one, fault in of(DAY_MS).items()} == {standard: BatchFault.TOO_OLD}
    with pytest.raises(InvalidBatch) as fault:
        of(30 * DAY_MS)
    assert fault.value.reason is BatchFault.TOO_OLD
