"""`streamgauge status`: the state of every process and job in one table."""

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table
from rich.text import Text

from streamgauge.local.audited import Audited, audited, lines
from streamgauge.local.stack import WELL, Stack
from streamgauge.local.supervision.process import ProcessState, session_members
from streamgauge.terminal import terminal

STOPPED = ("stopped",)
SCARCE_BYTES = 64 * 1024 * 1024
"""With less room on the disk nothing works any more."""
TROUBLED_STATES = (ProcessState.FAILED, "FAILED", "RESTARTING", "FAILING", "not submitted")


@dataclass(frozen=True, slots=True)
class Row:
    """A process or a job. Times are seconds of the epoch; memory in bytes; checkpoints of jobs only.

    failed_at: when it failed first since it was well. recovered: whether it has been well since it failed last.
    """

    name: str
    kind: str
    state: str
    since: float
    restarts: int
    last_failure: str
    pid: int | None = None
    memory: int | None = None
    job: str = ""
    checkpoints: int | None = None
    failed_at: float = 0.0
    recovered: bool = False

    @property
    def is_failing(self) -> bool:
        """Whether its last failure is one of now."""
        return bool(self.last_failure) and not self.recovered and self.state not in STOPPED


@dataclass(frozen=True, slots=True)
class Status:
    """The whole stack; `well` if it runs, everything that is wanted serves, and the audit finds nothing missing.

    audit: what the gateway's audit has found, None if nobody could be asked. troubles: what keeps the supervisor
    from its work, and a disk that is nearly full.
    """

    supervised: bool
    rows: tuple[Row, ...]
    audit: Audited | None = None
    troubles: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing needs a look."""
        serves = all(row.state in WELL or row.state in STOPPED for row in self.rows)
        is_missing = self.audit is not None and bool(self.audit.missing)
        return self.supervised and serves and not self.troubles and not is_missing

    @property
    def failed_first(self) -> str:
        """Name of the first of the current failures, which may have caused the others; "" if there is none."""
        failing = [row for row in self.rows if row.is_failing]
        # at the same time what others need, which stands above them
        return min(failing, key=lambda row: row.failed_at).name if failing else ""


def look(stack: Stack) -> Status:
    """Read the supervisor's state and measure the memory of running processes."""
    supervised = stack.running()
    state = stack.state() if supervised else {}
    processes = [
        Row(
            name=name,
            kind="process",
            state=each["state"],
            since=each["since"],
            restarts=each["restarts"],
            last_failure=each["last_failure"],
            pid=each["pid"],
            memory=_memory(each["pid"]) if each["pid"] else None,
            **_times(each),
        )
        for name, each in state.get("processes", {}).items()
    ]
    jobs = [
        Row(
            name=name,
            kind="job",
            state=each["state"],
            since=each["since"],
            restarts=each["restarts"] + each["resubmissions"],
            last_failure=each["last_failure"],
            job=each["id"],
            checkpoints=each["checkpoints"],
            **_times(each),
        )
        for name, each in state.get("jobs", {}).items()
    ]
    serves = any(row.name == "gateway" and row.state in WELL for row in processes)
    failures = [f"supervisor: {what}: {failure}" for what, failure in state.get("troubles", {}).items()]
    return Status(
        supervised,
        (*processes, *jobs),
        audited(stack.config.gateway.url) if serves else None,
        (*failures, *_full_disk(stack.home.path)),
    )


def show(status: Status, *, as_json: bool) -> None:
    """Print the status."""
    if as_json:
        print(
            json.dumps({"well": status.well, "failed_first": status.failed_first, **asdict(status)}, indent=1)
        )
        return
    console = terminal()
    if not status.supervised:
        console.print("The local stack is not running: `streamgauge up` starts it.")
        return
    console.print(_table(status))
    if status.audit:
        style = "red" if status.audit.missing else ""
        console.print("\n".join(lines(status.audit)), style=style, highlight=False)
    for trouble in status.troubles:
        console.print(trouble, style="red", markup=False)


def _times(published: Mapping[str, Any]) -> dict[str, Any]:
    """When it failed, and whether that is over; of a former build's supervisor it is where it serves."""
    return {
        "failed_at": published.get("failed_at", 0.0),
        "recovered": published.get("recovered", published["state"] in WELL),
    }


def _full_disk(folder: Path) -> list[str]:
    """What is above may be old then."""
    if not folder.exists() or (free := shutil.disk_usage(folder).free) >= SCARCE_BYTES:
        return []
    return [f"the disk of {folder} is full: {free / 2**20:.0f} MB are free"]


def _table(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for column in ("for", "pid", "memory", "restarts", "checkpoints"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("last failure", overflow="fold")
    for row in status.rows:
        table.add_row(
            row.name,
            f"[{_colour(row.state)}]{row.state}[/]",
            _duration(time.time() - row.since),
            str(row.pid or ""),
            "" if row.memory is None else f"{row.memory / 2**20:.0f} MB",
            str(row.restarts),
            "" if row.checkpoints is None else str(row.checkpoints),
            _failure(row, is_first=row.name == status.failed_first),
        )
    memory = sum(row.memory or 0 for row in status.rows)
    table.add_row("[dim]together[/]", "", "", "", f"{memory / 2**20:.0f} MB")
    return table


def _failure(row: Row, *, is_first: bool) -> Text:
    """A failure with its time, grey if it is over."""
    if not row.last_failure:
        return Text()
    when = datetime.fromtimestamp(row.failed_at).strftime("%m-%d %H:%M:%S ") if row.failed_at else ""
    text = Text(f"{when}{row.last_failure}", style="" if row.is_failing else "dim")
    return Text.assemble(("first: ", "bold red"), text) if is_first else text


def _colour(state: str) -> str:
    if state in WELL:
        return "green"
    if state in STOPPED:
        return "dim"
    return "red" if state in TROUBLED_STATES else "yellow"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def _memory(session: int) -> int:
    """Resident bytes of a process and all it started, what they share counted once."""
    total = 0
    for process in session_members(session):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total
