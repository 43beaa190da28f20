"""The memory that queries share: orders of events, and what an answer takes of it."""

import gc
import json
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import PIECE_BYTES, Body, gathered
from streamgauge.gateway.http.app import Gateway
from streamgauge.gateway.request import memory as memories
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.memory import Memory, NotEnoughMemory
from streamgauge.promql.data.labels import Column, LabelTable
from streamgauge.promql.data.vectors import Matrix, Vector
from streamgauge.promql.engine.evaluator import Result
from streamgauge.store.reading import DeadlinePassed
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

MINUTES = 120
NOW = 1_763_892_000
TAKEN = 'streamgauge_gateway_memory_bytes{kind="taken"}'


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["at_least", "only", "drop"]), st.integers(0, 60)))
)
def test_what_is_taken_is_what_the_shares_hold_and_never_more_than_there_is(steps):
    refusals = []
    memory = Memory(100, lambda: refusals.append(1))
    shares = [memory.share() for _ in range(4)]
    refused = 0
    for which, what, size in steps:
        if what == "drop":
            shares[which] = memory.share()
        else:
            try:
                getattr(shares[which], what)(size)
            except NotEnoughMemory:
                refused += 1
        assert memory.taken == sum(share.size for share in shares) <= 100
    assert len(refusals) == refused
    shares.clear()
    assert memory.taken == 0


def _waits(memory, count):
    deadline = time.monotonic() + 20
    while len(memory._waiting) < count:
        assert time.monotonic() < deadline


def test_who_begins_waits_for_memory_and_who_has_begun_does_not(monkeypatch):
    monkeypatch.setattr(memories, "PATIENCE_S", 60.0)
    memory = Memory(100)
    first, large = memory.share(), memory.share()
    first.at_least(80)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(large.wait_for, 90, lambda: 60.0)
        _waits(memory, 1)
        first.at_least(95)
        with pytest.raises(NotEnoughMemory, match="MiB of all queries are free"):
            memory.share().at_least(50)
        first.only(0)
        waiting.result(10)
    assert large.size == 90


def test_small_ones_overtake_a_large_one_so_often_and_then_wait_for_it(monkeypatch):
    monkeypatch.setattr(memories, "PATIENCE_S", 60.0)
    memory = Memory(100)
    first, large = memory.share(), memory.share()
    first.at_least(80)
    with ThreadPoolExecutor(3) as threads:
        waiting = threads.submit(large.wait_for, 90, lambda: 60.0)
        _waits(memory, 1)
        for _ in range(memories.OVERTAKEN):
            memory.share().wait_for(20, lambda: 60.0)
        assert not waiting.done()
        small, other = memory.share(), memory.share()
        behind = [threads.submit(each.wait_for, 10, lambda: 60.0) for each in (small, other)]
        _waits(memory, 3)
        # they would fit, but it has been overtaken by enough
        with memory._changed:
            assert memory._next() is None
        first.only(0)
        waiting.result(10)
        assert (large.size, small.size + other.size) in {(90, 0), (90, 10)}
        large.only(0)
        for each in behind:
            each.result(10)
    assert memory.taken == 20


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.data())
def test_nobody_is_overtaken_by_more_than_so_many_whatever_is_asked_and_free(sizes, data):
    memory = Memory(100)
    memory._waiting = [memories._Waiting(size) for size in sizes]
    overtaken = dict.fromkeys(memory._waiting, 0)
    while memory._waiting:
        memory._taken = data.draw(st.integers(0, 99))
        chosen = memory._next()
        if chosen is None:
            memory._taken = 0
            chosen = memory._next()
            if memory._waiting[0].overtaken >= memories.OVERTAKEN:
                assert chosen is memory._waiting[0]
        for each in memory._pass(chosen):
            overtaken[each] += 1
        memory._waiting.remove(chosen)
    assert max(overtaken.values()) <= memories.OVERTAKEN


def test_who_waits_in_vain_is_refused_and_makes_room_for_those_behind(monkeypatch):
    monkeypatch.setattr(memories, "PATIENCE_S", 0.0)
    memory = Memory(100)
    holder, other = memory.share(), memory.share()
    holder.at_least(50)
    with pytest.raises(NotEnoughMemory) as refusal:
        other.wait_for(60, lambda: 60.0)
    assert refusal.value.reason is ErrorType.UNAVAILABLE
    other.wait_for(50, lambda: 60.0)

    def over():
        raise DeadlinePassed

    with pytest.raises(DeadlinePassed):
        memory.share().wait_for(60, over)
    assert memory.taken == 100


def test_what_all_queries_together_may_not_have_is_refused_for_good():
    with pytest.raises(InvalidRequest, match=r"gateway\.memory_bytes") as refusal:
        Memory(100).share().wait_for(101, lambda: 60.0)
    assert refusal.value.reason is ErrorType.COST_LIMIT


def test_shares_are_given_back_while_the_lock_is_held():
    memory = Memory(100)
    share = memory.share()
    share.at_least(60)
    with memory._changed:
        # as the collector of garbage does, in whatever thread it runs
        thread = threading.Thread(target=share.__del__)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    share.size = 0
    memory.share().at_least(100)


@pytest.fixture(scope="module")
def series():
    return [
        (
            {"__name__": "x", "i": str(number)},
            [((NOW + 15 * step) * 1000, step / 7) for step in range(MINUTES * 4)],
        )
        for number in range(40)
    ]


def _client(series, **settings):
    gateway = Gateway(Config(gateway=Settings(**settings)), MemoryReader(series))
    return gateway, Client(gateway)


def _range(client, query="x"):
    parameters = {"query": query, "start": NOW, "end": NOW + MINUTES * 60, "step": 1}
    return client.get("/api/v1/query_range", params=parameters)


def test_an_answer_gives_its_memory_back_when_it_was_sent(series):
    gateway, client = _client(series)
    found = _range(client)
    assert found.status_code == 200
    assert len(found.json()["data"]["result"]) == 40
    assert len(found.content) > 4 * PIECE_BYTES
    gc.collect()
    assert gateway.memory.taken == 0


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
def test_an_answer_in_pieces_is_the_same_however_it_is_packed(series, coding):
    _, client = _client(series)
    parameters = {"query": "x", "start": NOW, "end": NOW + MINUTES * 60, "step": 1}
    found = client.get("/api/v1/query_range", params=parameters, headers={"accept-encoding": coding})
    assert found.headers.get("content-encoding", "identity") == coding
    assert found.json() == _range(_client(series)[1]).json()


def test_a_query_that_does_not_fit_beside_others_is_refused_and_counted(series, monkeypatch):
    monkeypatch.setattr(memories, "PATIENCE_S", 0.0)
    gateway, client = _client(series, memory_bytes=16 << 20)
    other = gateway.memory.share()
    other.at_least(15 << 20)
    found = _range(client)
    assert found.status_code == 503
    assert found.json()["errorType"] == "unavailable"
    assert found.json()["error"].startswith("not enough memory: the query needs ")
    assert found.headers["retry-after"] == "1"
    metrics = client.get("/metrics").text
    assert "streamgauge_gateway_memory_refusals_total 1.0" in metrics
    [taken] = [line for line in metrics.splitlines() if line.startswith(TAKEN)]
    assert float(taken.split()[1]) == 15 << 20
    other.only(0)
    assert _range(client, "sum(x)").status_code == 200


def test_a_query_that_never_fits_is_a_matter_of_cost(series):
    _, client = _client(series, memory_bytes=16 << 20, max_points=11_000)
    found = _range(client, " + ".join(f"x * {number}" for number in range(30)))
    assert (found.status_code, found.json()["errorType"]) == (422, "cost_limit")


def _vector(series, steps):
    labels = LabelTable(series, {"i": Column(np.arange(1, series + 1), ["", *map(str, range(series))])})
    values = np.random.default_rng(1).normal(size=(series, steps))
    return Vector(labels, values, np.ones((series, steps), bool))


def test_json_takes_little_more_than_its_own_bytes_while_it_is_written():
    steps = 4000
    result = Result(_vector(100, steps), np.arange(steps) * 1000 + NOW * 1000, [], [])
    answer.ranged(Result(_vector(1, 2), np.arange(2) * 1000, [], []), None, lambda _: None)
    held = []
    tracemalloc.start()
    pieces, _ = answer.ranged(result, None, held.append)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(map(len, pieces))
    assert size > 10 << 20
    assert peak < 1.5 * size
    assert held[-1] == size + result.value.values.nbytes + result.value.present.nbytes
    assert max(map(len, pieces)) < 4 * PIECE_BYTES


@pytest.mark.parametrize("limit", [None, 1, 2, 300, 999])
@pytest.mark.parametrize("points", [7, 100])
def test_results_in_parts_are_whole_whatever_is_cut(monkeypatch, limit, points):
    monkeypatch.setattr(answer, "POINTS", points)
    monkeypatch.setattr(answer, "ROWS", 3)
    steps, series = 40, 8
    vector = _vector(series, steps)
    vector.present[:, ::3] = False
    vector.present[5] = False
    times = np.arange(steps) * 1000
    pieces, is_cut = answer.ranged(Result(vector, times, [], []), limit, lambda _: None)
    found = json.loads(b"".join(pieces))["result"]
    assert is_cut == (limit is not None and limit < series)
    assert [one["metric"]["i"] for one in found] == [str(number) for number in range(series)][:limit]
    for row, one in enumerate(found):
        kept = np.flatnonzero(vector.present[row])
        assert one["values"] == [[int(step), repr(float(vector.values[row, step]))] for step in kept]
    offsets = np.arange(series + 1) * steps
    matrix = Matrix(vector.labels, offsets, np.tile(times, series), vector.values.reshape(-1), times[:1], 1)
    pieces, _ = answer.instant(Result(matrix, times, [], []), limit, lambda _: None)
    found = json.loads(b"".join(pieces))["result"]
    assert [len(one["values"]) for one in found] == [steps] * min(series, limit or series)
    pieces, _ = answer.instant(Result(vector, times, [], []), limit, lambda _: None)
    assert len(json.loads(b"".join(pieces))["result"]) == min(series, limit or series)


@given(st.lists(st.text(max_size=5)))
def test_pieces_are_the_parts_in_their_order(parts):
    sizes = []
    found = gathered(parts, sizes.append)
    assert str(Body(found)) == "".join(parts)
    assert sizes[-1] == Body(found).size
