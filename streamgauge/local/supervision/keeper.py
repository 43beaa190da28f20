"""Keeps the jobs running: submits what is missing, and goes on from the newest snapshot."""

import logging
import threading
import time
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamgauge.clients.flink_rest import ALIVE, FlinkRest, JobView
from streamgauge.config import Config
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import (
    CLIENT,
    JOBS,
    Submission,
    SubmissionFailed,
    Submissions,
    new_id,
    submit,
)
from streamgauge.local.supervision.process import Backoff, kill_session, recorded_session

LOOK_S = 1.0
SAVEPOINT_TIMEOUT_S = 30.0
WITHOUT_STATE = "without state"
"""In the marker of a stopped job: its snapshots are to be deleted."""
UNUSABLE = ("Cannot map checkpoint/savepoint state", "Failed to rollback to checkpoint/savepoint")
"""Flink's words for a snapshot of another plan: the job starts without it, from Kafka and what is stored."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class KeptJob:
    """A job as `status` shows it. resubmissions: after the first of this keeper; times: s of the epoch.

    failed_at: when it failed first since it was well, newest_at: when it did last. recovered: whether it has completed
    a checkpoint since then.
    """

    name: str
    state: str = "waiting"
    since: float = 0.0
    id: str = ""
    restored_from: str = ""
    checkpoints: int = 0
    restarts: int = 0
    resubmissions: int = 0
    last_failure: str = ""
    failed_at: float = 0.0
    newest_at: float = 0.0
    recovered: bool = False

    def fail(self, failure: str, at: float) -> None:
        """Note a failure, which may be known already."""
        if at < self.newest_at or (failure, at) == (self.last_failure, self.newest_at):
            return
        if self.recovered or not self.last_failure:
            self.failed_at = at
        self.last_failure, self.newest_at, self.recovered = failure, at, False

    def forget_failure(self) -> None:
        """Begin as if it had never failed."""
        self.last_failure, self.failed_at, self.newest_at, self.recovered = "", 0.0, 0.0, False


class Keeper:
    """Looks after the jobs in a thread of its own, because a submission takes seconds."""

    def __init__(
        self,
        config: Config,
        home: Home,
        environment: Mapping[str, str],
        may_submit: Callable[[], bool],
    ) -> None:
        self.jobs = {name: KeptJob(name, since=time.time()) for name, file in JOBS.items() if file.exists()}
        self._rest = FlinkRest(config.flink.rest)
        self._parallelism = config.flink.parallelism
        self._home = home
        self._environment = environment
        self._may_submit = may_submit
        self._submissions = Submissions(home)
        self._submitted: set[str] = set()
        self._backoffs = {name: Backoff() for name in self.jobs}
        self._not_before = dict.fromkeys(self.jobs, 0.0)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep the jobs."""
        self._thread.start()

    def stop(self) -> None:
        """End keeping, then stop all jobs with a savepoint where they manage it in time."""
        self._ending.set()
        if client := recorded_session(self._home.pid(CLIENT)):
            kill_session(client)
        self._thread.join(timeout=SAVEPOINT_TIMEOUT_S)
        try:
            self._stop_jobs([job for job in self.jobs.values() if job.state == "RUNNING"])
        except Exception as error:
            log.warning("jobs not stopped: error=%r", error)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            for job in self.jobs.values():
                if self._ending.is_set():
                    return
                try:
                    self._look_after(job)
                except (urllib.error.URLError, ConnectionError, TimeoutError):
                    _move(job, "waiting")
                except Exception as error:
                    failure = f"{type(error).__name__}: {error}"
                    if failure != job.last_failure or job.recovered:
                        log.exception("job not looked after: job=%s", job.name)
                        job.fail(failure, time.time())
                    _move(job, "waiting")

    def _look_after(self, job: KeptJob) -> None:
        marker = self._home.stopped / job.name
        if marker.exists():
            if job.state != "stopped":
                self._stop_jobs([job])
                self._submitted.discard(job.id)
            if marker.read_text() == WITHOUT_STATE:
                self._submissions.forget(job.name)
                job.forget_failure()
                marker.write_text("")
            _move(job, "stopped")
            return
        newest = self._submissions.newest(job.name)
        state = self._rest.states().get(newest.id) if newest else None
        if newest and state:
            self._observe(job, newest, self._rest.view(newest.id))
            if state in ALIVE:
                return
            # whoever cancelled it by hand meant it, until the next start of the stack
            if state == "CANCELED" and newest.id in self._submitted:
                return
        if time.monotonic() >= self._not_before[job.name] and self._ready_for_one_more():
            self._submit(job, newest)

    def _observe(self, job: KeptJob, submission: Submission, view: JobView) -> None:
        job.id, job.restored_from = submission.id, submission.restored_from
        job.state, job.since = view.state, view.since_ms / 1000
        job.checkpoints, job.restarts = view.checkpoints, view.restarts
        if view.cause:
            job.fail(view.cause, view.failed_ms / 1000)
        if view.state == "RUNNING" and view.checkpoints:
            checkpoint_ms = view.last_checkpoint.at_ms if view.last_checkpoint else 0
            job.recovered = checkpoint_ms / 1000 >= job.newest_at
            self._backoffs[job.name].reset()
            self._submissions.forget_older(job.name)

    def _ready_for_one_more(self) -> bool:
        return self._may_submit() and self._rest.free_slots() >= self._parallelism

    def _submit(self, job: KeptJob, previous: Submission | None) -> None:
        # what it has recovered from says nothing of the snapshots that there are now
        is_refused = not job.recovered and any(words in job.last_failure for words in UNUSABLE)
        if previous and previous.restored_from and is_refused:
            log.warning("snapshots refused: job=%s cause=%s", job.name, job.last_failure)
            self._submissions.set_aside(job.name)
            job.forget_failure()
        submission = Submission(new_id(), self._submissions.snapshot(job.name))
        self._submissions.remember(job.name, submission)
        _move(job, "submitting")
        job.resubmissions += bool(self._submitted & {previous.id} if previous else set())
        self._submitted.add(submission.id)
        self._not_before[job.name] = time.monotonic() + self._backoffs[job.name].next()
        try:
            submit(job.name, submission, self._home, self._environment)
        except SubmissionFailed as failure:
            job.fail(str(failure), time.time())
            _move(job, "not submitted")

    def _stop_jobs(self, jobs: list[KeptJob]) -> None:
        alive = [job.id for job in jobs if job.id and self._rest.states().get(job.id) in ALIVE]
        saved = self._rest.stop_with_savepoint(alive, time.monotonic() + SAVEPOINT_TIMEOUT_S)
        for identity in set(alive) - set(saved):
            self._rest.cancel(identity)


def _move(job: KeptJob, state: str) -> None:
    if job.state != state:
        job.state, job.since = state, time.time()
