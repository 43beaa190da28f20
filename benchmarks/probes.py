"""Single samples that are followed on their way: pushed to a collector, and asked for until the gateway shows them."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import yaml

from schemas.batches.batch import decode, minute_of
from streamgauge.config import Config
from streamgauge.local.servers.service import answers, environment
from streamgauge.local.stack import Stack
from streamgauge.series import ids as series_ids
from streamgauge.series.labels import canonical
from streamgauge.store.session import connect

METRIC = "bench_probe"
PAUSE_S = 0.005
"""Between two questions to the gateway, each of which takes some CPU as well."""
PATIENCE_S = 30.0
CLIENT_TIMEOUT_S = 30.0


class Probe(NamedTuple):
    """One sample: its series, the time (ms) that it bears, and when (s) it was sent, acknowledged and read."""

    number: int
    timestamp: int
    sent: float
    acknowledged: float
    read: float


class Prober:
    """Follows samples of some series, one after the other, each through the next collector."""

    def __init__(self, config: Config, collectors: Sequence[str], series: Sequence[int]) -> None:
        self._config = config
        self._collectors = collectors
        self._series = series
        self._value = 0
        self.probes: list[Probe] = []

    def warm(self) -> None:
        """Until each series was read once: it is in the index then."""
        for _ in self._series:
            self.one()
        self.probes.clear()

    def run(self, seconds: float) -> None:
        """Probe for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.one()

    def one(self) -> None:
        """Follow the next sample.

        :raises RuntimeError: if it cannot be read.
        """
        number = self._series[self._value % len(self._series)]
        collector = self._collectors[self._value % len(self._collectors)]
        self._value += 1
        now = int(time.time() * 1000)
        entry = {"metric": METRIC, "labels": {"n": str(number)}, "value": self._value, "timestamp": now}
        sent = time.time()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://{collector}/api/v1/push", json.dumps(entry).encode(), headers
        )
        urllib.request.urlopen(request, timeout=CLIENT_TIMEOUT_S).close()
        acknowledged = time.time()
        query = quote(f'{METRIC}{{n="{number}"}}')
        url = f"http://{self._config.gateway.listen}/api/v1/query?query={query}&time={now / 1000 + 1:.3f}"
        while True:
            with urllib.request.urlopen(url, timeout=CLIENT_TIMEOUT_S) as answer:
                found = json.load(answer)["data"]["result"]
            read = time.time()
            if found and float(found[0]["value"][1]) == self._value:
                break
            if read - acknowledged > PATIENCE_S:
                raise RuntimeError(f"probe {number} is not readable after {PATIENCE_S} s")
            time.sleep(PAUSE_S)
        self.probes.append(Probe(number, now, sent, acknowledged, read))

    def parts(self) -> dict[str, np.ndarray]:
        """How many ms each part of the way of each probe took; those whose batch cannot be found are left out.

        The head's own time is Cassandra's WRITETIME, which is taken when the write begins.
        """
        written = self._written()
        rows = [
            (
                probe.acknowledged - probe.sent,
                written[probe.number, probe.timestamp] - probe.acknowledged,
                probe.read - written[probe.number, probe.timestamp],
                probe.read - probe.sent,
            )
            for probe in self.probes
            if (probe.number, probe.timestamp) in written
        ]
        names = (
            "collector to Kafka's acknowledgement",
            "acknowledgement to the head's write",
            "write to readable",
            "all",
        )
        return dict(zip(names, np.array(rows).T * 1000, strict=True))

    def _written(self) -> dict[tuple[int, int], float]:
        lanes = self._config.layout.lanes
        ids = {number: identity(number) for number in self._series}
        by_id = {identity_: number for number, identity_ in ids.items()}
        places = {
            (series_ids.lane_of(ids[probe.number], lanes), minute_of(probe.timestamp))
            for probe in self.probes
        }
        session = connect(self._config.cassandra, timeout_s=60)
        select = session.prepare(
            "SELECT WRITETIME(payload) AS written, payload FROM metrics_head WHERE lane = ? AND minute = ?"
        )
        select.fetch_size = 100
        found: dict[tuple[int, int], float] = {}
        for lane, minute in places:
            for row in session.execute(select, (lane, minute)):
                samples = decode(row.payload, lane, minute, lanes).samples
                packed = series_ids.to_bytes(samples.ids)
                for at in range(len(samples.ids)):
                    number = by_id.get(packed[16 * at : 16 * at + 16])
                    for place in (
                        range(samples.offsets[at], samples.offsets[at + 1]) if number is not None else ()
                    ):
                        found[number, int(samples.timestamps[place])] = row.written / 1e6
        session.cluster.shutdown()
        return found


def identity(number: int) -> bytes:
    """The id of a probe's series."""
    return series_ids.series_id(canonical({"__name__": METRIC, "n": str(number)}))


@contextlib.contextmanager
def more_collectors(stack: Stack, addresses: Sequence[str]) -> Iterator[list[int]]:
    """Collectors beside the stack's own; their process ids."""
    processes = []
    try:
        for number, listen in enumerate(addresses):
            own = stack.config.collector.model_copy(update={"listen": listen, "name": f"bench-{number}"})
            settings = stack.config.model_copy(update={"collector": own}).model_dump(mode="json")
            file = stack.home.conf / f"collector-{number}.yml"
            file.write_text(yaml.safe_dump(settings, sort_keys=False))
            command = [sys.executable, "-m", "streamgauge.cli", "--config", str(file), "collect"]
            with stack.home.log(f"collector-{number}").open("ab") as log:
                processes.append(
                    subprocess.Popen(command, stdout=log, stderr=log, env=environment(stack.home))
                )
        while not all(answers(f"http://{listen}/-/ready") for listen in addresses):
            if any(process.poll() is not None for process in processes):
                raise RuntimeError(f"a collector does not start, see {stack.home.logs}")
            time.sleep(0.2)
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
