"""A collector whose clock shows the past and runs faster: ten minutes of samples take ten seconds.

    python -m integration.support.fast_collector streamgauge.yml STARTED ORIGIN SPEED LIMIT

The clock stands at ORIGIN (ms) until the file STARTED tells when it began to run (s of the epoch); then it
runs SPEED times as fast as the real one, until it shows LIMIT (ms).
"""

import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class FastClock:
    """Simulated time in ms."""

    started: Path
    origin: int
    speed: float
    limit: int

    def start(self) -> None:
        """Let it run, in every process that has it."""
        unfinished = self.started.with_suffix(".new")
        unfinished.write_text(repr(time.time()))
        unfinished.replace(self.started)

    @cached_property
    def _began(self) -> float:
        return float(self.started.read_text())

    def __call__(self) -> int:
        if not self.started.exists():
            return self.origin
        return min(self.origin + int((time.time() - self._began) * 1000 * self.speed), self.limit)

    def arguments(self) -> list[str]:
        """For the command line of this module."""
        return [str(self.started), str(self.origin), repr(self.speed), str(self.limit)]


def main(config_file: str, started: str, origin: str, speed: str, limit: str) -> None:
    """Run until SIGTERM."""
    import uvloop

    from streamgauge.collect.collector import Collector
    from streamgauge.collect.command import serve
    from streamgauge.config import read
    from streamgauge.listening import Address

    clock = FastClock(Path(started), int(origin), float(speed), int(limit))
    config = read(Path(config_file))
    uvloop.run(serve(Collector(config, clock), Address(config.collector.listen)))


if __name__ == "__main__":
    main(*sys.argv[1:])
