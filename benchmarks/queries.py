"""How long queries of dashboards take among a million series: on a fresh gateway, and once they were asked before.

    python benchmarks/queries.py [--series 1000000] [--recent 20000] [--rounds 50] [--cold 5]

A stack of its own with Cassandra, Redis and the gateway. All series are in the index; some of them, in all lanes, have
an hour of samples every 10 s, the last two minutes of which are not sealed yet; those of three lanes, as many as lanes
have in such a layout, have 30 days of 1-hour rollups. Cold: another gateway process, and an empty Redis, for each
query; the operating system has in its cache what it has.

The Prometheus that `make oracle` builds, where it is there, then gets the same hour, a sample of each other series,
and of some series 30 days every 10 s, which is what it answers questions about a month from.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import numpy as np
import psutil
from load import DEVICES, METRICS, label_set, lanes_for
from own_stack import STORES, configuration, own_stack
from query_data import HOUR_MS, Data, Filling, bodies
from redis import Redis
from rich.console import Console
from rich.table import Table
from usage import cpu_seconds

from schemas.units import MINUTE_MS
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack
from streamgauge.series.labels import NAME
from streamgauge.store.session import connect
from streamgauge.times import now_ms

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracle"))
from prometheus_server import Prometheus, binary

SERIES_A_HOST = METRICS * DEVICES
CLIENTS = 4
BUSY_S = 10.0


class Question(NamedTuple):
    """A request, and what it is about."""

    name: str
    path: str
    form: dict[str, str]


class Asked(NamedTuple):
    """How long answers took, ms, and their size in bytes."""

    ms: list[float]
    bytes: int


class Place:
    """Something that answers, over one connection."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)

    def ask(self, question: Question) -> int:
        """The size of the answer."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if question.path.endswith("/values"):
            path, body, method = f"{question.path}?{urlencode(question.form)}", None, "GET"
        else:
            path, body, method = question.path, urlencode(question.form), "POST"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200 or b'"warnings"' in content:
            raise RuntimeError(f"{question.name}: {answer.status} {content[:500].decode(errors='replace')}")
        return len(content)

    def timed(self, question: Question, rounds: int) -> Asked:
        """Ask so often."""
        took, size = [], 0
        for _ in range(rounds):
            began = time.perf_counter()
            size = self.ask(question)
            took.append((time.perf_counter() - began) * 1000)
        return Asked(took, size)


def questions(data: Data) -> list[Question]:
    """What is asked, one after the other."""
    hosts = [label_set(number)["instance"] for number in range(0, data.recent, SERIES_A_HOST)]
    hour = {"start": _s(data.end - HOUR_MS), "end": _s(data.end), "step": "15"}
    month = {"start": _s(data.month_start), "end": _s(data.month_end), "step": "3600"}

    def of_hosts(count: int) -> str:
        chosen = "|".join(host.replace(".", "\\\\.") for host in hosts[:count])
        return f'{{instance=~"{chosen}"}}'

    # Prometheus has the last hour of those that are not of its month
    one = _selector(min(set(range(data.recent)) - set(data.both)))
    values = "/api/v1/label/instance/values"
    times = {"start": _s(data.end - HOUR_MS), "end": _s(data.end)}
    metric = label_set(0)[NAME]
    return [
        Question("1 series, the last hour", "/api/v1/query_range", {"query": one, **hour}),
        Question("1,000 series, the last hour", "/api/v1/query_range", {"query": of_hosts(5), **hour}),
        Question(
            "sum by (device) of 10,000, the last hour",
            "/api/v1/query_range",
            {"query": f"sum by (device) ({of_hosts(50)})", **hour},
        ),
        Question(
            "1 series, 30 days at 1 h",
            "/api/v1/query_range",
            {"query": f"rate({_selector(data.both[0])}[1h])", **month},
        ),
        Question("values of a label of a metric", values, {"match[]": metric, **times}),
    ]


def _s(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _selector(number: int) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in label_set(number).items()) + "}"


def ours(config: Config, stack: Stack, data: Data, cold: int, rounds: int) -> dict[str, tuple[Asked, Asked]]:
    """How long each question takes, cold and warm."""
    url = f"http://{config.gateway.listen}"
    found = {}
    redis = Redis.from_url(config.redis.url)
    for question in questions(data):
        first, size = [], 0
        for _ in range(cold):
            stack.stop("gateway")
            redis.flushall()
            stack.start("gateway")
            stack.wait_ready({"gateway"})
            asked = Place(url).timed(question, 1)
            first += asked.ms
            size = asked.bytes
        found[question.name] = Asked(first, size), Place(url).timed(question, rounds)
    return found


def per_cpu_second(url: str, question: Question, pids: Sequence[int]) -> float:
    """Queries for each CPU second of the processes that answer them."""
    processes = [psutil.Process(pid) for pid in pids]
    counts = [0] * CLIENTS
    until = time.monotonic() + BUSY_S

    def keep_asking(client: int) -> None:
        place = Place(url)
        while time.monotonic() < until:
            place.ask(question)
            counts[client] += 1

    before = sum(cpu_seconds(process) for process in processes)
    clients = [threading.Thread(target=keep_asking, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sum(counts) / (sum(cpu_seconds(process) for process in processes) - before)


def table(found: dict[str, tuple[Asked, Asked]], theirs: dict[str, tuple[Asked, Asked]], title: str) -> Table:
    """A row for each question."""
    columns = ("cold p50, ms", "cold max", "warm p50", "warm p99", "kB")
    beside = ("Prometheus: first", "p50", "p99") if theirs else ()
    shown = Table(title, *columns, *beside)
    for name, (cold, warm) in found.items():
        row = [np.median(cold.ms), max(cold.ms), np.median(warm.ms), np.percentile(warm.ms, 99)]
        cells = [f"{value:.1f}" for value in row] + [f"{warm.bytes / 1000:.0f}"]
        if theirs:
            first, after = theirs[name]
            row = [first.ms[0], np.median(after.ms), np.percentile(after.ms, 99)]
            cells += [f"{value:.1f}" for value in row]
        shown.add_row(name, *cells)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--recent", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--cold", type=int, default=5)
    given = parser.parse_args()
    lanes = lanes_for(given.series)
    config = configuration("queries", Layout(lanes=lanes, groups=4))
    data = Data(given.series, given.recent, lanes, now_ms() // MINUTE_MS * MINUTE_MS)
    console = Console(width=140)
    with own_stack(config, STORES | {"redis", "gateway"}) as stack:
        session = connect(config.cassandra, timeout_s=60)
        Filling(config, session, data).all(lambda line: console.print(f"  {line}"))
        session.cluster.shutdown()
        found = ours(config, stack, data, given.cold, given.rounds)
        url = f"http://{config.gateway.listen}"
        busy = {
            question.name: per_cpu_second(url, question, [stack.pid("gateway")])
            for question in questions(data)
        }
    theirs: dict[str, tuple[Asked, Asked]] = {}
    their_busy: dict[str, float] = {}
    program = binary()
    if program is None:
        console.print("  there is no Prometheus to compare with: `make oracle` builds one")
    else:
        with (
            tempfile.TemporaryDirectory() as folder,
            Prometheus(program, Path(folder), timeout_s=120) as prometheus,
        ):
            for body in bodies(data):
                prometheus.take(body)
            place = Place(prometheus.url)
            for question in questions(data):
                theirs[question.name] = place.timed(question, 1), place.timed(question, given.rounds)
                their_busy[question.name] = per_cpu_second(prometheus.url, question, [prometheus.pid])
    title = f"{given.series:,} series, {given.recent:,} of them with an hour at 10 s"
    console.print(table(found, theirs, title))
    shown = Table("queries a CPU second, warm", "gateway", *(["Prometheus"] if theirs else []))
    for name, count in busy.items():
        shown.add_row(name, f"{count:,.0f}", *([f"{their_busy[name]:,.0f}"] if theirs else []))
    console.print(shown)


if __name__ == "__main__":
    main()
