"""Watches a stack while its parts are killed: which restarts no kill explains, and which processes grow."""

import os
import statistics
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

import psutil

from streamgauge.local.stack import Stack
from streamgauge.local.supervision.process import recorded_session

LOOK_S = 5.0
JOBS = frozenset({"store", "rollup", "alerts"})
CONSEQUENCES = {
    "worker": JOBS,
    "taskmanager": JOBS | {"taskmanager"},
    "jobmanager": JOBS | {"jobmanager"},
    "kafka": JOBS | {"kafka"},
    "cassandra": JOBS | {"cassandra"},
    "redis": {"redis"},
    "gateway": {"gateway"},
    "collector": {"collector"},
}
"""By what is killed, what may be restarted for it: a client goes on by itself when its server is back."""
CAUSED_WITHIN_S = 110.0
"""A restart so long after a kill is its consequence: jobs go on when all they need is there again."""
YOUNG_S = 300.0
"""A process fills its caches for so long."""
GROWTH = 1.2
SLACK_MB = 30.0


@dataclass(slots=True)
class Lifetime:
    """MB of one process from its youth's end to its last: medians of the first and of the last quarter of that."""

    name: str
    minutes: float
    early: float
    late: float

    @property
    def grew(self) -> bool:
        return self.late > GROWTH * self.early + SLACK_MB


class Watch:
    """Looks at all parts of a stack every few seconds until `end`."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._kills: list[tuple[float, str]] = []
        self._seen: dict[str, tuple[object, int]] = {}
        self._memory: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.restarts = 0
        self.uncaused: list[str] = []
        self._thread.start()

    def killed(self, name: str) -> None:
        """Remember that a part is killed now."""
        self._kills.append((time.monotonic(), name))

    def end(self) -> None:
        """Look no longer."""
        self._ended.set()
        self._thread.join()

    def lifetimes(self) -> list[Lifetime]:
        """The longest life of each part, of those that lived for longer than their youth."""
        found: dict[str, Lifetime] = {}
        for (name, _), seen in sorted(self._memory.items()):
            begin = seen[0][0]
            grown = [(at, size) for at, size in seen if at - begin >= YOUNG_S]
            quarter = len(grown) // 4
            if quarter < 3:
                continue
            early, late = (
                statistics.median(size for _, size in part) / 2**20
                for part in (grown[:quarter], grown[-quarter:])
            )
            life = Lifetime(name, (seen[-1][0] - begin) / 60, early, late)
            if name not in found or life.minutes > found[name].minutes:
                found[name] = life
        return list(found.values())

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            state = self._stack.state()
            for name, job in state.get("jobs", {}).items():
                self._count(name, job["id"], job["restarts"], job["last_failure"])
            for name, process in state.get("processes", {}).items():
                self._count(name, "", process["restarts"], process["last_failure"])
                if process["pid"]:
                    self._memory[name, process["pid"]].append((time.monotonic(), _resident(process["pid"])))
            if supervisor := recorded_session(self._stack.home.pid("supervisor")):
                self._memory["supervisor", supervisor].append((time.monotonic(), _resident(supervisor)))

    def _count(self, name: str, identity: str, restarts: int, failure: str) -> None:
        before = self._seen.get(name)
        self._seen[name] = (identity, restarts)
        # a job that is submitted anew counts from 0
        if before is None or before == (identity, restarts):
            return
        self.restarts += 1
        since = time.monotonic() - CAUSED_WITHIN_S
        if not any(at >= since and name in CONSEQUENCES[victim] for at, victim in self._kills):
            self.uncaused.append(f"{time.strftime('%H:%M:%S')} {name}: {failure}")
            print(f"  no kill explains the restart of {self.uncaused[-1]}", file=sys.stderr)


def _resident(session: int) -> int:
    total = 0
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                total += process.memory_info().rss
        except (psutil.Error, ProcessLookupError):
            continue
    return total
