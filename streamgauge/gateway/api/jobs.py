"""/api/v1/status/jobs: health and progress of the jobs, from Flink and the store."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable

from schemas.tables import ROLLED
from streamgauge.clients.flink_rest import ALIVE, FlinkRest, JobView, Lag
from streamgauge.gateway.query.queries import Answer, document
from streamgauge.gateway.request.parameters import Form
from streamgauge.store.reader import Reader
from streamgauge.store.reading import DeadlinePassed, ReadContext
from streamgauge.times import rfc3339

KEPT_S = 2.0
"""Lifetime of a result, shared by all requests."""
STORE_TIMEOUT_S = 5.0


class Seen(NamedTuple):
    """A cached result. at: on the clock of `time.monotonic`."""

    at: float
    found: Answer


class JobStatus:
    """Reads Flink and `rollup_progress`, once for concurrent requests; for one thread. clock: gives the time in ms."""

    def __init__(self, rest: str, reader: Reader, clock: Callable[[], int]) -> None:
        self._rest = FlinkRest(rest)
        self._reader = reader
        self._clock = clock
        self._seen: Seen | None = None

    def status(self, _: Form, reading: ReadContext) -> Answer:
        """/api/v1/status/jobs: from Flink and the store; an unreachable one gives a warning and null."""
        if self._seen is None or time.monotonic() - self._seen.at > KEPT_S:
            found = self._look(reading)
            self._seen = Seen(time.monotonic(), found)
        return self._seen.found

    def _look(self, reading: ReadContext) -> Answer:
        warnings = []
        jobs = progress = None
        try:
            jobs = self._jobs()
        except (OSError, ValueError) as error:
            warnings.append(f"Flink does not answer: {error}")
        try:
            progress = self._progress()
        except (DriverException, NoHostAvailable, DeadlinePassed) as error:
            warnings.append(f"the store does not answer: {error or type(error).__name__}")
        return document({"jobs": jobs, "progress": progress}, reading, warnings)

    def _jobs(self) -> list[dict[str, Any]]:
        found = []
        for name, identity in sorted(self._rest.newest().items()):
            view = self._rest.view(identity)
            lag = self._rest.lag(identity) if view.state in ALIVE else Lag(None, None)
            found.append(self._job(name, identity, view, lag))
        return found

    def _job(self, name: str, identity: str, view: JobView, lag: Lag) -> dict[str, Any]:
        last = view.last_checkpoint
        watermark = lag.watermark_ms
        return {
            "id": identity,
            "name": name,
            "state": view.state,
            "since": rfc3339(view.since_ms),
            "restarts": view.restarts,
            "lastFailure": view.cause,
            "checkpoints": {
                "completed": view.checkpoints,
                "failed": view.failed_checkpoints,
                "last": last
                and {"at": rfc3339(last.at_ms), "duration": last.took_ms / 1000, "size": last.size},
            },
            "watermark": None if watermark is None else rfc3339(watermark),
            "watermarkLag": None if watermark is None else (self._clock() - watermark) / 1000,
            "pendingRecords": lag.pending,
        }

    def _progress(self) -> list[dict[str, Any]]:
        found = []
        for resolution in ROLLED:
            reading = ReadContext(time.monotonic() + STORE_TIMEOUT_S)
            lanes = self._reader.blocks.progress(resolution, reading)
            if lanes:
                sealed = min(lanes.values())
                found.append(
                    {
                        "resolution": resolution.value.label,
                        "lanes": len(lanes),
                        "sealedTo": rfc3339(sealed),
                        "newestSealedTo": rfc3339(max(lanes.values())),
                        "lag": (self._clock() - sealed) / 1000,
                    }
                )
        return found
