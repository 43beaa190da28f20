"""One supervised process: started, restarted when it ends, and stopped with all its children."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import IO

import psutil

from streamgauge.local.servers.service import Service
from streamgauge.local.supervision.crashes import CrashWatch, last_crash
from streamgauge.local.supervision.home import Home

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
TELLING = re.compile(r"\b(?:ERROR|FATAL)\b|\w(?:Error|Exception)\b")
"""Marks of the log line that tells why a process ended."""
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
"""Signals that Python's fault handler reports."""
CRASH_LINES = 1000
"""Of a log: those among which a crash is looked for, with the stacks of many threads."""
LOOK_S = 1.0
"""Interval of checks of a running process's log."""
STEADY_S = 60.0
"""A process that has served this long starts its back-off anew."""
START_TIMEOUT_S = 120.0


class ProcessState(StrEnum):
    """Where a process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Backoff:
    """Pauses that double from failure to failure."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE_S

    def next(self) -> float:
        """The pause after this failure, in seconds."""
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_S)
        return pause

    def reset(self) -> None:
        """Start over."""
        self._pause = FIRST_PAUSE_S


class Process:
    """The life of one service. `step` moves it on; times are seconds of one clock.

    failed_at: when it failed first since it was well. recovered: whether it has served since it failed last, and for a
    while since what it started has crashed.
    """

    def __init__(self, service: Service, home: Home, environment: Mapping[str, str], now: float) -> None:
        self.service = service
        self.state = ProcessState.WAITING
        self.since = now
        self.restarts = 0
        self.last_failure = ""
        self.failed_at = now
        self.recovered = True
        self._crashed_at = -inf
        self._home = home
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff()
        self._deadline = 0.0
        self._given_up = ""
        self._watch = CrashWatch(home.log(service.name))
        self._look_at = now

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return self._child.pid if self._child else None

    def step(self, now: float, *, wanted: bool, may_start: bool) -> None:
        """Look at the process and do what is due. Never waits longer than a readiness probe."""
        if self._child and (code := self._child.poll()) is not None:
            self._ended(now, code, wanted)
        if not wanted:
            self._stop(now)
        elif self._child is None:
            self._start_if_due(now, may_start)
        elif self.state is ProcessState.STARTING:
            self._await_ready(now)
        elif self.state is ProcessState.READY:
            self._look_for_crashes(now)
            if now - self.since > STEADY_S:
                self._backoff.reset()
            if now - self._crashed_at > STEADY_S:
                self.recovered = True

    def _look_for_crashes(self, now: float) -> None:
        """What it started may crash while it lives: Flink starts another Python worker."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        if crash := self._watch.seen():
            self._note(now, f"a worker crashed: {crash}")
            self._crashed_at = now

    def _note(self, now: float, failure: str) -> None:
        if self.recovered:
            self.failed_at = now
        self.last_failure, self.recovered = failure, False

    def _start_if_due(self, now: float, may_start: bool) -> None:
        if self.state is ProcessState.DONE or (self.state is ProcessState.FAILED and now < self._deadline):
            return
        if not may_start:
            self._move(ProcessState.WAITING, now)
            return
        try:
            self._child = self._launch()
        except Exception as error:
            self._failed(now, f"{type(error).__name__}: {error}")
            return
        self._move(ProcessState.STARTING, now)
        self._deadline = now + START_TIMEOUT_S

    def _launch(self) -> subprocess.Popen[bytes]:
        command = self.service.command()
        environment = {**self._environment, **self.service.environment}
        with self._home.log(self.service.name).open("ab") as log:
            return start_in_session(command, self.service.name, self._home, environment, log)

    def _await_ready(self, now: float) -> None:
        reason = ""
        try:
            if self.service.ready():
                self._move(ProcessState.READY, now)
                return
        except Exception as error:
            reason = f": {type(error).__name__}: {error}"
        if now > self._deadline and self._child:
            self._given_up = f"not ready after {START_TIMEOUT_S:.0f} s{reason}"
            kill_session(self._child.pid)

    def _ended(self, now: float, code: int, wanted: bool) -> None:
        assert self._child
        kill_session(self._child.pid)
        self._home.pid(self.service.name).unlink(missing_ok=True)
        self._child = None
        given_up, self._given_up = self._given_up, ""
        if self.service.once and code == 0:
            self._move(ProcessState.DONE, now)
        elif wanted and self.state is not ProcessState.STOPPING:
            self._failed(now, given_up or _verdict(code, self._home.log(self.service.name)))
        else:
            self._move(ProcessState.STOPPED, now)

    def _failed(self, now: float, failure: str) -> None:
        self._note(now, failure)
        self.restarts += 1
        self._deadline = now + self._backoff.next()
        self._move(ProcessState.FAILED, now)

    def _stop(self, now: float) -> None:
        if self._child is None:
            if self.state is not ProcessState.DONE:
                self._move(ProcessState.STOPPED, now)
        elif self.state is not ProcessState.STOPPING:
            self._child.terminate()
            self._deadline = now + self.service.grace_s
            self._move(ProcessState.STOPPING, now)
        elif now > self._deadline:
            kill_session(self._child.pid)

    def _move(self, state: ProcessState, now: float) -> None:
        if state is not self.state:
            self.state, self.since = state, now
        if state in (ProcessState.READY, ProcessState.DONE):
            self.recovered = True


def start_in_session(
    command: list[str], name: str, home: Home, environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process as leader of a session of its own, with a pid file to find it by.

    :raises OSError: if it cannot be started, or its pid file not be written; nothing runs then.
    """
    child = subprocess.Popen(
        command,
        cwd=home.path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        home.pid(name).write_text(f"{child.pid} {psutil.Process(child.pid).create_time()}")
    except BaseException:
        # nobody would find it again
        kill_session(child.pid)
        child.wait()
        raise
    return child


def kill_session(session: int, sig: signal.Signals = signal.SIGKILL) -> None:
    """Signal every process of a session, such as the workers that outlived their TaskManager."""
    for process in session_members(session):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(sig)


def session_members(session: int) -> list[psutil.Process]:
    """The living processes of a session."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def recorded_session(pid_file: Path) -> int | None:
    """The session that a pid file names, if anything of it lives; not a newer process with the same id."""
    try:
        pid, created = pid_file.read_text().split()
        session, created_s = int(pid), float(created)
    except (OSError, ValueError):
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        if abs(psutil.Process(session).create_time() - created_s) > 1:
            return None
    return session if session_members(session) else None


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log that are not empty."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 256 * count))
        return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()][-count:]
    return []


def _verdict(code: int, log: Path) -> str:
    if code < 0:
        killed = f"killed by {signal.Signals(-code).name}"
        crash = last_crash(last_lines(log, CRASH_LINES)) if -code in CRASHES else ""
        return f"{killed}: {crash}" if crash else killed
    lines = last_lines(log, 100)
    telling = [line for line in lines if TELLING.search(line)]
    return ": ".join([f"exit code {code}", *(telling or lines)[-1:]])
