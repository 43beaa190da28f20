"""A range of Kafka is read again beside the live jobs."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from integration.support.batches import BatchProducer
from integration.support.stored import assert_rollups_equal, wait_for
from integration.support.workload import MINUTE_MS, Workload
from operators import replay_range
from schemas.tables import ROLLED
from schemas.topics import RAW
from streamgauge.local.supervision.home import ROOT
from streamgauge.times import rfc3339


def _backfill(stack, *flags, code=0):
    command = [sys.executable, "-m", "streamgauge.cli", "--config", str(stack.home.config), "flink"]
    command += ["run", "-py", str(ROOT / "jobs" / "backfill.py"), *flags]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=400, env={**os.environ}, check=False
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout


def _seconds(timestamp):
    return f"{timestamp / 1000:.3f}"


def _offsets(config, timestamp):
    """By partition the first offset with a message of this time (ms) or later."""
    consumer = Consumer({"bootstrap.servers": config.kafka.bootstrap, "group.id": "test"})
    asked = [TopicPartition(RAW, partition, timestamp) for partition in range(config.kafka.partitions)]
    starts = {place.partition: place.offset for place in consumer.offsets_for_times(asked)}
    consumer.close()
    return starts


def _produce(config, stored, simulated, work, pause_s=0.0):
    """The requests of a workload in the order of their time, and time until its minutes are sealed."""
    producer = BatchProducer(config)
    for due, request in work.requests():
        producer.send(request, sent=due)
        producer.heartbeat(due)
        producer.flush()
        time.sleep(pause_s)
    simulated.next = work.end + MINUTE_MS
    producer.heartbeat(simulated.next)
    producer.until_sealed(stored, work.end)


def _wait_until_right(work, stored, level):
    # of the windows that are closed now: time goes on
    progress = stored.progress(level)
    expected = stored.closed(work.expected, level, progress)
    counts = {place: rolled["count"] for place, rolled in expected.items()}

    def is_right():
        found = stored.rollups(work.expected, level, progress)
        return {place: rolled["count"] for place, rolled in found.items()} == counts

    wait_for(is_right, 120, lambda: f"{level.value.label} is not as expected")
    assert_rollups_equal(stored.rollups(work.expected, level, progress), expected)


@pytest.fixture(scope="module")
def work(stack, stored, simulated):
    """Samples whose minutes are closed and rolled up."""
    stack.wait_ready({"store", "rollup"})
    done = Workload("before_backfill", simulated.near_midnight(10), minutes=14, series=100, late=2)
    _produce(stack.config, stored, simulated, done)
    for level in ROLLED:
        _wait_until_right(done, stored, level)
    return done


def test_rollups_truncated_while_load_goes_on_come_back_byte_for_byte(stack, stored, simulated, work):
    before = {level: stored.rows(level) for level in ROLLED}
    assert all(before.values()), "no bucket of one level has been closed in these tests"
    for level in ROLLED:
        stored.truncate(level)
    during = Workload("during_backfill", simulated.next, minutes=6, series=20, late=4, seed=2)
    first = min(start for rows in before.values() for *_, start in rows)
    with ThreadPoolExecutor(1) as beside:
        backfill = beside.submit(_backfill, stack, "--from", _seconds(first), "--to", _seconds(during.start))
        _produce(stack.config, stored, simulated, during, pause_s=0.5)
        printed = backfill.result()
    for level in ROLLED:
        _wait_until_right(work, stored, level)
        _wait_until_right(during, stored, level)
        touched = {
            timestamp // level.value.width_ms * level.value.width_ms
            for samples in during.expected.values()
            for timestamp in samples
        }
        kept = {place: row for place, row in before[level].items() if place[-1] not in touched}
        after = stored.rows(level)
        assert {place: after.get(place) for place in kept} == kept, level
    assert "changed" in printed


def test_a_second_time_changes_nothing(stack, stored, work):
    before = {level: stored.rows(level) for level in ROLLED}
    printed = _backfill(stack, "--from", _seconds(work.start), "--to", _seconds(work.end))
    assert "unchanged" in printed
    assert " changed" not in printed.replace("unchanged", "")
    assert {level: stored.rows(level) for level in ROLLED} == before


def test_a_dry_run_says_what_would_change_and_writes_nothing(stack, stored, work):
    minute = (work.start + MINUTE_MS) // MINUTE_MS * MINUTE_MS
    stored.forget(ROLLED[0], minute)
    before = {level: stored.rows(level) for level in ROLLED}
    printed = _backfill(stack, "--from", _seconds(work.start), "--to", _seconds(work.end), "--dry-run")
    assert " changed" in printed
    assert {level: stored.rows(level) for level in ROLLED} == before


def test_offsets_from_a_file_are_replayed(stack, stored, work, tmp_path):
    starts = _offsets(stack.config, work.start)
    (tmp_path / "offsets.json").write_text(json.dumps(starts))
    _backfill(stack, "--from-offsets", str(tmp_path / "offsets.json"))
    for level in ROLLED:
        _wait_until_right(work, stored, level)


@pytest.fixture
def dropped(stack, work):
    """Kafka holds nothing from before this time (ms) any more; by partition the first offset that it holds."""
    since = work.start + 3 * MINUTE_MS
    starts = _offsets(stack.config, since)
    places = [TopicPartition(RAW, partition, offset) for partition, offset in starts.items()]
    # futures of a client that is gone never end
    admin = AdminClient({"bootstrap.servers": stack.config.kafka.bootstrap})
    for deleted in admin.delete_records(places).values():
        deleted.result(timeout=30)
    return since, starts


def test_what_kafka_no_longer_holds_of_a_range_is_named_and_the_exit_code_is_1(stack, work, dropped):
    _, starts = dropped
    flags = "--from", _seconds(work.start), "--to", _seconds(work.start + 2 * MINUTE_MS), "--dry-run"
    printed = _backfill(stack, *flags, code=1)
    for partition in starts:
        lanes = range(partition, stack.config.layout.lanes, len(starts))
        assert f"partition {partition} (lanes {', '.join(map(str, lanes))})" in printed
    assert f"minutes from {rfc3339(work.start // MINUTE_MS * MINUTE_MS)}" in printed


def test_a_range_that_kafka_holds_lacks_nothing_and_offsets_that_it_does_not_hold_are_named(
    stack, dropped, tmp_path
):
    since, starts = dropped
    config, file = stack.config, tmp_path / "offsets.json"
    # a message may be a minute ahead of its collector's clock, and time is counted in whole minutes
    assert replay_range.of_times(config, since + 3 * MINUTE_MS, since + 4 * MINUTE_MS).missing == ()
    file.write_text(json.dumps(starts))
    assert replay_range.of_offsets(config, file).missing == ()
    file.write_text(json.dumps({**starts, "0": [starts[0] - 1, 1 << 40]}))
    (line,) = replay_range.of_offsets(config, file).missing
    assert f"offsets {starts[0] - 1} to before {1 << 40}" in line
    file.write_text(json.dumps({"0": [1 << 39, 1 << 40]}))
    beyond = replay_range.of_offsets(config, file)
    assert (len(beyond.missing), beyond.messages) == (1, 0)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--from", "yesterday"], "not a time"),
        (["--from", "2026-11-02T00:00Z", "--to", "2026-11-01T00:00Z"], "before --to"),
        (["--from-offsets", "/nowhere"], "offsets by partition"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_the_reason(stack, flags, words):
    command = [sys.executable, str(ROOT / "jobs" / "backfill.py"), "--config", str(stack.home.config), *flags]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert words in ran.stderr
