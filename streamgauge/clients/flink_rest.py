"""The parts of Flink's REST API that keeping jobs needs."""

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from streamgauge.clients.no_redirects import get_json, open_url

ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "CANCELLING", "SUSPENDED"})
"""States of a job that Flink itself still looks after."""


NO_WATERMARKS = (-(2**63), 2**63 - 1)
"""What Flink says before there is a watermark, and at the end of all data."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that is complete. at_ms: when it was; took_ms: how long; size: bytes of all its state."""

    at_ms: int
    took_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class JobView:
    """What Flink says of a job. since_ms, failed_ms: when it entered its state, and failed last, in ms of the epoch."""

    state: str
    since_ms: int
    checkpoints: int
    restarts: int
    cause: str
    failed_checkpoints: int = 0
    last_checkpoint: Checkpoint | None = None
    failed_ms: int = 0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a job is: its watermark (ms) and the messages that wait for it; None where Flink does not say."""

    watermark_ms: int | None
    pending: int | None


class FlinkRest:
    """A client of one JobManager. Every method raises OSError when it does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url

    def free_slots(self) -> int:
        """Slots that no job has taken."""
        return int(self._get("/overview")["slots-available"])

    def states(self) -> dict[str, str]:
        """The state of every job by id."""
        return {job["id"]: job["status"] for job in self._get("/jobs")["jobs"]}

    def view(self, job: str) -> JobView:
        """One job, with the first line of its newest failure."""
        about = self._get(f"/jobs/{job}")
        checkpoints = self._get(f"/jobs/{job}/checkpoints")
        counts = checkpoints.get("counts", {})
        restarts = self._metric(job, "numRestarts")
        cause, failed_ms = self._failure(job)
        return JobView(
            state=about["state"],
            since_ms=about["timestamps"].get(about["state"], 0),
            checkpoints=counts.get("completed", 0),
            restarts=restarts,
            cause=cause,
            failed_checkpoints=counts.get("failed", 0),
            last_checkpoint=_last(checkpoints),
            failed_ms=failed_ms,
        )

    def newest(self) -> dict[str, str]:
        """The id of the job that was started last of each name."""
        jobs = sorted(self._get("/jobs/overview")["jobs"], key=lambda job: int(job["start-time"]))
        return {job["name"]: job["jid"] for job in jobs}

    def lag(self, job: str) -> Lag:
        """How far a job is that runs: the watermark that is furthest behind, and what its sources have not read."""
        nodes = self._get(f"/jobs/{job}")["plan"]["nodes"]
        watermarks: list[int] = []
        pending: list[int] = []
        for node in nodes:
            if node.get("inputs"):
                found = self._get(f"/jobs/{job}/vertices/{node['id']}/watermarks")
                watermarks += [int(each["value"]) for each in found]
            else:
                pending += self._pending(f"/jobs/{job}/vertices/{node['id']}/subtasks/metrics")
        known = [each for each in watermarks if each not in NO_WATERMARKS]
        return Lag(min(known, default=None), sum(pending) if pending else None)

    def _pending(self, metrics: str) -> list[int]:
        """What waits for the sources in a vertex; they are chained to operators of their own names."""
        names = [each["id"] for each in self._get(metrics) if each["id"].endswith(".pendingRecords")]
        if not names:
            return []
        wanted = urlencode({"get": ",".join(names), "agg": "sum"})
        return [int(float(each["sum"])) for each in self._get(f"{metrics}?{wanted}")]

    def stop_with_savepoint(self, jobs: list[str], deadline: float) -> dict[str, str]:
        """Stop jobs together; gives the path of the savepoint for each that made it by the deadline.

        :param deadline: on the clock of `time.monotonic`.
        """
        triggers = {}
        for job in jobs:
            try:
                body = {"drain": False, "formatType": "NATIVE"}
                triggers[job] = self._post(f"/jobs/{job}/stop", body)["request-id"]
            except OSError:
                continue
        saved = {}
        while triggers and time.monotonic() < deadline:
            for job, trigger in list(triggers.items()):
                answer = self._get(f"/jobs/{job}/savepoints/{trigger}")
                if answer["status"]["id"] != "COMPLETED":
                    continue
                del triggers[job]
                if location := answer["operation"].get("location"):
                    saved[job] = location
            time.sleep(0.1)
        return saved

    def cancel(self, job: str) -> None:
        """Ask for the end of a job."""
        request = urllib.request.Request(f"{self._url}/jobs/{job}?mode=cancel", method="PATCH")
        open_url(request, 5).close()

    def _failure(self, job: str) -> tuple[str, int]:
        """The innermost cause of the newest failure in one line, and its time in ms; nothing if there was none."""
        history = self._get(f"/jobs/{job}/exceptions?maxExceptions=1")["exceptionHistory"]
        entries = history.get("entries", [])
        return (root_cause(entries[0]["stacktrace"]), entries[0]["timestamp"]) if entries else ("", 0)

    def _get(self, path: str) -> Any:
        return get_json(self._url + path)

    def _post(self, path: str, body: dict[str, object]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers)
        with open_url(request, 5) as response:
            return json.load(response)

    def _metric(self, job: str, name: str) -> int:
        found = self._get(f"/jobs/{job}/metrics?get={name}")
        return int(float(found[0]["value"])) if found else 0


def _last(checkpoints: dict[str, Any]) -> Checkpoint | None:
    found = (checkpoints.get("latest") or {}).get("completed")
    if not found:
        return None
    return Checkpoint(found["latest_ack_timestamp"], found["end_to_end_duration"], found["state_size"])


PACKAGES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])")


def root_cause(stack_trace: str) -> str:
    """The telling line of a Java stack trace: the error of a Python traceback in it, else the last cause."""
    lines = [PACKAGES.sub("", line) for line in stack_trace.splitlines() if line.strip()]
    headers = [at for at, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if headers:
        # frames are indented, the error itself is not
        return next((line for line in lines[headers[-1] + 1 :] if not line[0].isspace()), "")
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return (causes or lines[:1] or [""])[-1]
