"""The supervisor: one process that starts, watches, restarts and stops all others, and keeps the jobs."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from streamgauge import config as configuration
from streamgauge.config import Config
from streamgauge.local.home import Home
from streamgauge.local.keeper import Keeper
from streamgauge.local.process import Process, ProcessState
from streamgauge.local.service import environment
from streamgauge.local.services import services

STEP_S = 0.2
ROTATE_S = 30.0
LOG_BYTES = 64 * 1024 * 1024
SERVING = (ProcessState.READY, ProcessState.DONE)


class Supervisor:
    """Runs until it is told to stop; publishes what it sees in the home's state file."""

    def __init__(self, config: Config, home: Home) -> None:
        environ = environment(home)
        now = time.monotonic()
        self._home = home
        self._processes = {each.name: Process(each, home, environ, now) for each in services(config, home)}
        self._keeper = Keeper(config, home, environ, self._may_submit)
        self._ending = threading.Event()
        self._published = ""
        self._rotate_at = now

    def end(self, *_: int | FrameType | None) -> None:
        """Stop everything, then return from `run`. A signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Supervise until `end`."""
        self._keeper.start()
        while not self._ending.wait(STEP_S):
            for name, process in self._processes.items():
                wanted = not (self._home.stopped / name).exists()
                process.step(time.monotonic(), wanted=wanted, may_start=self._serve(process.service.after))
            self._publish("running")
            self._rotate_logs()
        self._stop_all()
        self._publish("stopped")

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
                    process.step(time.monotonic(), wanted=False, may_start=False)
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
                }
                for name, process in self._processes.items()
            },
            "jobs": {name: asdict(job) for name, job in self._keeper.jobs.items()},
        }
        text = json.dumps(state, indent=1)
        if text != self._published:
            unfinished = self._home.state.with_suffix(".new")
            unfinished.write_text(text)
            unfinished.replace(self._home.state)
            self._published = text

    def _rotate_logs(self) -> None:
        """Children append, so a log that has been copied can be cut under them."""
        if time.monotonic() < self._rotate_at:
            return
        self._rotate_at = time.monotonic() + ROTATE_S
        for log in self._home.logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)


def main() -> None:
    """Supervise the stack of the configuration file that is the one argument."""
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
