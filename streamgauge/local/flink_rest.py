"""The parts of Flink's REST API that keeping jobs needs."""

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from streamgauge.local.service import get_json

ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "CANCELLING", "SUSPENDED"})
"""States of a job that Flink itself still looks after."""


@dataclass(frozen=True, slots=True)
class JobView:
    """What Flink says of a job. since_ms: when it entered its state, in ms of the epoch."""

    state: str
    since_ms: int
    checkpoints: int
    restarts: int
    cause: str


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
        counts = self._get(f"/jobs/{job}/checkpoints").get("counts", {})
        restarts = self._metric(job, "numRestarts")
        return JobView(
            state=about["state"],
            since_ms=about["timestamps"].get(about["state"], 0),
            checkpoints=counts.get("completed", 0),
            restarts=restarts,
            cause=self.cause(job),
        )

    def cause(self, job: str) -> str:
        """The innermost cause of the job's newest failure in one line, empty if it never failed."""
        history = self._get(f"/jobs/{job}/exceptions?maxExceptions=1")["exceptionHistory"]
        entries = history.get("entries", [])
        return root_cause(entries[0]["stacktrace"]) if entries else ""

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
        urllib.request.urlopen(request, timeout=5).close()

    def _get(self, path: str) -> Any:
        return get_json(self._url + path)

    def _post(self, path: str, body: dict[str, object]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)

    def _metric(self, job: str, name: str) -> int:
        found = self._get(f"/jobs/{job}/metrics?get={name}")
        return int(float(found[0]["value"])) if found else 0


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
