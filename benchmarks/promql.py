"""How fast PromQL is evaluated, next to a real Prometheus that holds the same samples.

    python benchmarks/promql.py [DATA ...]

Needs the Prometheus that `make oracle` builds. For each set of data both get the same samples, Prometheus by
remote write in the order of time, our engine as arrays in a process of its own. Both are then asked the same
range queries in turn, some rounds. Compared is the CPU time of the whole process during a query, the least of
all rounds: of Prometheus with `limit=1`, so that it writes one series and all the rest is evaluation; ours is
`evaluate` alone. The wall time next to it is Prometheus's own evalTotalTime. Prometheus looks up its index and
decodes chunks in that time, our samples are there as arrays. Peak memory is that of either process while it
answers, and before; both hold all the samples.
"""

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
from rich.console import Console
from rich.table import Table

from schemas.protobuf import varint
from streamgauge.collect.receive.remote_write_request import compress
from streamgauge.promql.data.query import Query
from streamgauge.promql.data.vectors import Vector
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.parser import parse
from streamgauge.promql.warm import warm
from streamgauge.series.labels import NAME, canonical
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracle"))
from prometheus_server import Prometheus, binary

START = 1_700_000_000_000 // 7_200_000 * 7_200_000
EVERY_MS = 10_000
ROUNDS = 7
PATIENCE_S = 30
"""No third round of a query that has taken so long."""
BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")
QUERIES = (
    "sum by (service) (rate(x[5m]))",
    "x",
    "max_over_time(x[10m])",
    "histogram_quantile(0.99, sum by (le, service) (rate(h_bucket[5m])))",
    "topk(10, x)",
    "x / on (host) group_left b",
    "quantile_over_time(0.99, x[30m])",
)


class Data(NamedTuple):
    """series of x and of h_bucket, a tenth of it of b, over some hours; the steps of the queries in s."""

    series: int
    hours: int
    steps: tuple[int, ...]

    @property
    def count(self) -> int:
        """Samples of one series."""
        return self.hours * 3_600_000 // EVERY_MS


DATA = {
    "1k-1h": Data(1000, 1, (15,)),
    "10k-1h": Data(10_000, 1, (15,)),
    "100-24h": Data(100, 24, (360, 15)),
}


class Metric(NamedTuple):
    """labels of each series; values (series, samples)."""

    labels: list[dict[str, str]]
    values: Any


def generate(data: Data) -> dict[str, Metric]:
    """Counters with resets, cumulative histograms and gauges; the same on each call."""
    random = np.random.default_rng(1)
    hosts = max(1, data.series // 10)

    def labels(name: str, at: int, **more: str) -> dict[str, str]:
        host = at // 10
        place = {"host": f"host-{host:05d}", "instance": f"10.1.{host // 250}.{host % 250}:9100"}
        return {NAME: name, **place, "service": f"service-{host % 20:02d}", "job": "node", **more}

    def counters(rows: int) -> Any:
        steps = random.integers(0, 50, (rows, data.count)).astype(np.float64)
        values = np.cumsum(steps, axis=1)
        resets = np.where(random.random(steps.shape) < 0.001, values, 0)
        return values - np.maximum.accumulate(resets, axis=1)

    xs = [labels("x", at, cpu=str(at % 10)) for at in range(data.series)]
    buckets = [labels("h_bucket", at, le=BUCKETS[at % 10]) for at in range(data.series)]
    counted = random.integers(0, 5, (hosts, 10, data.count)).cumsum(axis=2).cumsum(axis=1)
    gauges = [{NAME: "b", "host": f"host-{host:05d}", "rack": str(host % 7)} for host in range(hosts)]
    return {
        "x": Metric(xs, counters(data.series)),
        "h_bucket": Metric(buckets, counted.reshape(-1, data.count)[: data.series].astype(np.float64)),
        "b": Metric(gauges, random.normal(100, 10, (hosts, data.count)).round(3)),
    }


class Arrays:
    """A source of whole metrics."""

    def __init__(self, metrics: Mapping[str, Metric], count: int) -> None:
        times = START + EVERY_MS * np.arange(count, dtype=np.int64)
        self._found = {}
        for name, (labels, values) in metrics.items():
            ids = np.array([(0, row) for row in range(len(labels))], np.uint64)
            offsets = np.arange(len(labels) + 1, dtype=np.int64) * count
            samples = Samples(ids, offsets, np.tile(times, len(labels)), values.ravel())
            self._found[name] = [canonical(one) for one in labels], samples

    def fetch(self, matchers: Sequence[Matcher], _: int, __: int) -> tuple[Sequence[bytes], Samples]:
        """The metric of the only matcher."""
        return self._found[matchers[0].value]


def requests(metrics: Mapping[str, Metric], count: int) -> Iterator[bytes]:
    """Remote write requests, ten minutes of a thousand series each, in the order of time."""
    heads = {
        name: [
            b"".join(_field(1, _field(1, key.encode()) + _field(2, one[key].encode())) for key in sorted(one))
            for one in metric.labels
        ]
        for name, metric in metrics.items()
    }
    size = 60
    for first in range(0, count, size):
        times = range(START + EVERY_MS * first, START + EVERY_MS * min(count, first + size), EVERY_MS)
        stamps = [varint(at) for at in times]
        wire = np.zeros((len(stamps), 12 + len(stamps[0])), np.uint8)
        wire[:, :3] = 0x12, 10 + len(stamps[0]), 0x09
        wire[:, 11] = 0x10
        wire[:, 12:] = np.frombuffer(b"".join(stamps), np.uint8).reshape(len(stamps), -1)
        for name, metric in metrics.items():
            values = np.ascontiguousarray(metric.values[:, first : first + size])
            for begin in range(0, len(values), 1000):
                parts = []
                for row in range(begin, min(len(values), begin + 1000)):
                    wire[:, 3:11] = values[row].view(np.uint8).reshape(-1, 8)
                    parts.append(_field(1, heads[name][row] + wire.tobytes()))
                yield compress(b"".join(parts))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


class Server(Prometheus):
    """The Prometheus of the differential tests, whose use of CPU and memory is looked at."""

    def write(self, body: bytes) -> None:
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, text = self._ask("POST", "/api/v1/write", body, headers)
        if status != 204:
            raise RuntimeError(f"Prometheus refused the samples: {status} {text.decode()}")

    def timed(self, text: str, query: Query) -> tuple[float, float]:
        """Seconds of CPU, and those that Prometheus says the evaluation took."""
        form = {"query": text, "start": query.start / 1000, "end": query.end / 1000}
        form |= {"step": f"{query.step}ms", "stats": "all", "limit": 1}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        before = cpu_seconds(self.pid)
        answer = json.loads(self._ask("POST", "/api/v1/query_range", urlencode(form).encode(), headers)[1])
        used = cpu_seconds(self.pid) - before
        if answer["status"] != "success":
            raise RuntimeError(f"{text}: {answer['error']}")
        return used, answer["data"]["stats"]["timings"]["evalTotalTime"]

    def summed(self, text: str, query: Query) -> list[float]:
        """The values of the sum of a query."""
        answer = self.query(f"sum({text})", query.start, query.end, query.step)
        return [float(value) for row in answer["data"]["result"] for _, value in row["values"]]

    @property
    def pid(self) -> int:
        return self._process.pid


class Ours:
    """Our engine in a process of its own, which answers one line with another."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--answer", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = int(self._read())

    def ask(self, kind: str, text: str, query: Query) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, text, query.start, query.end, query.step]) + "\n")
        self._process.stdin.flush()
        return self._read()

    def stop(self) -> None:
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def answer(name: str) -> None:
    """What `Ours` starts."""
    data = DATA[name]
    source = Arrays(generate(data), data.count)
    warm()
    gc.collect()
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        kind, text, start, end, step = json.loads(line)
        query = Query(start, end, step)
        if kind == "sum":
            value = evaluate(parse(f"sum({text})"), query, source).value
            assert isinstance(value, Vector)
            print(json.dumps(value.values[value.present].tolist()), flush=True)
            continue
        began, cpu = time.perf_counter(), time.process_time()
        evaluate(parse(text), query, source)
        print(json.dumps([time.process_time() - cpu, time.perf_counter() - began]), flush=True)


def cpu_seconds(pid: int) -> float:
    """CPU that all threads of a process have had."""
    return (
        sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
        / 1e9
    )


def reset_peak(pid: int) -> None:
    """Let the kernel forget the most memory that a process has had."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """The most resident memory of a process since `reset_peak`."""
    return _status(pid, "VmHWM:")


def resident_mib(pid: int) -> float:
    """The resident memory of a process."""
    return _status(pid, "VmRSS:")


def _status(pid: int, key: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def compare(name: str, rounds: int, queries: Sequence[str], console: Console) -> list[float]:
    """Print the table of one set of data; the ratios of all queries."""
    data, program = DATA[name], binary()
    if program is None:
        raise SystemExit("real Prometheus is not there: `make oracle` builds it")
    ratios = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(program, Path(folder), "--query.timeout=30m", timeout_s=1800) as server,
    ):
        for body in requests(generate(data), data.count):
            server.write(body)
        ours = Ours(name)
        before = [resident_mib(pid) for pid in (ours.pid, server.pid)]
        for pid in (ours.pid, server.pid):
            reset_peak(pid)
        for step in data.steps:
            query = Query(START, START + data.hours * 3_600_000, step * 1000)
            shown = Table(
                "query",
                "ours CPU ms",
                "Prometheus CPU ms",
                "ratio",
                "ours wall ms",
                "its eval ms",
                title=f"{data.series} series x {data.hours} h, step {step} s",
            )
            for text in queries:
                print(f"{name}, step {step} s: {text}", file=sys.stderr)
                if data.series <= 1000:
                    _same(text, ours.ask("sum", text, query), server.summed(text, query))
                measured, until = [], time.monotonic() + PATIENCE_S
                while len(measured) < rounds and (len(measured) < 2 or time.monotonic() < until):
                    measured.append((*ours.ask("time", text, query), *server.timed(text, query)))
                cpu, wall, their_cpu, their_wall = np.min(measured, axis=0).tolist()
                ratios.append(their_cpu / cpu)
                numbers = (cpu * 1000, their_cpu * 1000, their_cpu / cpu, wall * 1000, their_wall * 1000)
                shown.add_row(text, *(f"{number:.1f}" for number in numbers))
            console.print(shown)
        after = [peak_mib(pid) for pid in (ours.pid, server.pid)]
        console.print(
            f"resident memory: ours {before[0]:.0f} MiB, at most {after[0]:.0f}; "
            f"Prometheus {before[1]:.0f}, at most {after[1]:.0f}\n"
        )
        ours.stop()
    return ratios


def _same(text: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
    if len(ours) != len(theirs) or not np.allclose(ours, theirs, rtol=1e-9, equal_nan=True):
        raise RuntimeError(f"{text} differs")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="*", help=f"any of {', '.join(DATA)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--queries", nargs="*", default=QUERIES, help="instead of the usual ones")
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer(arguments.answer)
        return
    console = Console(width=150)
    ratios: list[float] = []
    for name in arguments.data or DATA:
        ratios += compare(name, arguments.rounds, arguments.queries, console)
    mean = math.exp(np.log(ratios).mean())
    console.print(f"geometric mean of the ratios {mean:.1f}, least {min(ratios):.1f}, {len(ratios)} queries")


if __name__ == "__main__":
    main()
