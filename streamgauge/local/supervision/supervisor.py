"""The supervisor: one process that starts, watches, restarts and stops all others, and keeps the jobs."""

import contextlib
import faulthandler
import fcntl
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from streamgauge import config as configuration
from streamgauge.config import Config
from streamgauge.local.servers.service import environment
from streamgauge.local.servers.services import services
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.keeper import Keeper
from streamgauge.local.supervision.process import Process, ProcessState
from streamgauge.local.supervision.state_file import StateFile

STEP_S = 0.2
ROTATE_S = 30.0
LOG_BYTES = 64 * 1024 * 1024
SERVING = (ProcessState.READY, ProcessState.DONE)
STATE = "its state"
"""In the published troubles."""

log = logging.getLogger(__name__)


class Supervisor:
    """Runs until it is stopped, whatever fails; publishes its state in the home's state file."""

    def __init__(self, config: Config, home: Home) -> None:
        environ = environment(home)
        now = time.monotonic()
        self._home = home
        self._processes = {each.name: Process(each, home, environ, now) for each in services(config, home)}
        self._keeper = Keeper(config, home, environ, self._may_submit)
        self._ending = threading.Event()
        self._state = StateFile(home.state)
        self._published: dict[str, Any] = {}
        self._troubles: dict[str, str] = {}
        self._rotate_at = now

    def end(self, *_: int | FrameType | None) -> None:
        """Stop everything, then return from `run`. A signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Supervise until `end`."""
        # at once: the first steps may take long, and a full disk later can only be told of in a file that is there
        self._publish("running")
        self._keeper.start()
        while not self._ending.wait(STEP_S):
            for name, process in self._processes.items():
                self._attempt(name, partial(self._step, process))
            self._publish("running")
            self._rotate_logs()
        self._stop_all()
        self._publish("stopped")

    def _step(self, process: Process) -> None:
        service = process.service
        wanted = not (self._home.stopped / service.name).exists()
        process.step(time.monotonic(), wanted=wanted, may_start=self._serve(service.after))

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        """Do something that will be tried again; what fails is published, and stops nothing else."""
        try:
            action()
        except Exception as error:
            self._trouble(what, error)
        else:
            self._troubles.pop(what, None)

    def _trouble(self, what: str, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"
        if self._troubles.get(what) != failure:
            log.warning("supervisor error: with=%s error=%s", what, failure)
        self._troubles[what] = failure

    def _serve(self, names: tuple[str, ...]) -> bool:
        return all(self._processes[name].state in SERVING for name in names)

    def _may_submit(self) -> bool:
        return self._serve(("taskmanager", "schema", "kafka", "cassandra"))

    def _stop_all(self) -> None:
        self._publish("stopping")
        self._keeper.stop()
        while alive := [process for process in self._processes.values() if process.pid]:
            needed = {name for process in alive for name in process.service.after}
            for process in alive:
                if process.service.name not in needed:
                    stop = partial(process.step, time.monotonic(), wanted=False, may_start=False)
                    self._attempt(process.service.name, stop)
            self._publish("stopping")
            time.sleep(STEP_S / 2)

    def _publish(self, phase: str) -> None:
        shift = time.time() - time.monotonic()
        state: dict[str, Any] = {
            "supervisor": os.getpid(),
            "phase": phase,
            "processes": {
                name: {
                    "state": process.state,
                    "since": round(process.since + shift),
                    "pid": process.pid,
                    "restarts": process.restarts,
                    "last_failure": process.last_failure,
                    "failed_at": round(process.failed_at + shift, 1) if process.last_failure else 0,
                    "recovered": process.recovered,
                }
                for name, process in self._processes.items()
            },
            "jobs": {name: asdict(job) for name, job in self._keeper.jobs.items()},
        }
        self._write(state)

    def _write(self, state: dict[str, Any]) -> None:
        """Publish the state if it is new; in place where the disk takes nothing more, with that among its troubles."""
        others = {what: failure for what, failure in self._troubles.items() if what != STATE}
        published = state | {"troubles": others}
        if published == self._published and STATE not in self._troubles:
            return
        try:
            self._state.replace(published)
            self._troubles = others
        except OSError as error:
            self._trouble(STATE, error)
            published = state | {"troubles": {**self._troubles}}
            with contextlib.suppress(OSError):
                self._state.overwrite(published)
        self._published = published

    def _rotate_logs(self) -> None:
        if time.monotonic() < self._rotate_at:
            return
        self._rotate_at = time.monotonic() + ROTATE_S
        for file in self._home.logs.glob("*.log"):
            self._attempt(file.name, partial(_rotate, file))


def _rotate(file: Path) -> None:
    """Keep a copy of a log that is long, and cut it under those that append to it; without a copy it is not cut."""
    if file.stat().st_size <= LOG_BYTES:
        return
    kept = file.with_suffix(".log.1")
    try:
        shutil.copyfile(file, kept)
    except OSError:
        kept.unlink(missing_ok=True)
        raise
    os.truncate(file, 0)


def main() -> None:
    """Supervise the stack of the configuration file that is the one argument."""
    faulthandler.enable()
    config = configuration.read(Path(sys.argv[1]))
    home = Home(config.local.home)
    with home.pid("supervisor.lock").open("w") as lock, contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        own = psutil.Process()
        home.pid("supervisor").write_text(f"{own.pid} {own.create_time()}")
        supervisor = Supervisor(config, home)
        signal.signal(signal.SIGTERM, supervisor.end)
        signal.signal(signal.SIGINT, supervisor.end)
        supervisor.run()
        home.pid("supervisor").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
