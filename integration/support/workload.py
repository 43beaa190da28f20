"""What a test's client pushes, and what must be stored in the end."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import cramjam
import httpx
import numpy as np

from streamgauge.collect.receive.remote_write_request import encode
from streamgauge.series import ids, labels

STEP_MS = 5_000
MINUTE_MS = 60_000
Request = list[tuple[dict[str, str], list[tuple[int, float]]]]


@dataclass
class Workload:
    """Series of one metric, a sample every 5 s from `start` (ms), with each request some of the past hour.

    late: how many of them per request. seed: of the values and of what is late.
    """

    metric: str
    start: int
    minutes: int = 10
    series: int = 200
    late: int = 0
    ahead_ms: int = 0
    seed: int = 1
    expected: dict[bytes, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    def label_sets(self) -> list[dict[str, str]]:
        """The labels of each series."""
        return [
            {"__name__": self.metric, "host": f"host-{number:03}", "job": "test"}
            for number in range(self.series)
        ]

    def requests(self) -> Iterator[tuple[int, Request]]:
        """Each request with the time (ms) at which it is due; notes what is then expected."""
        random = np.random.default_rng(self.seed)
        sets = self.label_sets()
        identities = [ids.series_id(labels.canonical(one)) for one in sets]
        for due in range(self.start, self.start + self.minutes * MINUTE_MS, STEP_MS):
            request: Request = []
            for number, one in enumerate(sets):
                request.append((one, [(due + self.ahead_ms, round(float(random.normal(50, 20)), 2))]))
                self.expected[identities[number]].update(request[-1][1])
            for number in random.choice(self.series, self.late, replace=False):
                past = due - int(random.integers(MINUTE_MS, 60 * MINUTE_MS)) // 7 * 7 - 1
                value = self.expected[identities[number]].get(past, round(float(random.normal(0, 9)), 2))
                request.append((sets[number], [(past, value)]))
                self.expected[identities[number]][past] = value
            yield due, request

    @property
    def end(self) -> int:
        """The end (ms) of the last minute with samples."""
        return self.start + self.minutes * MINUTE_MS + (MINUTE_MS if self.ahead_ms else 0)


class Client:
    """Pushes by remote write, and again whatever was not answered with 204."""

    def __init__(self, address: str, timeout_s: float = 120.0) -> None:
        self._url = f"http://{address}/api/v1/write"
        self._timeout_s = timeout_s
        self._http = httpx.Client(timeout=30.0)

    def push(self, request: Request) -> httpx.Response:
        """One try."""
        body = bytes(cramjam.snappy.compress_raw(encode(request)))
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        return self._http.post(self._url, content=body, headers=headers)

    def push_until_taken(self, request: Request) -> None:
        """As a Prometheus server does with its write-ahead log."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                answer = self.push(request)
                if answer.status_code == 204:
                    return
                trouble = f"{answer.status_code} {answer.text}"
                assert answer.status_code >= 500, trouble
            except httpx.TransportError as error:
                trouble = repr(error)
            assert time.monotonic() < deadline, f"not taken: {trouble}"
            time.sleep(0.1)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
