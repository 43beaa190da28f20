"""How much of dashboards that refresh comes from the cache, and what that spares.

    python benchmarks/gateway.py [--dashboards 50] [--hosts 200] [--hours 24] [--seconds 180]

A stack of its own with Cassandra, Redis and the gateway. A day of samples is written straight to the tables, and goes
on being written while dashboards of four panels refresh every ten seconds, each with a range of its own that ends now
and steps as Grafana has them. Once without the cache (Cache-Control: no-store), then with it, from an empty Redis on.
"""

import argparse
import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx
import numpy as np
from own_stack import STORES, configuration, own_stack
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from rich.console import Console
from rich.table import Table
from stored_history import STEP_MS, History
from usage import Usage

from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack
from streamgauge.store.session import connect

REFRESH_S = 10.0
RANGES_S = (900, 3600, 3600, 10_800, 21_600, 21_600, 43_200, 86_400)
"""Those of dashboards, one after the other: most people look at the last hours."""
POINTS = 240
"""As many as a panel of a usual width asks for."""
STEPS_S = (15, 30, 60, 120, 180, 300, 600)
PANELS = (
    "sum by (code) (rate(http_requests_total{{{filter}}}[5m]))",
    'avg by (rack) (1 - rate(cpu_seconds_total{{mode="idle",{filter}}}[5m]))',
    "node_load1{{{filter}}}",
    "topk(5, increase(http_requests_total{{{filter}}}[10m]))",
)
BUSY = (429, 503)
"""The gateway could not answer in time."""
LOOKUPS = "streamgauge_gateway_cache_lookups_total"


@dataclass
class Dashboard:
    """Panels that are asked for together."""

    number: int
    queries: Sequence[str]
    range_s: int

    @property
    def step_s(self) -> int:
        """The least usual step that gives no more points than there are pixels for."""
        return next((step for step in STEPS_S if step * POINTS >= self.range_s), STEPS_S[-1])

    def forms(self, now: float) -> list[dict[str, str]]:
        """The requests of a refresh: as in Grafana, times are whole steps."""
        step = self.step_s
        end = math.floor(now / step) * step
        times = {"start": str(end - self.range_s), "end": str(end), "step": str(step)}
        return [{"query": query, **times} for query in self.queries]


class Asked(NamedTuple):
    """How long a request took, whether it was the first of its dashboard, and whether there was no answer in time."""

    ms: float
    is_first: bool
    is_refused: bool


@dataclass
class Measured:
    """What one replay came to."""

    asked: list[Asked] = field(default_factory=list)
    kept: float = 0.0
    all: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def percentile(self, share: float, first: bool) -> str:
        """Of how long requests took, ms."""
        took = [each.ms for each in self.asked if each.is_first is first]
        return f"{np.percentile(took, share):.0f}" if took else "-"


def dashboards(count: int) -> list[Dashboard]:
    """Each looks at one rack; of every five two are alike, as people share links."""
    found = []
    for number in range(count):
        alike = number - 1 if number % 5 == 1 else number
        queries = [panel.format(filter=f'rack="rack-{alike % 10}"') for panel in PANELS]
        found.append(Dashboard(number, queries, RANGES_S[alike % len(RANGES_S)]))
    return found


async def replay(
    config: Config, shown: Sequence[Dashboard], seconds: float, headers: dict[str, str]
) -> list[Asked]:
    """Refresh all dashboards for so long, begun one after the other within the first ten seconds."""
    asked: list[Asked] = []
    limits = httpx.Limits(max_connections=100)
    base = f"http://{config.gateway.listen}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=limits) as client:

        async def ask(dashboard: Dashboard, form: dict[str, str], is_first: bool) -> None:
            # each is open in the browser of somebody else
            viewer = {"X-Grafana-User": f"user-{dashboard.number}", "X-Dashboard-Uid": str(dashboard.number)}
            began = time.perf_counter()
            answer = await client.post("/api/v1/query_range", data=form, headers=viewer)
            if answer.status_code not in (200, *BUSY):
                raise RuntimeError(f"{answer.status_code} {answer.text}")
            took = (time.perf_counter() - began) * 1000
            asked.append(Asked(took, is_first, answer.status_code in BUSY))

        async def refresh(dashboard: Dashboard) -> None:
            begin = time.monotonic() + REFRESH_S * dashboard.number / len(shown)
            for turn in range(max(2, int(seconds / REFRESH_S))):
                await asyncio.sleep(max(0.0, begin + turn * REFRESH_S - time.monotonic()))
                forms = dashboard.forms(time.time())
                await asyncio.gather(*(ask(dashboard, form, turn == 0) for form in forms))

        await asyncio.gather(*map(refresh, shown))
    return asked


def measure(
    stack: Stack, config: Config, shown: Sequence[Dashboard], seconds: float, headers: dict[str, str]
) -> Measured:
    """Replay on an empty Redis."""
    Redis.from_url(config.redis.url).flushall()
    usage = Usage(stack, {"Redis": stack.pid("redis")})
    before, began = lookups(config), time.monotonic()
    asked = asyncio.run(replay(config, shown, seconds, headers))
    took, after = time.monotonic() - began, lookups(config)
    cpu = usage.since_start()
    usage.stop()
    hit, miss = (after.get(result, 0.0) - before.get(result, 0.0) for result in ("hit", "miss"))
    return Measured(asked, hit, hit + miss, cpu, took)


def lookups(config: Config) -> dict[str, float]:
    """Series-steps that the gateway has answered, by whether they came from the cache."""
    text = httpx.get(f"http://{config.gateway.listen}/metrics").text
    return {
        sample.labels["result"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == LOOKUPS and sample.labels["cache"] == "results"
    }


def table(measured: dict[str, Measured], title: str) -> Table:
    """A column for each replay."""
    found = Table(title, *measured.keys())
    found.add_row("requests", *(f"{len(each.asked):,}" for each in measured.values()))
    found.add_row(
        "not answered in time",
        *(f"{sum(one.is_refused for one in each.asked):,}" for each in measured.values()),
    )
    found.add_row("series-steps", *(f"{each.all:,.0f}" for each in measured.values()))
    shares = (f"{100 * each.kept / each.all:.1f} %" if each.all else "-" for each in measured.values())
    found.add_row("from the cache", *shares)
    for first, word in ((True, "first refresh"), (False, "later refreshes")):
        for share in (50, 99):
            row = (each.percentile(share, first) for each in measured.values())
            found.add_row(f"{word}, p{share}, ms", *row)
    for name in ("gateway", "Cassandra", "Redis"):
        row = (f"{1000 * each.cpu.get(name, 0.0) / len(each.asked):.1f}" for each in measured.values())
        found.add_row(f"CPU of {name}, ms a request", *row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dashboards", type=int, default=50)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seconds", type=float, default=180.0)
    given = parser.parse_args()
    config = configuration("gateway", Layout(lanes=8, groups=4))
    # everybody asks from this address
    config = config.model_copy(update={"gateway": config.gateway.model_copy(update={"source_queries": 1000})})
    shown = dashboards(given.dashboards)
    with own_stack(config, STORES | {"redis", "gateway"}) as stack:
        session = connect(config.cassandra, timeout_s=60)
        history = History(config, session, given.hosts)
        history.fill(given.hours)
        history.begin()
        try:
            measured = {
                name: measure(stack, config, shown, given.seconds, headers)
                for name, headers in (("without", {"Cache-Control": "no-store"}), ("with the cache", {}))
            }
        finally:
            history.end()
            session.cluster.shutdown()
    title = f"{given.dashboards} dashboards, {history.series:,} series every {STEP_MS // 1000} s"
    Console(width=110).print(table(measured, title))


if __name__ == "__main__":
    main()
