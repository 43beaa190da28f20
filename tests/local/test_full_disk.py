"""The supervisor on a full disk, for which /dev/full stands: it goes on, says so, and leaves nothing running."""

import contextlib
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streamgauge.config import Config, Flink, Local
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.servers.service import Service
from streamgauge.local.stack import Stack, StackError
from streamgauge.local.status import look, show
from streamgauge.local.supervision import supervisor
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.process import Process, ProcessState
from streamgauge.local.supervision.state_file import BLOCK_BYTES, StateFile

FULL = Path("/dev/full")
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
NO_SPACE = "No space left on device"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def fill(file: Path) -> None:
    """Let a file take nothing."""
    file.unlink(missing_ok=True)
    file.symlink_to(FULL)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_a_process_whose_pid_file_cannot_be_written_does_not_run(home: Home) -> None:
    before = children()
    child = Process(Service("child", lambda: SLEEP, lambda: True), home, {}, 0.0)
    fill(home.pid("child"))
    for now in (0.0, 100.0):
        child.step(now, wanted=True, may_start=True)
        assert child.state is ProcessState.FAILED
        assert NO_SPACE in child.last_failure
        assert child.pid is None
        assert children() == before
    home.pid("child").unlink()
    child.step(200.0, wanted=True, may_start=True)
    assert child.pid in children()
    child.step(201.0, wanted=False, may_start=True)
    wait_until(lambda: child.step(202.0, wanted=False, may_start=True) or child.state is ProcessState.STOPPED)


def test_a_probe_that_fails_is_no_answer_and_ends_nothing(home: Home) -> None:
    child = Process(Service("child", lambda: SLEEP, lambda: bool(1 / 0)), home, {}, 0.0)
    child.step(0.0, wanted=True, may_start=True)
    child.step(1.0, wanted=True, may_start=True)
    assert child.state is ProcessState.STARTING
    child.step(1000.0, wanted=True, may_start=True)
    wait_until(lambda: child.step(1001.0, wanted=True, may_start=False) or child.pid is None)
    assert child.last_failure == "not ready after 120 s: ZeroDivisionError: division by zero"


def test_the_state_is_overwritten_where_nothing_can_be_added(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    assert file.read() == {}
    file.replace({"a": "x" * BLOCK_BYTES})
    fill(tmp_path / "state.new")
    longer = {"a": "y" * 2 * BLOCK_BYTES}
    with pytest.raises(OSError, match=NO_SPACE):
        file.replace(longer)
    assert file.read() == {"a": "x" * BLOCK_BYTES}
    size = (tmp_path / "state.json").stat().st_size
    file.overwrite({"b": 1})
    assert file.read() == {"b": 1}
    file.overwrite({"a": "y" * (size - 100)})
    with pytest.raises(OSError, match="the state exceeds"):
        file.overwrite({"a": "y" * size})
    assert (tmp_path / "state.json").stat().st_size == size


def test_a_reader_waits_for_the_end_of_an_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"a": [1, 2')
    finish = threading.Timer(0.1, path.write_text, ['{"a": [1, 2]}'])
    finish.start()
    assert StateFile(path).read() == {"a": [1, 2]}
    finish.join()


@pytest.fixture
def config(home: Home) -> Config:
    [port] = free_ports(1)
    return Config(flink=Flink(rest=f"http://127.0.0.1:{port}"), local=Local(home=home.path))


@pytest.fixture
def supervised(config: Config, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A supervisor in a thread, of two processes that only wait and one that waits for another in vain."""
    # the session of the tests themselves can have begun outside of the PID namespace, and has no number then
    leader = subprocess.Popen(SLEEP, start_new_session=True)
    home.pid("supervisor").write_text(f"{leader.pid} {psutil.Process(leader.pid).create_time()}")
    found = [Service(name, lambda: SLEEP, lambda: True) for name in ("first", "second")]
    odd = Service("odd", lambda: SLEEP, lambda: True, after=("nobody",))
    monkeypatch.setattr(supervisor, "services", lambda *_: [*found, odd])
    monkeypatch.setattr(supervisor, "STEP_S", 0.01)
    monkeypatch.setattr(supervisor, "ROTATE_S", 0.05)
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    running = supervisor.Supervisor(config, home)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield Stack(config)
    running.end()
    thread.join()
    leader.kill()
    leader.wait()
    assert not children()


def states(stack: Stack) -> dict[str, str]:
    return {name: process["state"] for name, process in stack.state().get("processes", {}).items()}


def test_the_supervisor_outlives_a_full_disk_and_says_so(supervised: Stack, home: Home) -> None:
    wait_until(lambda: states(supervised) == {"first": "ready", "second": "ready", "odd": "waiting"})
    log, kept = home.log("first"), home.logs / "first.log.1"
    (home.stopped / "second").touch()
    wait_until(lambda: states(supervised)["second"] == "stopped")
    for file in (home.state.with_suffix(".new"), home.pid("second"), kept):
        fill(file)
    log.write_text("more than ten bytes")
    (home.stopped / "second").unlink()
    wait_until(lambda: NO_SPACE in supervised.state()["processes"]["second"]["last_failure"])
    wait_until(lambda: "first.log" in supervised.state()["troubles"])
    assert states(supervised)["first"] == "ready"
    seen = look(supervised)
    assert not seen.well
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        show(seen, as_json=False)
    for what in ("supervisor: its state: OSError", "supervisor: odd: KeyError: 'nobody'", NO_SPACE):
        assert what in told.getvalue()

    for file in (home.state.with_suffix(".new"), home.pid("second")):
        file.unlink()
    wait_until(lambda: states(supervised)["second"] == "ready")
    wait_until(lambda: supervised.state()["troubles"].keys() == {"odd"})
    # it was cut only after it had been copied
    assert kept.read_text() == "more than ten bytes"
    assert log.read_text() == ""


@pytest.mark.parametrize("file", ["conf", "run/stopped"])
def test_a_stack_whose_folder_takes_nothing_is_not_started(file: str, config: Config, home: Home) -> None:
    folder = home.path / file
    folder.rmdir()
    folder.write_text("no folder")
    with pytest.raises(StackError, match="cannot write to"):
        Stack(config).up({"redis"})
    assert not children()
