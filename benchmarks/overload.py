"""A burst of five times the usual rate for ten minutes: how long recovery takes, and that nothing is lost.

    python benchmarks/overload.py [--series 20000] [--rate 5000] [--times 5] [--minutes 10]

A stack of its own with every job. Clients push at the usual rate, then a burst, then at the usual rate until the jobs
have caught up; a dashboard's query is asked every second meanwhile. Shows for each stretch what was acknowledged and
refused, what waits, and the answers of the gateway; then the time of recovery, and what the audit finds.
"""

import argparse
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import httpx
from feeder import feeding
from flink_counters import FlinkCounters
from own_stack import audited, configuration, own_stack
from rich.console import Console
from rich.table import Table
from store_latency import wait_until_indexed
from usage import Usage

from schemas.tables import Resolution
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack
from streamgauge.store.progress import ProgressStore
from streamgauge.store.session import connect

JOBS = ("store", "rollup", "alerts")
USUAL_S = 120.0
RECOVERED_S = 5.0
"""Messages of so many seconds may wait in a job that has caught up."""
SEALED_WITHIN_S = 90.0
"""A lane that has caught up is sealed so close to now: a minute, and its lag."""
GIVE_UP_S = 1800.0
AUDIT_AFTER_S = 240.0


@dataclass
class Stretch:
    """Measurements of a stretch of steady load."""

    name: str
    seconds: float = 0.0
    fed: dict[str, float] = field(default_factory=dict)
    most_pending: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    sealed_behind_s: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)


class Watch:
    """Looks at the jobs, the lanes and the gateway every second."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._counters = FlinkCounters(config)
        self._session = connect(config.cassandra)
        self._progress = ProgressStore(self._session)
        self._ended = threading.Event()
        self.stretch = Stretch("")
        self.pending: dict[str, float] = {}
        self.behind_s = 0.0
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._look, self._ask)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._session.cluster.shutdown()

    def _look(self) -> None:
        while not self._ended.wait(1.0):
            for job in JOBS:
                waits = self._counters.of("raw batches", "pendingRecords", job=job)["pendingRecords"]
                self.pending[job] = waits
                self.stretch.most_pending[job] = max(self.stretch.most_pending[job], waits)
            self.behind_s = time.time() - min(self._progress.read(Resolution.MIN1).values()) / 1000
            self.stretch.sealed_behind_s = max(self.stretch.sealed_behind_s, self.behind_s)

    def _ask(self) -> None:
        with httpx.Client(timeout=40) as http:
            while not self._ended.wait(1.0):
                now = int(time.time()) // 15 * 15
                form = {"query": 'count({__name__=~".+"})', "start": now - 900, "end": now, "step": 15}
                try:
                    status = http.post(
                        f"{self._config.gateway.url}/api/v1/query_range", data=form
                    ).status_code
                except httpx.TransportError:
                    status = 0
                self.stretch.answers[status] += 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=5_000, help="samples a second, usually")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    config = configuration("overload", Layout(lanes=8, groups=4))
    with own_stack(config, Stack(config).parts() - {"sql"}) as stack:
        url = f"http://{config.collector.listen}/api/v1/write"
        with feeding(url, range(given.series), 20.0):
            wait_until_indexed(FlinkCounters(config), timeout_s=400.0)
            time.sleep(70)
        usage, watch = Usage(stack), Watch(config)
        usual = given.series / given.rate
        stretches = [
            _run(watch, url, given.series, usual, "usual rate", USUAL_S),
            _run(watch, url, given.series, usual / given.times, f"{given.times} times", given.minutes * 60),
        ]
        messages_s = FlinkCounters(config).of("raw batches", "numRecordsOutPerSecond", job="store")
        began = time.monotonic()
        watch.stretch = last = Stretch("usual again")
        with feeding(url, range(given.series), usual) as feeder:
            limit = RECOVERED_S * max(messages_s["numRecordsOutPerSecond"], 50.0)
            while any(waits > limit for waits in watch.pending.values()) or watch.behind_s > SEALED_WITHIN_S:
                time.sleep(1.0)
                if time.monotonic() - began > GIVE_UP_S:
                    break
            recovered_s = time.monotonic() - began
            time.sleep(AUDIT_AFTER_S)
            last.fed = feeder.end()
        last.seconds = time.monotonic() - began
        stretches.append(last)
        audit = audited(stack)
        watch.end()
        memory = usage.stop()
        restarts = {name: each["restarts"] for name, each in stack.state()["jobs"].items()}
    console = Console(width=120)
    console.print(_table(stretches))
    console.print(f"all jobs had caught up {recovered_s:.0f} s after the burst; restarts of jobs: {restarts}")
    console.print(f"audit: {audit['verified']} batches verified, missing: {audit['missing']}")
    console.print(
        "memory at the peak: " + ", ".join(f"{name} {size >> 20} MB" for name, size in memory.items())
    )
    sys.exit(1 if audit["missing"] or recovered_s >= GIVE_UP_S else 0)


def _run(watch: Watch, url: str, series: int, step_s: float, name: str, seconds: float) -> Stretch:
    watch.stretch = stretch = Stretch(name, seconds)
    with feeding(url, range(series), step_s) as feeder:
        time.sleep(seconds)
        stretch.fed = feeder.end()
    return stretch


def _table(stretches: list[Stretch]) -> Table:
    table = Table("", *(each.name for each in stretches))
    rows = {
        "seconds": [f"{each.seconds:.0f}" for each in stretches],
        "acknowledged, samples/s": [f"{each.fed['samples'] / each.seconds:,.0f}" for each in stretches],
        "refused or unanswered, samples": [f"{each.fed['refused']:,.0f}" for each in stretches],
        "clients behind, s": [f"{each.fed['behind_s']:.1f}" for each in stretches],
        "lanes sealed behind now, most, s": [f"{each.sealed_behind_s:.0f}" for each in stretches],
        "queries by status": [str(dict(each.answers)) for each in stretches],
    }
    for job in JOBS:
        rows[f"messages that waited for {job}, most"] = [
            f"{each.most_pending[job]:,.0f}" for each in stretches
        ]
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    main()
