"""The local stack: start it, stop it, and stop, kill or restart parts of it.

stack = Stack(config)
stack.up(stack.parts() - {"collector"})
stack.kill("taskmanager")
stack.wait_ready({"taskmanager"})
stack.down()
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from typing import Any

import psutil

from streamgauge import config as configuration
from streamgauge.config import Config
from streamgauge.local.servers import credentials, jars
from streamgauge.local.servers.service import listens
from streamgauge.local.servers.services import services
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import JOBS
from streamgauge.local.supervision.keeper import WITHOUT_STATE
from streamgauge.local.supervision.process import kill_session, last_lines, recorded_session
from streamgauge.local.supervision.state_file import StateFile

UP_TIMEOUT_S = 300.0
DOWN_TIMEOUT_S = 120.0
PATIENCE = 3
"""Failed starts of a part after which `up` gives up."""
POLL_S = 0.1
WELL = frozenset({"ready", "done", "RUNNING"})
SILENT: Callable[[str], None] = lambda _: None  # noqa: E731


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says why, with the last lines of the log."""


class Stack:
    """The stack of one configuration, running or not. `state` is what its supervisor published last."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.home = Home(config.local.home)
        self._services = {each.name: each for each in services(config, self.home)}

    def parts(self) -> frozenset[str]:
        """The names of all processes and jobs."""
        return frozenset(self._services) | self.jobs()

    def jobs(self) -> frozenset[str]:
        """The names of all jobs."""
        return frozenset(name for name, file in JOBS.items() if file.exists())

    def running(self) -> bool:
        """Whether the supervisor is there."""
        return recorded_session(self.home.pid("supervisor")) is not None

    def state(self) -> dict[str, Any]:
        """`processes` and `jobs` by name, each with its `state`; empty if the stack never ran."""
        return StateFile(self.home.state).read()

    def up(
        self,
        parts: Collection[str] | None = None,
        report: Callable[[str], None] = SILENT,
        timeout_s: float = UP_TIMEOUT_S,
    ) -> None:
        """Start the parts (all by default), apply the schema, and return when all are ready.

        Parts that already run are left alone. What was not running before is taken down again on failure.

        :param report: is told in one line about each step.
        :raises StackError: a port is taken, a part does not start, or the time is over.
        """
        chosen = frozenset(parts if parts is not None else self.parts())
        if unknown := chosen - self.parts():
            raise StackError(
                f"unknown part: {', '.join(sorted(unknown))}; available parts: {_names(self.parts())}"
            )
        if self.running():
            self._same_configuration()
            self.start(*chosen)
        else:
            self._launch(chosen, report)
        self.wait_ready(chosen, timeout_s, report)

    def down(self, report: Callable[[str], None] = SILENT) -> None:
        """Stop everything in reverse order, the jobs with a savepoint; ends leftovers of a killed supervisor.

        :raises StackError: if something would not end.
        """
        supervisor = recorded_session(self.home.pid("supervisor"))
        if supervisor is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor, signal.SIGTERM)
            seen: dict[str, str] = {}
            deadline = time.monotonic() + DOWN_TIMEOUT_S
            while self.running() and time.monotonic() < deadline:
                self._report_changes(self._services, seen, report)
                time.sleep(POLL_S)
        self._end_leftovers()

    def start(self, *names: str) -> None:
        """Let these parts run (again). Does not wait."""
        for name in names:
            (self.home.stopped / name).unlink(missing_ok=True)

    def stop(self, *names: str, keep_state: bool = True, timeout_s: float = 60.0) -> None:
        """Stop these parts, until `start`; jobs with a savepoint. Returns when they have stopped.

        :param keep_state: whether a job goes on from its snapshots afterwards; if not they are deleted.
        :raises StackError: when the time is over.
        """
        for name in names:
            (self.home.stopped / name).write_text("" if keep_state else WITHOUT_STATE)
        self._await(
            lambda: all(self._state(name) == "stopped" for name in names), "to stop", names, timeout_s
        )

    def restart(self, *names: str, timeout_s: float = 120.0) -> None:
        """Stop, start, and wait until ready."""
        self.stop(*names, timeout_s=timeout_s)
        self.start(*names)
        self.wait_ready(names, timeout_s)

    def kill(self, name: str) -> None:
        """kill -9 of a process and all that it started; the supervisor will start it again.

        Returns when the supervisor has noticed, so that `wait_ready` waits for the new one.

        :raises StackError: if it is not running.
        """
        pid = self.pid(name)
        kill_session(pid)
        self._await(lambda: self._process(name).get("pid") != pid, "to be noticed", (name,), 30.0)

    def pid(self, name: str) -> int:
        """The process id of a part.

        :raises StackError: if it is not running.
        """
        pid = self._process(name).get("pid")
        if pid is None:
            raise StackError(f"{name} is not running")
        return int(pid)

    def python_workers(self) -> list[int]:
        """Process ids of the Python workers of the TaskManager."""
        below = psutil.Process(self.pid("taskmanager")).children(recursive=True)
        return [each.pid for each in below if "pyflink.fn_execution.beam.beam_boot" in each.cmdline()]

    def wait_ready(
        self, names: Collection[str], timeout_s: float = UP_TIMEOUT_S, report: Callable[[str], None] = SILENT
    ) -> None:
        """Return when these processes serve and these jobs run.

        :raises StackError: if one fails again and again, or the time is over.
        """
        seen: dict[str, str] = {}
        before = {name: self._process(name).get("restarts", 0) for name in names}

        def ready() -> bool:
            self._report_changes(names, seen, report)
            for name in names:
                if self._process(name).get("restarts", 0) - before[name] >= PATIENCE:
                    raise StackError(self._trouble(name, "does not start"))
            return all(self._state(name) in WELL for name in names)

        self._await(ready, "to be ready", names, timeout_s)

    def _launch(self, chosen: Collection[str], report: Callable[[str], None]) -> None:
        self._end_leftovers()
        jars.fetch(report)
        self._ports_free(chosen)
        try:
            self._prepare(chosen)
        except credentials.CannotSecure as fault:
            raise StackError(str(fault)) from None
        except OSError as error:
            raise StackError(f"cannot write to {self.home.path}: {error}") from None
        with self.home.log("supervisor").open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "streamgauge.local.supervision.supervisor", str(self.home.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # it is to outlive this process, of which Popen would warn
        daemon.returncode = 0
        self._await(lambda: bool(self.state()), "to start", ("supervisor",), 30.0)

    def _prepare(self, chosen: Collection[str]) -> None:
        """Write what the supervisor reads."""
        self.home.make()
        credentials.make(self.config, self.home)
        self.home.state.unlink(missing_ok=True)
        configuration.write(self.config, self.home.config)
        for name in self.parts():
            marker = self.home.stopped / name
            marker.unlink(missing_ok=True)
            if name not in chosen:
                marker.touch()

    def _same_configuration(self) -> None:
        if self.home.config.read_text() != configuration.text(self.config):
            raise StackError(
                "the configuration differs from that of the running stack: run `streamgauge down` first"
            )

    def _ports_free(self, chosen: Collection[str]) -> None:
        for name in self._services.keys() & set(chosen):
            for key, port in self._services[name].ports.items():
                if listens("127.0.0.1", port):
                    raise StackError(
                        f"port {port} ({key}) is in use by another program: stop it, or configure another port"
                    )

    def _process(self, name: str) -> dict[str, Any]:
        state = self.state()
        found: dict[str, Any] = {**state.get("processes", {}), **state.get("jobs", {})}.get(name, {})
        return found

    def _state(self, name: str) -> str:
        return str(self._process(name).get("state", "waiting"))

    def _report_changes(
        self, names: Collection[str], seen: dict[str, str], report: Callable[[str], None]
    ) -> None:
        for name in names:
            if (now := self._state(name)) != seen.get(name):
                seen[name] = now
                report(f"{name}: {now}")

    def _await(
        self, condition: Callable[[], bool], what: str, names: Collection[str], timeout_s: float
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                late = [name for name in names if self._state(name) not in WELL]
                raise StackError(
                    self._trouble((late or list(names))[0], f"took more than {timeout_s:.0f} s {what}")
                )
            if names != ("supervisor",) and not self.running():
                raise StackError(self._trouble("supervisor", "ended"))
            time.sleep(POLL_S)

    def _trouble(self, name: str, what: str) -> str:
        log = self.home.log(name)
        failure = self._process(name).get("last_failure")
        because = f": {failure}" if failure else ""
        return "\n".join([f"{name} {what}{because}", *last_lines(log, 15), f"whole log: {log}"])

    def _end_leftovers(self) -> None:
        files = [file for file in self.home.run.glob("*.pid") if not file.name.startswith("supervisor.lock")]
        for sig in (signal.SIGTERM, signal.SIGKILL):
            sessions = [session for file in files if (session := recorded_session(file))]
            for session in sessions:
                kill_session(session, sig)
            deadline = time.monotonic() + 15
            while any(recorded_session(file) for file in files) and time.monotonic() < deadline:
                time.sleep(POLL_S)
        if left := [file.stem for file in files if recorded_session(file)]:
            raise StackError(f"did not stop: {_names(left)}")
        for file in files:
            file.unlink(missing_ok=True)


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
