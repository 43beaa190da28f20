"""What each process of a stack takes: seconds of CPU, and memory at its peak."""

import contextlib
import os
import threading
from collections.abc import Mapping

import psutil

from streamgauge.local.stack import Stack, StackError

WORKERS = "Python workers"
LOOK_S = 1.0
NAMES = {
    "jobmanager": "Flink JobManager",
    "taskmanager": "Flink TaskManager",
    "kafka": "Kafka",
    "cassandra": "Cassandra",
    "collector": "collector",
    "gateway": "gateway",
}
FLINK = ("Flink JobManager", "Flink TaskManager", WORKERS)


class Usage:
    """Follows the processes of a stack that run; workers apart from the TaskManager, whose children they are.

    Start it when all processes run and stop it before they end. Other processes, by name, may be added.
    """

    def __init__(self, stack: Stack, others: Mapping[str, int] | None = None) -> None:
        self._stack = stack
        self._others = others or {}
        self._ended = threading.Event()
        self._peak: dict[str, int] = {}
        self._begin = self.cpu()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU of each until now, since it was started."""
        return {name: sum(map(cpu_seconds, processes)) for name, processes in self._processes().items()}

    def since_start(self) -> dict[str, float]:
        """Seconds of CPU of each since this was made, or since `restart`."""
        return {name: seconds - self._begin.get(name, 0.0) for name, seconds in self.cpu().items()}

    def restart(self) -> None:
        """Count from now on; the peak of memory is kept."""
        self._begin = self.cpu()

    def stop(self) -> dict[str, int]:
        """Bytes of resident memory of each at the peak."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _follow(self) -> None:
        while not self._ended.wait(LOOK_S):
            for name, processes in self._processes().items():
                self._peak[name] = max(self._peak.get(name, 0), sum(map(_resident, processes)))

    def _processes(self) -> dict[str, list[psutil.Process]]:
        sessions = {pid: [psutil.Process(pid)] for pid in self._others.values() if psutil.pid_exists(pid)}
        found = {name: sessions[pid] for name, pid in self._others.items() if pid in sessions}
        for part, name in NAMES.items():
            with contextlib.suppress(StackError):
                pid = self._stack.pid(part)
                found[name] = sessions[pid] = []
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError):
                sessions.get(os.getsid(process.pid), []).append(process)
        manager = found.get("Flink TaskManager", [])
        found[WORKERS] = [each for each in manager if _is_worker(each)]
        found["Flink TaskManager"] = [each for each in manager if each not in found[WORKERS]]
        return found


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return any("pyflink.fn_execution" in part for part in process.cmdline())
    return False


def cpu_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0
