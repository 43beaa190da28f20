"""Crashes of Python processes, as `faulthandler` leaves them in the log: the signal, and the stack of each thread."""

import contextlib
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

MARK = "Fatal Python error: "
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')
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
    """Tells of crashes that are appended to a log, such as those of a process's children."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._end = b""
        self._is_seen = False

    def seen(self) -> bool:
        """Whether a crash was there when it was last asked; by now its stack is, too."""
        was_seen, self._is_seen = self._is_seen, False
        with contextlib.suppress(OSError):
            self._look()
        return was_seen

    def _look(self) -> None:
        size = self._log.stat().st_size
        # shorter than before: it was rotated
        self._at = min(self._at, size)
        if size > self._at:
            with self._log.open("rb") as file:
                file.seek(self._at)
                added = self._end + file.read(size - self._at)
            self._at, self._end = size, added[-len(MARK) + 1 :]
            self._is_seen = MARK.encode() in added
