"""Every endpoint of the API is within the memory of all queries, and within what a principal may have at once."""

import asyncio
import gc
import json
import time
import tracemalloc

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth, encode, state_key
from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.api import collectors
from streamgauge.gateway.api.endpoints import endpoints
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import PIECE_BYTES
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.gateway.request.faults import InvalidRequest
from streamgauge.gateway.request.memory import Memory
from streamgauge.gateway.request.parameters import Form
from streamgauge.rules.applied.board import Board
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.store.reading import ReadContext
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader
from tests.support.rules_client import KnownBoard

NOW_S = int(time.time())
SERIES = [({"__name__": "up", "i": str(number)}, [(NOW_S * 1000 - 20_000, 1.0)]) for number in range(50)]
ALERTS = 3000
ASKED = {
    "query": "up",
    "match[]": "up",
    "start": NOW_S - 60,
    "end": NOW_S,
    "step": 10,
}
PATHS = sorted(each.path for each in endpoints(Gateway(Config(), MemoryReader(SERIES))))


def _board():
    board = Board()
    rules = [Rule(RuleKind.ALERT, f"Down{number}", "up == 0") for number in range(20)]
    planned = publication(RuleSets(), {"web": [Group("hosts", rules)]}, 0)
    for message in planned.messages:
        board.take_rules(message)
    alerts = [
        ActiveAlert({"alertname": "Down0", "i": str(number)}, {"text": "x" * 200}, "firing", 1000, "0")
        for number in range(ALERTS)
    ]
    board.take_state(state_key("web/hosts", 0), encode(alerts))
    health = [RuleHealth("ok")] * len(rules)
    board.take_state(
        state_key("web/hosts"), encode(GroupStatus(planned.rules.version, 1000, 0, 0, 0, health))
    )
    return board


@pytest.fixture(scope="module")
def board():
    return _board()


def _gateway(board, **settings):
    gateway = Gateway(Config(gateway=Settings(user_patience_s=0, **settings)), MemoryReader(SERIES))
    gateway.rules = Rules(KnownBoard(board), lambda: 2000, 0)

    def asked(path, _parameters, reading, _held=0):
        reading.hold(1)
        entry = {"type": "counter", "help": "", "unit": ""}
        target = {"scrapePool": "node", "scrapeUrl": "http://a", "labels": {}}
        if path.endswith("targets/metadata"):
            return collectors.Said([[{"target": {}, "metric": "up", **entry}]], [], 1)
        said = {"up": [entry]} if path.endswith("metadata") else {"activeTargets": [target]}
        return collectors.Said([said], [], 1)

    gateway.collectors._ask = asked
    return gateway


@pytest.mark.parametrize("path", PATHS)
def test_no_endpoint_answers_from_memory_that_there_is_not(board, path):
    gateway = _gateway(board)
    client = Client(gateway)
    path = path.replace("{name}", "i")
    assert client.get(path, params=ASKED).status_code == 200
    gateway.jobs._seen = None
    gc.collect()
    other = gateway.memory.share()
    other.at_least(gateway.memory.total - gateway.memory.taken)
    before = gateway.metrics.memory_refusals._value.get()
    found = client.get(path, params=ASKED)
    assert (found.status_code, found.json()["errorType"]) == (503, "unavailable"), found.text
    assert found.json()["error"].startswith("not enough memory")
    assert "retry-after" in found.headers
    assert gateway.metrics.memory_refusals._value.get() == before + 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("limit", ["user_queries", "source_queries"])
def test_no_endpoint_gives_a_user_more_than_so_many_at_once(board, path, limit):
    gateway = _gateway(board, **{limit: 1})
    limits = {gateway._adhoc._limits, gateway._looking._limits}

    async def run():
        transport = httpx.ASGITransport(application(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            principal = client.get(path.replace("{name}", "i"), params=ASKED)
            for each in limits:
                users = each._users if limit == "user_queries" else each._sources
                await users.enter("127.0.0.1")
            return await principal

    found = asyncio.run(run())
    assert (found.status_code, found.json()["errorType"]) == (429, "too_many_requests"), found.text


@pytest.mark.parametrize("path", ["rules", "alerts"])
def test_alerts_are_written_in_pieces_that_are_held_until_they_are_sent(board, path):
    gateway = _gateway(board)
    found = Client(gateway).get(f"/api/v1/{path}").json()["data"]
    alerts = found["alerts"] if path == "alerts" else found["groups"][0]["rules"][0]["alerts"]
    assert [one["labels"]["i"] for one in alerts] == [str(number) for number in range(ALERTS)]
    gc.collect()
    assert gateway.memory.taken == 0
    held = []

    class Held(ReadContext):
        def hold(self, size):
            held.append(size)

    look, form = getattr(gateway.rules, path), Form("")
    look(form, ReadContext())
    tracemalloc.start()
    body = look(form, Held()).data
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert body.size > 3 * PIECE_BYTES
    assert max(map(len, body.pieces)) < 2 * PIECE_BYTES
    assert peak < max(held) + 4 * PIECE_BYTES


class Bounded(ReadContext):
    """Of a share of some memory."""

    def __init__(self, total):
        super().__init__()
        self.share = Memory(total).share()

    def hold(self, size):
        self.share.at_least(size)


@pytest.mark.parametrize(
    "data",
    [
        {f"m{number}": [{"type": "counter", "help": "", "unit": ""}] for number in range(20_000)},
        {f"m{number}": [{}] for number in range(20_000)},
        [[] for _ in range(200_000)],
    ],
)
def test_what_collectors_say_is_held_before_it_is_decoded(monkeypatch, data):
    body = json.dumps({"data": data}, separators=(",", ":")).encode()
    parts = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    requests = []

    def serve(request):
        requests.append(request)
        return httpx.Response(200, content=_stream(parts))

    client = httpx.AsyncClient
    monkeypatch.setattr(
        collectors.httpx, "AsyncClient", lambda **_: client(transport=httpx.MockTransport(serve))
    )
    asked = collectors.Collectors(["http://a", "http://b"])
    enough = 2 * len(body) * collectors.DECODED_BYTES
    merged = collectors._merged if isinstance(data, dict) and data["m0"] != [{}] else lambda said: said
    asked._ask("/x", {}, Bounded(enough))
    tracemalloc.start()
    said = asked._ask("/x", {}, Bounded(enough))
    found = merged(said.data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found
    assert peak < said.size == enough
    decoded = []
    monkeypatch.setattr(collectors.json, "loads", decoded.append)
    with pytest.raises(InvalidRequest, match="MiB of memory"):
        asked._ask("/x", {}, Bounded(enough - 1))
    assert not decoded


async def _stream(parts):
    for part in parts:
        yield part


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(JSON)
def test_json_in_parts_is_that_in_one(content):
    assert "".join(answer.parts(content)) == answer.text(content)


def test_iterators_are_written_as_lists():
    content = {"a": iter([]), "b": [{"c": map(str, range(3)), "d": {}}]}
    assert "".join(answer.parts(content)) == '{"a":[],"b":[{"c":["0","1","2"],"d":{}}]}'
