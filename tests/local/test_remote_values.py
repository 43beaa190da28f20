"""Values in a real Redis, and what happens without it."""

import os
import signal
import subprocess
import time

import pytest

from streamgauge.config import Config, Local
from streamgauge.config import Redis as Settings
from streamgauge.gateway.cache.remote import MAX_READ_BYTES, MAX_VALUE_BYTES, RemoteFault, RemoteValues
from streamgauge.local.servers import redis
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.supervision.home import Home


class Server:
    """A server of a test's own, which can be stopped, held and started again."""

    def __init__(self, folder):
        [port] = free_ports(1)
        self.settings = Settings(url=f"redis://127.0.0.1:{port}/0")
        home = Home(folder)
        home.make()
        self._service = redis.service(Config(redis=self.settings, local=Local(home=folder)), home)
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self._service.command(), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._service.ready():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self):
        self._process.kill()
        self._process.wait()

    def hold(self):
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path)
    running.start()
    yield running
    running.go_on()
    running.stop()


class Kept:
    """Values of a server, on a clock of their own."""

    def __init__(self, settings):
        self.now = 0.0
        self.faults = []
        self.held = []
        self.values = RemoteValues(settings, self.faults.append, lambda: self.now)

    def get(self, keys):
        return self.values.get(keys, self.held.append)


@pytest.fixture
def kept(server):
    opened = Kept(server.settings)
    yield opened
    opened.values.close()


def test_values_come_back_and_live_as_long_as_they_were_put_for(kept):
    kept.values.put({b"a": (b"\x00\xff", 60), b"b": (b"x" * (MAX_VALUE_BYTES + 1), 60), b"c": (b"1", 1)})
    assert kept.get([b"a", b"b", b"none"]) == [b"\x00\xff", None, None]
    deadline = time.monotonic() + 10
    while kept.get([b"c"]) != [None]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert kept.get([b"a"]) == [b"\x00\xff"]
    assert kept.get([]) == []
    assert kept.faults == []


def test_values_of_others_cost_no_more_than_own_ones_may(server):
    """Whoever else writes to this Redis: too long, of another type, and too many."""
    kept = Kept(server.settings.model_copy(update={"timeout_ms": 60_000}))
    client = kept.values._client
    # answers that are on their way count too: nothing is to be evicted for them
    client.config_set("maxmemory", "0")
    client.set(b"long", b"x" * (3 * MAX_VALUE_BYTES))
    client.rpush(b"list", b"x")
    client.set(b"after", b"1")
    assert kept.get([b"long", b"list", b"after"]) == [None, None, b"1"]
    assert kept.held == [1]
    assert kept.faults == [RemoteFault.TOO_LARGE]
    largest, keys = b"x" * MAX_VALUE_BYTES, [b"%d" % number for number in range(20)]
    kept.values.put(dict.fromkeys(keys, (largest, 60)))
    found = kept.get(keys)
    assert found == [largest] * (MAX_READ_BYTES // MAX_VALUE_BYTES) + [None] * 4
    assert kept.held[1:] == [MAX_READ_BYTES]
    assert kept.faults == [RemoteFault.TOO_LARGE]
    kept.values.close()


def test_without_redis_there_are_no_values_and_it_is_left_alone_for_a_while(server, kept):
    kept.values.put({b"a": (b"1", 60)})
    server.stop()
    assert kept.get([b"a"]) == [None]
    assert kept.values.is_paused
    kept.values.put({b"a": (b"2", 60)})
    assert kept.faults == [RemoteFault.CONNECTION]
    server.start()
    assert kept.get([b"a"]) == [None]
    kept.now = 5.1
    assert not kept.values.is_paused
    kept.values.put({b"a": (b"3", 60)})
    assert kept.get([b"a"]) == [b"3"]
    assert kept.faults == [RemoteFault.CONNECTION]


def test_a_redis_that_hangs_costs_one_wait(server, kept):
    kept.values.put({b"a": (b"1", 60), b"b": (b"2", 60)})
    server.hold()
    assert kept.get([b"a"]) == [None]
    assert kept.faults == [RemoteFault.TIMEOUT]
    assert kept.values.is_paused
    server.go_on()
    kept.now = 5.1
    # an answer that came too late is not taken for that to the next request
    assert kept.get([b"b"]) == [b"2"]


def test_a_redis_that_refuses_is_left_alone_too(kept):
    kept.values._client.config_set("maxmemory", "1")
    kept.values._client.config_set("maxmemory-policy", "noeviction")
    kept.values.put({b"a": (b"1", 60)})
    assert kept.faults == [RemoteFault.REFUSED]
    kept.now = 5.1
    assert kept.get([b"a"]) == [None]


def test_what_comes_is_held_before_it_is_asked_for_and_what_is_not_ours_is_not_taken(kept):
    sizes = [1, 1000, MAX_VALUE_BYTES]
    keys = [b"%d" % size for size in sizes]
    kept.values.put({key: (b"x" * size, 60) for key, size in zip(keys, sizes, strict=True)})
    foreign = b"x" * (MAX_VALUE_BYTES + 1)
    kept.values._client.set(b"foreign", foreign)
    assert [value and len(value) for value in kept.get([*keys, b"foreign", b"none"])] == [*sizes, None, None]
    assert kept.held == [sum(sizes)]
    assert kept.faults == [RemoteFault.TOO_LARGE]
    assert not kept.values.is_paused

    def refuse(_):
        raise MemoryError

    sent = kept.values._client.info()["total_net_output_bytes"]
    with pytest.raises(MemoryError):
        kept.values.get(keys, refuse)
    assert kept.values._client.info()["total_net_output_bytes"] < sent + 100_000


def test_a_value_that_has_grown_since_it_was_held_is_not_taken(kept):
    kept.values.put({b"a": (b"1", 60), b"b": (b"2", 60)})

    def grow(_):
        kept.values.put({b"a": (b"x" * 1000, 60)})

    assert kept.values.get([b"a", b"b"], grow) == [None, b"2"]
