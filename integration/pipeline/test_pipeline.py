"""From remote write to raw blocks and rollups, whatever is killed on the way."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from integration.support.batches import BatchProducer, produce
from integration.support.stored import assert_rollups_equal, plain_rollups, wait_for
from integration.support.workload import MINUTE_MS, Client, Workload
from schemas.blocks.codec import ON_TIME
from schemas.tables import ROLLED


def _kill_python_worker(stack, _):
    for pid in stack.python_workers()[:2]:
        os.kill(pid, signal.SIGKILL)


def _kill_taskmanager(stack, _):
    stack.kill("taskmanager")


def _kill_jobmanager(stack, _):
    stack.kill("jobmanager")


def _kill_collector(_, collector):
    collector.kill_and_start()


def _other_parallelism(stack, _):
    """Stopped with a savepoint, and started from it."""
    stack.stop("store", "rollup")
    _set_parallelism(stack, 1)
    stack.start("store", "rollup")


def _forget_state(stack, _):
    stack.stop("store", "rollup", keep_state=False)
    _set_parallelism(stack, stack.config.flink.parallelism)
    stack.start("store", "rollup")


def _set_parallelism(stack, parallelism):
    content = yaml.safe_load(stack.home.config.read_text())
    content["flink"]["parallelism"] = parallelism
    stack.home.config.write_text(yaml.safe_dump(content))


FAULTS = (
    _kill_python_worker,
    _kill_taskmanager,
    _kill_jobmanager,
    _kill_collector,
    _other_parallelism,
    _forget_state,
)
SOME = tuple(fault for fault in FAULTS if fault is not _kill_jobmanager)
"""What test_alerts_faults.py does with the same jobs is left out."""


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("faults", [SOME, pytest.param(FAULTS, marks=pytest.mark.long)], ids=["some", "all"])
def test_every_sample_is_stored_once_and_rolled_up(stack, stored, simulated, run_collector, faults):
    """Each fault comes amid samples of a metric of its own, once the jobs have gone on after the one before."""
    stack.wait_ready({"store", "rollup"})
    collector = run_collector(speed=30, minutes=400)
    client = Client(collector.address)
    works = []
    for fault in faults:
        begins = collector.clock() // MINUTE_MS * MINUTE_MS + MINUTE_MS
        works.append(Workload(f"pipeline{fault.__name__}", begins, minutes=6, late=1))
        requests = list(works[-1].requests())
        with ThreadPoolExecutor(1) as beside:
            for number, (due, request) in enumerate(requests):
                if number == len(requests) // 2:
                    injected = beside.submit(fault, stack, collector)
                _push_when_due(client, collector, due, request)
            # what has failed has enough to do with its own
            collector.clock.slow_down()
            injected.result()
        before = _jobs(stack)
        # not before both jobs have made checkpoints of what they did after the fault
        wait_for(
            lambda before=before: _have_gone_on(before, _jobs(stack)),
            240,
            lambda fault=fault: f"{fault.__name__}: {_jobs(stack)}",
        )
        collector.clock.speed_up()
    client.close()
    for work in works:
        _assert_stored(work, stored)
    collector.stop()
    simulated.next = collector.clock() // MINUTE_MS * MINUTE_MS + MINUTE_MS


def _push_when_due(client, collector, due, request):
    wait_for(lambda: collector.clock() >= due, 120)
    client.push_until_taken(request)


def _jobs(stack):
    return {name: stack.state()["jobs"][name] for name in ("store", "rollup")}


def _have_gone_on(before, now):
    return all(
        now[job]["state"] == "RUNNING"
        and now[job]["checkpoints"]
        >= 2 + (before[job]["checkpoints"] if now[job]["id"] == before[job]["id"] else 0)
        for job in before
    )


def test_what_kafka_has_acknowledged_is_there_after_it_was_away(stack, stored, run_collector):
    stack.wait_ready({"store", "rollup"})
    # the clock must not have stopped when Kafka is back, for heartbeats of the last second are lost while it is away
    collector = run_collector(speed=20, minutes=60)
    work = Workload("kafka_away", collector.clock.origin, late=5)
    client = Client(collector.address)
    requests = list(work.requests())
    middle = len(requests) // 2
    for due, request in requests[:middle]:
        _push_when_due(client, collector, due, request)
    stack.stop("kafka")
    answer = client.push(requests[middle][1])
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    stack.start("kafka")
    for due, request in requests[middle:]:
        _push_when_due(client, collector, due, request)
    client.close()
    _assert_stored(work, stored)


def test_a_batch_held_back_over_a_restart_is_not_lost(stack, stored, simulated):
    stack.wait_ready({"store", "rollup"})
    work = Workload("held_back", simulated.next, minutes=4)
    held = []
    producer = BatchProducer(stack.config)
    requests = list(work.requests())
    for number, (due, request) in enumerate(requests):
        if number % 12 == 5:
            held.append((due, request))
        else:
            producer.send(request, due)
        producer.heartbeat(due)
    producer.until_sealed(stored, work.start + 3 * MINUTE_MS)
    stack.kill("taskmanager")
    # what a collector puts on Kafka late carries the clock of the time when it was made
    for due, request in held:
        producer.send(request, due)
    simulated.next = work.end + MINUTE_MS

    def time_moves():
        simulated.next += 1000
        producer.heartbeat(simulated.next)
        producer.flush()
        return stored.sealed_to() >= work.end

    wait_for(time_moves, 180)
    simulated.next = simulated.next // MINUTE_MS * MINUTE_MS + MINUTE_MS
    _assert_stored(work, stored)


def test_a_client_ahead_of_the_others_makes_nothing_late(stack, stored, simulated):
    stack.wait_ready({"store", "rollup"})
    punctual = Workload("punctual", simulated.next, minutes=3)
    ahead = Workload("ahead", simulated.next, minutes=3, series=20, ahead_ms=45_000, seed=2)
    produce(stack.config, stored, simulated, [ahead, punctual])
    for work in (punctual, ahead):
        assert stored.raw(work.expected) == work.expected
        assert_rollups_equal(stored.rollups(work.expected), plain_rollups(work.expected))
        assert set(stored.parts(work.expected)) == {ON_TIME}


def _assert_stored(work, stored):
    """Every sample once in raw blocks, and rollups as NumPy computes them, once late parts had their time."""
    stored.wait_until_sealed(work.end)
    expected = plain_rollups(work.expected)
    counts = {place: rolled["count"] for place, rolled in expected.items()}
    wait_for(
        lambda: stored.counts(work.expected) == counts,
        120,
        lambda: f"{work.metric}: {_difference(counts, stored.counts(work.expected), work.start)}",
    )
    assert stored.raw(work.expected) == work.expected, work.metric
    for level in ROLLED:
        both = []
        wait_for(
            lambda level=level, both=both: _are_complete(work, stored, level, both),
            60,
            lambda level=level: f"{work.metric}: {level} incomplete",
        )
        assert_rollups_equal(*both)


def _are_complete(work, stored, level, both):
    """Whether all windows that are closed at one moment count what they should; `both`: found, and expected."""
    # time goes on, and would close another window between two looks
    progress = stored.progress(level)
    found = stored.rollups(work.expected, level, progress)
    expected = stored.closed(work.expected, level, progress)
    both[:] = found, expected
    return {place: rolled["count"] for place, rolled in expected.items()} == {
        place: rolled["count"] for place, rolled in found.items()
    }


def _difference(expected, found, start):
    """The minutes, from the start of the workload, whose rollups are not as they should be."""
    minutes = {(place[1] - start) // MINUTE_MS for place in expected if expected[place] != found.get(place)}
    return f"rollups of the minutes {sorted(minutes)} are not complete"
