"""Many rules on the stream: what a tick costs, how long a transition takes, and the same rules in real Prometheus.

    python benchmarks/alerts.py [--rules 10000] [--series 20000] [--seconds 240]

A stack of its own with the collector, the store and the alert job. A quarter each of the rules are thresholds, rates,
averages by a label, and quantiles of histograms, all in groups of 100 at 10 s; every series has a sample every 10 s.
Beside them a group at 1 s looks at single series that are switched on and off: how long it takes from the push of the
sample that decides until a consumer of alerts.triggered has the transition.

The Prometheus that `make oracle` builds, where it is there, then gets such samples for as long, with the same rule
files.
"""

import argparse
import contextlib
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import yaml
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from flink_counters import FlinkCounters
from own_stack import CLUSTER, configuration, own_stack
from rich.console import Console
from rich.table import Table
from rule_ticks import EVERY_MS, HOSTS_A_JOB, RULES_A_GROUP, SERIES_A_HOST, rules, series
from usage import FLINK, Usage

from schemas import topics
from schemas.alert_messages import decode_triggered
from schemas.rule_files import Group
from streamgauge.collect.receive.remote_write_request import compress, encode
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.rules.files.reader import read
from streamgauge.topics.rule_topic import RuleTopic

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracle"))
from prometheus_server import Prometheus, binary

LANES = 16
PROBES = 10
SERIES_A_REQUEST = 2000
SETTLE_S = 60.0
"""From the rules' first tick until the measurement begins: kernels are compiled, ranges are full of samples."""
PATIENCE_S = 30.0
FIRST_PATIENCE_S = 180.0
"""Until the rules are compiled in every worker."""
PROBE = "bench_probe"
Sample = tuple[dict[str, str], list[tuple[int, float]]]


class Feed:
    """Pushes a sample of every series every 10 s, in requests that are spread over them."""

    def __init__(self, url: str, hosts: int) -> None:
        self._url = url
        self._labels = [dict(labels) for labels in series(hosts)]
        self._values = np.random.default_rng(1).uniform(0, 100, len(self._labels))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples = 0

    def __enter__(self) -> "Feed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        starts = range(0, len(self._labels), SERIES_A_REQUEST)
        due = time.monotonic()
        with httpx.Client(trust_env=False, timeout=30) as http:
            while True:
                self._values += np.random.default_rng().uniform(0, 0.5, len(self._values))
                for start in starts:
                    if self._ended.wait(max(0.0, due - time.monotonic())):
                        return
                    due += EVERY_MS / 1000 / len(starts)
                    self._push(http, start)

    def _push(self, http: httpx.Client, start: int) -> None:
        now = int(time.time() * 1000)
        part = slice(start, start + SERIES_A_REQUEST)
        body = compress(
            encode(
                [
                    (labels, [(now, float(value))])
                    for labels, value in zip(self._labels[part], self._values[part], strict=True)
                ]
            )
        )
        push(http, self._url, body)
        self.samples += len(self._labels[part])


def push(http: httpx.Client, url: str, body: bytes) -> None:
    """Send a remote write request. :raises RuntimeError: if it is refused."""
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    answer = http.post(url, content=body, headers=headers)
    if answer.status_code // 100 != 2:
        raise RuntimeError(f"{url}: {answer.status_code} {answer.text}")


class Switches:
    """Series that are switched on and off, and when a consumer learns of the alerts that follow."""

    def __init__(self, config: Config) -> None:
        self._url = f"http://{config.collector.listen}/api/v1/write"
        self._consumer = Consumer(
            {
                "bootstrap.servers": config.kafka.bootstrap,
                "group.id": "bench",
                "fetch.wait.max.ms": 5,
            }
        )
        self._consumer.assign(
            [TopicPartition(topics.TRIGGERED, n, OFFSET_END) for n in range(topics.ALERT_PARTITIONS)]
        )
        self._consumer.poll(5.0)
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._on = [False] * PROBES

    def run(self, seconds: float, patience_s: float = PATIENCE_S) -> list[tuple[float, float]]:
        """Switches at random moments: how long (s) after a tick of all rules, and the delay (s) of each."""
        delays: list[tuple[float, float]] = []
        until = time.monotonic() + seconds
        for number in itertools.cycle(range(PROBES)):
            if time.monotonic() > until:
                return delays
            self._on[number] = not self._on[number]
            after = time.time() % (EVERY_MS / 1000)
            delays.append((after, self._one(number, self._on[number], patience_s)))
            time.sleep(random.uniform(0.1, 1.1))
        return delays

    def _one(self, number: int, on: bool, patience_s: float) -> float:
        labels = {"__name__": PROBE, "probe": str(number)}
        began = time.time()
        push(self._http, self._url, compress(encode([(labels, [(int(began * 1000), float(on))])])))
        wanted = "firing" if on else "resolved"
        while time.time() < began + patience_s:
            message = self._consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            found = decode_triggered(message.value())
            if found.labels.get("probe") == str(number) and found.after == wanted:
                return time.time() - began
        raise RuntimeError(f"probe {number} is not {wanted} after {patience_s:.0f} s")

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()
        self._http.close()


def rule_files(folder: Path, count: int, jobs: int) -> list[Path]:
    """Write the rules into files, which Prometheus reads too; the last one has the probes'."""
    every = f"{EVERY_MS // 1000}s"
    found = [
        {
            "alert": rule.name,
            "expr": rule.expr,
            "labels": dict(rule.labels),
            "annotations": dict(rule.annotations),
        }
        for rule in rules(count, jobs)
    ]
    groups = [
        {"name": f"g{at}", "interval": every, "rules": found[at : at + RULES_A_GROUP]}
        for at in range(0, count, RULES_A_GROUP)
    ]
    probes = {"name": "probes", "interval": "1s", "rules": [{"alert": "On", "expr": f"{PROBE} > 0"}]}
    files = {"many": groups, "probes": [probes]}
    for name, content in files.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump({"groups": content}, sort_keys=False))
    return [folder / f"{name}.yml" for name in files]


def apply(config: Config, files: list[Path]) -> None:
    """Publish the rules, as `streamgauge rules apply` does."""
    groups: dict[str, list[Group]] = {}
    for file in files:
        found = read(file, config.rules.severities)
        if not found.is_usable:
            raise RuntimeError(str(found.faults[0]))
        groups[file.stem] = list(found.rules.groups)
    topic = RuleTopic(config.kafka)
    topic.publish(publication(RuleSets(topic.read()), groups, int(time.time() * 1000)).messages)


@contextlib.contextmanager
def real_prometheus(program: Path, files: list[Path], folder: Path) -> Iterator[tuple[str, int]]:
    """A Prometheus with these rules: where it takes samples, and its process id."""
    config = yaml.safe_dump({"rule_files": [str(file) for file in files]})
    with Prometheus(program, folder, config=config) as server:
        yield f"{server.url}/api/v1/write", server.pid


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=240.0)
    given = parser.parse_args()
    hosts = max(HOSTS_A_JOB, given.series // SERIES_A_HOST)
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = rule_files(folder, given.rules, hosts // HOSTS_A_JOB)
        for table in ours(files, hosts, given.seconds):
            console.print(table)
        program = binary()
        if program is None:
            print("real Prometheus is not there: `make oracle` builds it", file=sys.stderr)
            return
        console.print(theirs(program, files, folder, hosts, given.seconds))


def ours(files: list[Path], hosts: int, seconds: float) -> Iterator[Table]:
    """What the stack costs, and how long transitions take, over so many seconds."""
    config = configuration("alerts", Layout(lanes=LANES, groups=4))
    with own_stack(config, CLUSTER | {"store", "alerts", "collector"}) as stack:
        apply(config, files)
        with Feed(f"http://{config.collector.listen}/api/v1/write", hosts) as feed:
            time.sleep(SETTLE_S)
            yield from measured(stack, config, feed, seconds)


def theirs(program: Path, files: list[Path], folder: Path, hosts: int, seconds: float) -> Table:
    """What Prometheus costs in the same time."""
    with real_prometheus(program, files, folder) as (url, pid), Feed(url, hosts) as feed:
        time.sleep(SETTLE_S)
        process, samples, began = psutil.Process(pid), feed.samples, time.monotonic()
        before = sum(process.cpu_times()[:2])
        time.sleep(seconds)
        took = time.monotonic() - began
        spent = sum(process.cpu_times()[:2]) - before
        table = _costs(took)
        _add(table, "Prometheus", spent, took, feed.samples - samples, process.memory_info().rss)
        return table


def measured(stack: Stack, config: Config, feed: Feed, seconds: float) -> Iterator[Table]:
    """The tables, after so many seconds."""
    counters = FlinkCounters(config)
    switches = Switches(config)
    switches.run(30, FIRST_PATIENCE_S)
    usage = Usage(stack)
    samples, began = feed.samples, time.monotonic()
    ticks = counters.of("merge rules", "ticks", "rule_errors", "dropped_ticks")
    after, delays = np.array(switches.run(seconds)).T
    took = time.monotonic() - began
    samples = feed.samples - samples
    cpu = usage.since_start()
    ended = counters.of("merge rules", "ticks", "rule_errors", "dropped_ticks")
    switches.close()
    memory = usage.stop()
    cost = _costs(took)
    for part in (*FLINK, "collector", "Kafka"):
        _add(cost, part, cpu.get(part, 0.0), took, samples, memory.get(part, 0))
    yield cost
    delay = Table("from a sample's push to its transition at a consumer", "")
    delay.add_row("transitions", f"{len(delays)}")
    for percent in (50, 90, 99, 100):
        delay.add_row(f"p{percent}, s", f"{np.percentile(delays, percent):.2f}")
    for begin in range(0, EVERY_MS // 1000, 2):
        own = delays[(after >= begin) & (after < begin + 2)]
        words = f"{np.median(own):.2f}, {own.max():.2f}" if len(own) else ""
        delay.add_row(f"median and most, pushed {begin} to {begin + 2} s after a tick of all rules", words)
    for counter, before in ticks.items():
        delay.add_row(counter.replace("_", " "), f"{ended[counter] - before:.0f}")
    yield delay


def _costs(took: float) -> Table:
    return Table(f"CPU over {took:.0f} s", "CPU s", "CPU s an hour", "us a sample", "memory, MB")


def _add(table: Table, part: str, spent: float, took: float, samples: int, nbytes: int) -> None:
    hour, each = spent / took * 3600, spent / samples * 1e6
    table.add_row(part, f"{spent:.1f}", f"{hour:,.0f}", f"{each:.0f}", f"{nbytes / 1e6:.0f}")


if __name__ == "__main__":
    main()
