"""Logs on the terminal."""

import sys
import time
from pathlib import Path

from streamgauge.local.supervision.process import last_lines


def print_log(log: Path, lines: int, follow: bool) -> None:
    """Print the last lines of a log, then what is appended, until interrupted."""
    for line in last_lines(log, lines):
        print(line)
    at = log.stat().st_size
    while follow:
        size = log.stat().st_size
        # shorter than before: it was rotated
        at = 0 if size < at else at
        if size > at:
            with log.open("rb") as file:
                file.seek(at)
                sys.stdout.write(file.read().decode(errors="replace"))
                sys.stdout.flush()
                at = file.tell()
        time.sleep(0.2)
