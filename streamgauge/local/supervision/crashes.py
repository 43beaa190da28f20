"""Crashes of Python processes, as `faulthandler` leaves them in the log: the signal, and the stack of each thread."""

import contextlib
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

MARK = "Fatal Python error: "
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
CRASH_BYTES = 256 * 1024
"""Of a log from the beginning of a crash on, in which there are the stacks of a hundred threads."""
FRAMES = 6
"""Of a stack, as many as one line of a table can show."""


def last_crash(lines: Sequence[str]) -> str:
    """The last crash among the lines of a log in one line, innermost frame first; "" if there is none."""
    begins = [number for number, line in enumerate(lines) if MARK in line]
    if not begins:
        return ""
    rest = list(lines[begins[-1] + 1 :])
    # threads come in any order
    stack = next((number for number, line in enumerate(rest) if line.startswith("Current thread ")), -1) + 1
    frames = [
        f"{frame['function']} ({Path(frame['file']).name}:{frame['line']})"
        for frame in takewhile(bool, map(_FRAME.match, rest[stack:]))
        if frame
    ]
    shown = [*frames[:FRAMES], *(["..."] if len(frames) > FRAMES else [])]
    return " < ".join([lines[begins[-1]].partition(MARK)[2], *shown])


class CrashWatch:
    """Reports crashes that are appended to a log, such as those of a process's children."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._end = b""
        self._crash_at: int | None = None

    def seen(self) -> str:
        """The last crash that was there when it was last asked, as `last_crash` tells it; by now its stack is, too.

        It is read where it begins: Flink writes thousands of lines about the end of a worker.
        """
        found = ""
        with contextlib.suppress(OSError):
            if self._crash_at is not None:
                found = self._crash(self._crash_at)
            self._look()
        return found

    def _crash(self, at: int) -> str:
        with self._log.open("rb") as file:
            file.seek(at)
            text = file.read(CRASH_BYTES).decode(errors="replace")
        # another one may have begun
        first, _, _ = text[len(MARK) :].partition(MARK)
        return last_crash([line for line in (MARK + first).splitlines() if line.strip()])

    def _look(self) -> None:
        self._crash_at = None
        size = self._log.stat().st_size
        # shorter than before: it was rotated
        self._at = min(self._at, size)
        if size > self._at:
            with self._log.open("rb") as file:
                file.seek(self._at)
                added = self._end + file.read(size - self._at)
            begin = added.rfind(MARK.encode())
            if begin >= 0:
                self._crash_at = size - len(added) + begin
            self._at, self._end = size, added[-len(MARK) + 1 :]
