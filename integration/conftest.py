"""One stack for all tests, on ports and in a folder of its own, and a clock that only goes forward."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from integration.support.alerting import Feed, Rules
from integration.support.fast_collector import FastClock
from integration.support.set_aside import restarts
from integration.support.stored import Stored, wait_for
from streamgauge.config import Config, StorageClassSettings
from streamgauge.local.own_stack import changed, home_of, on_own_ports
from streamgauge.local.stack import Stack

HOME = home_of("test")
# a quarter of all CPU time otherwise goes into optimizing servers that live for minutes
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
KEPT_HOURS = 72
ROOM_MS = 12 * HOUR_MS
"""How far simulated time may run before it meets the real one."""
BEFORE_MIDNIGHT_MS = 25 * MINUTE_MS
"""Simulated time begins so long before a midnight, so that hours and a day end during the tests."""


FIRST = ("test_pipeline_late.py", "test_pipeline_backfill.py")
"""Both end a day; the second reads all of Kafka again, which holds little then."""
LAST = ("test_documented.py",)
"""It leaves the offsets of jobs behind, from which those of other tests would go on."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Simulated time first, and in it what ends a day: a collector with the real clock makes all later ones late."""
    items.sort(key=lambda item: (_rank(item), item.path.name))


def _rank(item: pytest.Item) -> int:
    name = item.path.name
    if name in FIRST:
        return FIRST.index(name)
    if _is_of_the_pipeline(item):
        return len(FIRST)
    # of simulated time too
    return len(FIRST) + (1 if name.startswith("test_alerts") else 3 if name in LAST else 2)


def _is_of_the_pipeline(item: pytest.Item) -> bool:
    return item.path.name.startswith("test_pipeline")


def _configuration() -> Config:
    return changed(
        on_own_ports(HOME),
        kafka={"retention_hours": KEPT_HOURS},
        # simulated time runs fast, so a real delay of the machine is a long one
        stream={"lag_ms": 5000, "late_flush_ms": 1000, "rebuild_quiet_ms": 500},
        storage={
            "classes": {
                "short": StorageClassSettings(
                    match=('{tier="short"}',), retention={"1day": "30d"}, digests=False
                ),
                "standard": StorageClassSettings(retention={"raw": f"{KEPT_HOURS}h"}),
            }
        },
        alerts={"state_interval_ms": 500, "values_interval_ms": 500},
    )


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack without its collector, for the tests run their own, and without the alert job: see `with_alerts`."""
    running = Stack(_configuration())
    running.down()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        running.up(running.parts() - {"collector", "alerts"}, report=print)
        yield running
    finally:
        running.down()


@pytest.fixture(scope="session")
def with_alerts(stack: Stack) -> Stack:
    """The stack once the job that evaluates alert rules runs on it."""
    stack.start("alerts")
    stack.wait_ready({"alerts"})
    return stack


@pytest.fixture(autouse=True)
def _alert_job_after_the_pipeline(request: pytest.FixtureRequest) -> None:
    """The alert job runs in all tests of the stack but those of the pipeline, whose restarts would take longer."""
    if "stack" in request.fixturenames and not _is_of_the_pipeline(request.node):
        request.getfixturevalue("with_alerts")


@pytest.fixture(scope="module")
def own_collector(stack: Stack) -> Iterator[None]:
    """The stack's own collector, with the real clock, for the tests of a module."""
    stack.start("collector")
    stack.wait_ready({"collector", "gateway", "store", "rollup"})
    yield
    stack.stop("collector")


@pytest.fixture
def undisturbed(stack: Stack) -> Iterator[None]:
    """No job is restarted by the test."""
    jobs = {"store", "rollup", "alerts"}
    stack.wait_ready(jobs)
    before = restarts(stack)
    yield
    stack.wait_ready(jobs)
    assert restarts(stack) == before


@pytest.fixture(scope="session")
def config(stack: Stack) -> Config:
    """The configuration of the stack that runs."""
    return stack.config


@pytest.fixture(scope="session")
def stored(stack: Stack) -> Iterator[Stored]:
    """The tables."""
    view = Stored(stack.config)
    yield view
    view.close()


class Time:
    """Simulated time for one test after the other; it never goes back, as the watermark never does."""

    def __init__(self) -> None:
        self._midnight = (int(time.time() * 1000) - ROOM_MS) // DAY_MS * DAY_MS
        self.next = self._midnight - BEFORE_MIDNIGHT_MS

    def near_midnight(self, minutes: int) -> int:
        """Go on until so many minutes before midnight, if it is not later yet; the time (ms)."""
        self.next = max(self.next, self._midnight - minutes * MINUTE_MS)
        return self.next


@pytest.fixture(scope="session")
def simulated() -> Time:
    """The session's simulated time."""
    return Time()


class FastCollector:
    """A collector process with a fast clock, which stands still while the collector does not run."""

    def __init__(
        self, config: Config, config_file: Path, folder: Path, origin: int, speed: float, limit: int
    ):
        self.address = config.collector.listen
        self._file = config_file
        self._folder = folder
        self._speed = speed
        self._limit = limit
        self._starts = 0
        self._start(origin)

    def _start(self, origin: int) -> None:
        self._starts += 1
        self.clock = FastClock(self._folder / f"clock-{self._starts}", origin, self._speed, self._limit)
        arguments = [str(self._file), *self.clock.arguments()]
        with (HOME / "logs" / "fast-collector.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "integration.support.fast_collector", *arguments],
                stdout=log,
                stderr=log,
                env=os.environ | {"NUMBA_NUM_THREADS": "1"},
            )
        try:
            wait_for(self._ready, 120, lambda: f"the collector does not start, see {log.name}")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self.clock.start()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def kill_and_start(self) -> None:
        """kill -9; another one goes on with the clock."""
        self._process.kill()
        self._process.wait()
        self._start(self.clock())

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture
def run_collector(stack: Stack, simulated: Time, tmp_path: Path, request: pytest.FixtureRequest):
    """Start a collector at the next simulated minute; its clock stops a little after so many minutes."""

    def run(speed: float, minutes: int = 10) -> FastCollector:
        limit = simulated.next + (minutes + 2) * MINUTE_MS
        collector = FastCollector(stack.config, stack.home.config, tmp_path, simulated.next, speed, limit)
        simulated.next = limit + MINUTE_MS
        request.addfinalizer(collector.stop)
        return collector

    return run


@pytest.fixture(scope="session")
def stream(with_alerts: Stack) -> Feed:
    """The simulated time of tests of alerts, which comes after all others' and never goes back."""
    with_alerts.wait_ready({"store"})
    # a job that is killed before its first checkpoint begins at the newest samples
    jobs = lambda: with_alerts.state()["jobs"]  # noqa: E731
    wait_for(lambda: jobs()["alerts"]["checkpoints"] > 0, 60, lambda: str(jobs()))
    return Feed(with_alerts.config)


@pytest.fixture
def rules(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Feed) -> Iterator[Rules]:
    """Applies rule files, and takes them back after the test."""
    applied = Rules(stack, tmp_path, monkeypatch, stream)
    yield applied
    applied.remove()


@pytest.fixture
def name() -> str:
    """Of a metric and a rule file that no other test has."""
    return f"test_{uuid.uuid4().hex[:8]}"
