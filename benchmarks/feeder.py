"""Clients that push samples by remote write at a steady rate, in a process of their own.

    python benchmarks/feeder.py URL --series 100000 --step 2 [--first 0] [--clock ORIGIN BEGAN SPEED] [--lane N OF]

Every series has a sample a step (s), in requests that are spread over it. Ends on SIGTERM, or when its standard input
closes, and prints as JSON what was acknowledged: `samples`, `refused`, `behind_s` (how late it was at worst).
"""

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from load import Requests, of_lane

SERIES_A_REQUEST = 2000
"""What Prometheus sends at once."""
CLIENTS = 4


class Feeder:
    """Pushes from some threads until it is told to stop."""

    def __init__(self, url: str, series: Sequence[int], step_s: float, clock: "Clock") -> None:
        self._url = urlsplit(url)
        self._step_s = step_s
        self._clock = clock
        shares = [series[at : at + SERIES_A_REQUEST] for at in range(0, len(series), SERIES_A_REQUEST)]
        self._requests = [Requests(share) for share in shares]
        self._sizes = [len(share) for share in shares]
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.found = {"samples": 0, "refused": 0, "behind_s": 0.0}

    def run(self) -> None:
        """Push until `end`."""
        began = time.monotonic()
        clients = [threading.Thread(target=self._push, args=(n, began), daemon=True) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def end(self) -> None:
        """Let the clients finish their requests."""
        self._ended.set()

    def _push(self, client: int, began: float) -> None:
        own = range(client, len(self._requests), CLIENTS)
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=30)
        for turn in range(1 << 40):
            for number in own:
                due = began + (turn + number / len(self._requests)) * self._step_s
                if self._ended.wait(max(0.0, due - time.monotonic())):
                    return
                self._one(connection, number, time.monotonic() - due)

    def _one(self, connection: http.client.HTTPConnection, number: int, behind_s: float) -> None:
        body = self._requests[number].body(self._clock.now())
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        status = 0
        try:
            connection.request("POST", self._url.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
        with self._lock:
            self.found["samples" if status == 204 else "refused"] += self._sizes[number]
            self.found["behind_s"] = max(self.found["behind_s"], behind_s)


class Clock:
    """Time in ms: the real one, or one that showed `origin` at `began` (s) and is `speed` times as fast."""

    def __init__(self, origin: int = 0, began: float = 0.0, speed: float = 1.0) -> None:
        self._origin, self._began, self._speed = origin, began, speed

    def now(self) -> int:
        """The time in ms."""
        return self._origin + int((time.time() - self._began) * 1000 * self._speed)


class Feeding:
    """A feeder that runs; `samples`, `refused` and `behind_s` when it has ended."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid

    def end(self) -> dict[str, float]:
        """Let it finish, and return what it has counted."""
        out, _ = self._process.communicate(timeout=60)
        found: dict[str, float] = json.loads(out)
        return found


@contextlib.contextmanager
def feeding(
    url: str,
    series: range,
    step_s: float,
    clock: tuple[int, float, float] | None = None,
    lane: tuple[int, int] | None = None,
) -> Iterator[Feeding]:
    """Run a feeder; it is ended in any case.

    :param clock: see `Clock`. :param lane: a lane and how many there are: only series of that lane, so many of them.
    """
    command = [sys.executable, str(Path(__file__)), url, "--step", str(step_s)]
    command += ["--first", str(series.start), "--series", str(len(series))]
    command += ["--clock", *map(repr, clock)] if clock else []
    command += ["--lane", *map(str, lane)] if lane else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    # it has made its requests
    process.stdout.readline()
    try:
        yield Feeding(process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--series", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--step", type=float, required=True, help="seconds")
    parser.add_argument("--clock", nargs=3)
    parser.add_argument("--lane", type=int, nargs=2)
    given = parser.parse_args()
    clock = (
        Clock(int(given.clock[0]), float(given.clock[1]), float(given.clock[2])) if given.clock else Clock()
    )
    series: Sequence[int] = range(given.first, given.first + given.series)
    if given.lane:
        series = of_lane(given.series, *given.lane)
    feeder = Feeder(given.url, series, given.step, clock)
    print("ready", flush=True)
    running = threading.Thread(target=feeder.run)
    running.start()
    sys.stdin.read()
    feeder.end()
    running.join()
    print(json.dumps(feeder.found))


if __name__ == "__main__":
    main()
