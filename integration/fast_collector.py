"""A collector whose clock began in the past and runs faster: an hour of samples takes a minute.

    python -m integration.fast_collector streamgauge.yml BEGAN ORIGIN SPEED LIMIT

At the moment BEGAN (s of the epoch) the collector's clock showed ORIGIN (ms); since then it runs SPEED times
as fast as the real one, until it shows LIMIT (ms). One that is killed goes on with the same clock.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FastClock:
    """Simulated time in ms."""

    began: float
    origin: int
    speed: float
    limit: int

    def __call__(self) -> int:
        return min(self.origin + int((time.time() - self.began) * 1000 * self.speed), self.limit)

    def arguments(self) -> list[str]:
        """For the command line of this module."""
        return [repr(self.began), str(self.origin), repr(self.speed), str(self.limit)]


def main(config_file: str, began: str, origin: str, speed: str, limit: str) -> None:
    """Run until SIGTERM."""
    import uvloop

    from streamgauge.collect.collector import Collector
    from streamgauge.collect.command import serve
    from streamgauge.config import read

    clock = FastClock(float(began), int(origin), float(speed), int(limit))
    uvloop.run(serve(Collector(read(Path(config_file)), clock)))


if __name__ == "__main__":
    main(*sys.argv[1:])
