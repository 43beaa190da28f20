"""A collector whose clock shows the past and runs faster: ten minutes of samples take ten seconds.

    python -m integration.support.fast_collector streamgauge.yml RATES ORIGIN SPEED LIMIT

The clock stands at ORIGIN (ms) until the file RATES tells when it began to run (s of the epoch) and how fast; it shows
LIMIT (ms) at most.
"""

import json
import sys
import time
from itertools import takewhile
from pathlib import Path

NOTICE_S = 0.2
"""Another rate begins so much later, for all processes must have read of it before."""


class FastClock:
    """Simulated time in ms, the same in every process that reads the file.

    The file has the moments (s of the epoch) from which it runs at a rate, and what it shows (ms) then.
    """

    def __init__(self, file: Path, origin: int, speed: float, limit: int) -> None:
        self.origin = origin
        self._file = file
        self._speed = speed
        self._limit = limit
        self._read_at = 0
        self._rates: list[tuple[float, float, float]] = []

    def start(self) -> None:
        """Let it run."""
        self._write([(time.time(), self.origin, self._speed)])

    def slow_down(self) -> None:
        """Let it run as fast as the real one: a system that recovers has nothing else to do then."""
        self._go_on_at(1.0)

    def speed_up(self) -> None:
        """Let it run fast again."""
        self._go_on_at(self._speed)

    def __call__(self) -> int:
        return int(self._at(time.time()))

    def arguments(self) -> list[str]:
        """For the command line of this module."""
        return [str(self._file), str(self.origin), repr(self._speed), str(self._limit)]

    def _at(self, now: float) -> float:
        stands = now, float(self.origin), 0.0
        since, shown, speed = [stands, *takewhile(lambda rate: rate[0] <= now, self._known())][-1]
        return min(shown + (now - since) * 1000 * speed, self._limit)

    def _known(self) -> list[tuple[float, float, float]]:
        try:
            written = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        if written != self._read_at:
            self._rates = [tuple(rate) for rate in json.loads(self._file.read_text())]
            self._read_at = written
        return self._rates

    def _go_on_at(self, speed: float) -> None:
        time.sleep(NOTICE_S)
        begin = time.time() + NOTICE_S
        self._write([*self._known(), (begin, self._at(begin), speed)])

    def _write(self, rates: list[tuple[float, float, float]]) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(rates))
        unfinished.replace(self._file)


def main(config_file: str, rates: str, origin: str, speed: str, limit: str) -> None:
    """Run until SIGTERM."""
    import uvloop

    from streamgauge.collect.collector import Collector
    from streamgauge.collect.command import serve
    from streamgauge.config import read
    from streamgauge.listening import Address

    clock = FastClock(Path(rates), int(origin), float(speed), int(limit))
    config = read(Path(config_file))
    uvloop.run(serve(Collector(config, clock), Address(config.collector.listen)))


if __name__ == "__main__":
    main(*sys.argv[1:])
