"""Limits of users, pools, and time that is up: at the application itself."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import httpx
import yaml

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.auth.secrets import new_token, token_hash
from streamgauge.gateway.http.app import Gateway, application
from tests.support.memory_reader import MemoryReader

NOW_S = int(time.time())
PATIENT_S = 20
SERIES = [({"__name__": "up"}, [(NOW_S * 1000 - 20_000, 1.0)])]


class Slow(MemoryReader):
    """Samples come once they may; until then it looks at the deadline, as a real one does."""

    def __init__(self):
        super().__init__(SERIES)
        self.may = threading.Event()
        self.reading = 0
        self.ended = []
        self._guard = threading.Lock()

    def raw(self, selection, start, end, reading):
        with self._guard:
            self.reading += 1
        try:
            while not self.may.wait(0.005):
                reading.left_s()
            return super().raw(selection, start, end, reading)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        finally:
            with self._guard:
                self.reading -= 1


@asynccontextmanager
async def gateway_of(reader, **settings):
    transport = httpx.ASGITransport(application(Gateway(Config(gateway=Settings(**settings)), reader)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def until(condition):
    deadline = time.monotonic() + PATIENT_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def ask(client, user="", **headers):
    headers |= {"x-grafana-user": user} if user else {}
    return asyncio.create_task(client.get("/api/v1/query?query=up", headers=headers))


def test_a_user_has_so_many_queries_at_once_and_others_go_on():
    async def run():
        reader = Slow()
        async with gateway_of(reader, user_queries=2, user_patience_s=0.05) as client:
            first = [ask(client, "ann"), ask(client, "ann")]
            await until(lambda: reader.reading == 2)
            refused = await ask(client, "ann")
            assert refused.status_code == 429
            assert refused.json()["errorType"] == "too_many_requests"
            assert int(refused.headers["retry-after"]) >= 1
            other = ask(client, "bob")
            await until(lambda: reader.reading == 3)
            reader.may.set()
            assert [(await each).status_code for each in (*first, other)] == [200, 200, 200]
            assert (await ask(client, "ann")).status_code == 200

    asyncio.run(run())


def test_an_address_has_so_many_queries_at_once_whatever_users_it_names():
    async def run():
        reader = Slow()
        settings = {"user_queries": 2, "source_queries": 3, "adhoc_queries": 9, "user_patience_s": 0.05}
        async with gateway_of(reader, **settings) as client:
            first = [ask(client, user) for user in ("ann", "ann", "bob")]
            await until(lambda: reader.reading == 3)
            refused = await ask(client, "eve")
            assert (refused.status_code, refused.json()["errorType"]) == (429, "too_many_requests")
            assert "address" in refused.json()["error"]
            reader.may.set()
            assert [(await each).status_code for each in first] == [200] * 3
            assert (await ask(client, "eve")).status_code == 200

    asyncio.run(run())


def test_one_query_more_waits_for_another_of_the_user_to_end():
    async def run():
        reader = Slow()
        async with gateway_of(reader, user_queries=1, user_patience_s=PATIENT_S) as client:
            asked = [ask(client, "ann") for _ in range(5)]
            await until(lambda: reader.reading == 1)
            reader.may.set()
            assert [(await each).status_code for each in asked] == [200] * 5

    asyncio.run(run())


def test_adhoc_queries_leave_dashboards_and_lists_alone():
    async def run():
        reader = Slow()
        async with gateway_of(reader, adhoc_queries=1, interactive_queries=1) as client:
            adhoc = [ask(client, "ann"), ask(client, "bob")]
            await until(lambda: reader.reading == 1)
            panel = ask(client, "ann", **{"x-dashboard-uid": "abc"})
            await until(lambda: reader.reading == 2)
            assert 'waiting_queries{pool="adhoc"} 1.0' in (await client.get("/metrics")).text
            reader.may.set()
            assert [(await each).status_code for each in (*adhoc, panel)] == [200] * 3
            assert (await client.get("/api/v1/labels")).json()["data"] == ["__name__"]

    asyncio.run(run())


def test_a_query_whose_time_is_up_ends_and_its_place_is_free():
    async def run():
        reader = Slow()
        async with gateway_of(reader, adhoc_queries=1, user_queries=1, user_patience_s=PATIENT_S) as client:
            found = await client.get("/api/v1/query?query=up&timeout=30ms")
            assert (found.status_code, found.json()["errorType"]) == (503, "timeout")
            await until(lambda: reader.ended == ["DeadlinePassed"])
            reader.may.set()
            assert (await ask(client)).status_code == 200

    asyncio.run(run())


def test_a_query_that_nobody_waits_for_any_longer_ends():
    async def run():
        reader = Slow()
        async with gateway_of(reader, adhoc_queries=1) as client:
            gone = ask(client)
            await until(lambda: reader.reading == 1)
            gone.cancel()
            await until(lambda: reader.ended == ["DeadlinePassed"])
            reader.may.set()
            assert (await ask(client)).status_code == 200

    asyncio.run(run())


def test_evaluation_ends_too_when_the_time_is_up():
    """No samples are read: the arithmetic takes most of a minute, and the only place is free long before."""

    async def run():
        async with gateway_of(MemoryReader(SERIES), adhoc_queries=1) as client:
            asked = {"query": "quantile_over_time(0.5, vector(1)[10d:1s])", "start": "0", "end": "10000"}
            found = await client.get("/api/v1/query_range", params={**asked, "step": "1", "timeout": "300ms"})
            assert (found.status_code, found.json()["errorType"]) == (503, "timeout")
            async with asyncio.timeout(PATIENT_S):
                assert (await ask(client)).status_code == 200

    asyncio.run(run())


def test_those_who_ask_for_others_have_limits_for_each(tmp_path):
    async def run():
        tokens = {name: new_token() for name in ("grafana", "script")}
        users = {name: {"tokens": [token_hash(token)]} for name, token in tokens.items()}
        users["grafana"]["asks_for_others"] = True
        file = tmp_path / "users.yml"
        file.write_text(yaml.safe_dump({"users": users}))
        reader = Slow()
        limits = {"user_queries": 1, "source_queries": 4, "adhoc_queries": 9, "user_patience_s": 0}
        async with gateway_of(reader, **limits, users_file=file) as client:
            bearer = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()}
            asked = [ask(client, user, **bearer["grafana"]) for user in ("ann", "bob")]
            asked.append(ask(client, "ann", **bearer["script"]))
            await until(lambda: reader.reading == 3)
            assert (await ask(client, "bob", **bearer["grafana"])).status_code == 429
            # with accounts it counts for nothing whom another one names
            for header in ("x-grafana-user", "x-scope-orgid"):
                named = bearer["script"] | {header: "bob"}
                assert (await ask(client, **named)).status_code == 429
            reader.may.set()
            assert [(await each).status_code for each in asked] == [200] * 3
            reader.may.clear()
            # nor do new names help one who may name others
            asked = [ask(client, f"user-{number}", **bearer["grafana"]) for number in range(4)]
            await until(lambda: reader.reading == 4)
            assert (await ask(client, "user-9", **bearer["grafana"])).status_code == 429
            reader.may.set()
            assert [(await each).status_code for each in asked] == [200] * 4

    asyncio.run(run())
