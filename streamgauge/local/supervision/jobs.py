"""The stack's jobs, their submission, and the snapshots that they resume from."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamgauge import config as configuration
from streamgauge.config import ENVIRONMENT_VARIABLE, Config
from streamgauge.local.servers import flink
from streamgauge.local.supervision.home import ROOT, Home
from streamgauge.local.supervision.process import kill_session, start_in_session

JOBS: Mapping[str, Path] = {name: ROOT / "jobs" / f"{name}.py" for name in ("store", "rollup", "alerts")}
"""Every job of the system and its file."""

SUBMIT_TIMEOUT_S = 180.0
CLIENT_JVM = "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""It lives for seconds: quick to start is quick enough."""
PROGRAM_FAILED = 31
"""The exit code of Flink's client where a job's own program ended with another one than 0."""
CLIENT = "flink-run"
"""The pid file of Flink's client, of which there is never more than one."""


class SubmissionFailed(RuntimeError):
    """`flink run` ended badly; the message is the last cause that it printed."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as it was given to Flink; restored_from is empty for a start without state."""

    id: str
    restored_from: str


class Submissions:
    """The submissions of every job, in a file, oldest first."""

    def __init__(self, home: Home) -> None:
        self._file = home.data / "flink" / "submissions.json"
        self._home = home
        stored = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._by_job = {name: [Submission(**each) for each in given] for name, given in stored.items()}

    def newest(self, name: str) -> Submission | None:
        """The submission whose job should be running."""
        given = self._by_job.get(name)
        return given[-1] if given else None

    def remember(self, name: str, submission: Submission) -> None:
        """Add a submission, before Flink hears of it; those that left no snapshot are dropped."""
        useful = [each for each in self._by_job.get(name, []) if self._metadata(each)]
        self._by_job[name] = [*useful, submission]
        self._store()

    def snapshot(self, name: str) -> str:
        """The newest complete checkpoint or savepoint of any of the job's submissions, or an empty string."""
        found = [
            (metadata.stat().st_mtime, str(metadata.parent))
            for submission in self._by_job.get(name, [])
            for metadata in self._metadata(submission)
            if metadata.stat().st_size
        ]
        return max(found)[1] if found else ""

    def forget(self, name: str) -> None:
        """Delete the job's snapshots, so that it starts without state."""
        for submission in self._by_job.pop(name, []):
            self._delete(submission)
        self._store()

    def set_aside(self, name: str) -> None:
        """Move the job's snapshots, which Flink refused, to `refused`, so that it starts without state.

        Their files name each other by path: moved back, they can be restored.
        """
        for submission in self._by_job.get(name, []):
            for kept in (self._home.checkpoints / submission.id, *self._savepoints(submission)):
                if kept.exists():
                    refused = self._home.refused / kept.relative_to(self._home.data / "flink")
                    refused.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(kept, refused)
        self._by_job.pop(name, None)
        self._store()

    def forget_older(self, name: str) -> None:
        """Delete the snapshots of all submissions but the newest, which has its own by now."""
        *older, newest = self._by_job[name]
        for submission in older:
            self._delete(submission)
        self._by_job[name] = [newest]
        if older:
            self._store()

    def _metadata(self, submission: Submission) -> list[Path]:
        checkpoints = (self._home.checkpoints / submission.id).glob("chk-*/_metadata")
        savepoints = [each / "_metadata" for each in self._savepoints(submission)]
        return [*checkpoints, *(each for each in savepoints if each.exists())]

    def _savepoints(self, submission: Submission) -> list[Path]:
        return list(self._home.savepoints.glob(f"savepoint-{submission.id[:6]}-*"))

    def _delete(self, submission: Submission) -> None:
        shutil.rmtree(self._home.checkpoints / submission.id, ignore_errors=True)
        for savepoint in self._savepoints(submission):
            shutil.rmtree(savepoint, ignore_errors=True)

    def _store(self) -> None:
        stored = {
            name: [{"id": each.id, "restored_from": each.restored_from} for each in given]
            for name, given in self._by_job.items()
        }
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(stored, indent=1))
        unfinished.replace(self._file)


def new_id() -> str:
    """A job id of our own making: known before the submission, so no job can run unknown."""
    return uuid.uuid4().hex


def submit(name: str, submission: Submission, home: Home, environment: Mapping[str, str]) -> None:
    """Start the job through Flink's client; returns when Flink has taken it.

    :raises SubmissionFailed: with the reason.
    """
    command = [
        str(flink.folder() / "bin" / "flink"),
        "run",
        "-d",
        "-t",
        "remote",
        f"-D$internal.pipeline.job-id={submission.id}",
        *(["-s", submission.restored_from] if submission.restored_from else []),
        "-pyexec",
        sys.executable,
        "-pyclientexec",
        sys.executable,
        "-py",
        str(JOBS[name]),
        "--config",
        str(home.config),
    ]
    variables = {**environment, **flink.variables(home), "JVM_ARGS": CLIENT_JVM}
    with home.log(name).open("a+b") as log:
        begin = log.tell()
        client = start_in_session(command, CLIENT, home, variables, log)
        try:
            code = client.wait(SUBMIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            kill_session(client.pid)
            raise SubmissionFailed(f"`flink run` took longer than {SUBMIT_TIMEOUT_S:.0f} s") from None
        log.seek(begin)
        if code:
            raise SubmissionFailed(_reason(log.read().decode(errors="replace")))


def run_flink(arguments: Sequence[str], config: Config) -> int:
    """Run Flink's command line; its jobs find the configuration of the local stack by themselves.

    After the file of `-py` flags of one dash are Flink's, and everything from the first one of two on is the job's.

    :returns: its exit code, but 1 where a job's own program has failed, whatever code that had.
    """
    home = Home(config.local.home)
    if not (home.conf / "flink" / "config.yaml").exists():
        # of a stack that was never started: help is shown, and a program's arguments are read, without one
        home.make()
        configuration.write(config, home.config)
        flink.write_configuration(config, home)
    own = {ENVIRONMENT_VARIABLE: str(home.config), "JVM_ARGS": CLIENT_JVM}
    command = [str(flink.folder() / "bin" / "flink"), *_apart(arguments)]
    client = subprocess.Popen(command, env={**os.environ, **flink.variables(home), **own})
    before = signal.signal(signal.SIGTERM, lambda number, _: client.send_signal(number))
    try:
        while True:
            # the terminal tells Flink's client of Ctrl-C too
            with contextlib.suppress(KeyboardInterrupt):
                code = client.wait()
                break
    finally:
        signal.signal(signal.SIGTERM, before)
    return 1 if code == PROGRAM_FAILED else code if code >= 0 else 128 - code


def _apart(arguments: Sequence[str]) -> list[str]:
    """The arguments with those of the job behind `--`: Flink would take `--from` for its own `--fromSavepoint`."""
    given = [*arguments]
    file = next((at + 1 for at, each in enumerate(given) if each in ("-py", "--python")), None)
    if file is None:
        file = next((at for at, each in enumerate(given) if each.startswith("--python=")), len(given))
    own = next((at for at in range(file + 1, len(given)) if given[at].startswith("--")), len(given))
    return given if own == len(given) or given[own] == "--" else [*given[:own], "--", *given[own:]]


def _reason(output: str) -> str:
    """The telling line of what the client printed: the error of its Python part, unless that came from Java."""
    _, header, rest = output.rpartition("Traceback (most recent call last):\n")
    # frames are indented, the error itself is not
    raised = next((line for line in rest.splitlines() if line and not line[0].isspace()), "")
    if header and raised and "Py4JJavaError" not in raised:
        return raised
    telling = re.findall(r"^(?:Caused by: )?((?:[\w.]+\.)?\w*(?:Error|Exception)\b.*)$", output, re.MULTILINE)
    telling = [line for line in telling if "Python process exits" not in line]
    lines = [line for line in output.splitlines() if line.strip()]
    return str((telling or lines or ["no output"])[-1])
