"""The highest rate at which the jobs keep up with a collector: `rollup.py --live`.

A stack of its own with all jobs and the gateway. Clients push every series by remote write, each rate for some
minutes; a rate is kept up with if in its second half the messages that wait in Kafka do not grow, every minute is
sealed soon after its end, and no client falls behind.
"""

import time
from dataclasses import dataclass

from feeder import feeding
from flink_counters import FlinkCounters
from load import lanes_for
from own_stack import CLUSTER, configuration, own_stack
from rich.table import Table
from store_latency import wait_until_indexed
from usage import Usage

from schemas.tables import Resolution
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack
from streamgauge.store.progress import ProgressStore
from streamgauge.store.session import connect

RATES = (40, 80, 120, 160)
"""Thousand samples a second."""
JOBS = ("store", "rollup")
HOLD_S = 150.0
"""Over two minute marks."""
LOOK_S = 1.0
WARM_STEP_S = 20.0
BEHIND_S = 5.0
SEALED_WITHIN_S = 30.0
"""How long after its end a minute may be sealed."""
GROWTH_S = 2.0
"""Seconds of messages by which what waits may differ between the halves."""


@dataclass
class Held:
    """What one rate came to."""

    rate: int
    acknowledged: float
    stored: float
    pending: dict[str, tuple[float, float]]
    sealed_after_s: float
    behind_s: float
    messages_s: float
    cpu: dict[str, float]

    @property
    def kept_up(self) -> bool:
        """Whether nothing grew."""
        grew = any(late - early > GROWTH_S * self.messages_s for early, late in self.pending.values())
        return not grew and self.sealed_after_s < SEALED_WITHIN_S and self.behind_s < BEHIND_S


def highest_rate(series: int, rates: list[int] | None) -> Table:
    """Try one rate after the other until one is too high."""
    config = configuration("live", Layout(lanes=lanes_for(series), groups=4))
    with own_stack(config, CLUSTER | {"store", "rollup", "collector", "gateway", "redis"}) as stack:
        url = f"http://{config.collector.listen}/api/v1/write"
        # all series are in the index and all kernels are compiled
        with feeding(url, range(series), WARM_STEP_S):
            wait_until_indexed(FlinkCounters(config), timeout_s=400.0)
            time.sleep(70)
        found: list[Held] = []
        for rate in rates or RATES:
            found.append(_hold(stack, config, series, rate * 1000))
            if not found[-1].kept_up:
                break
    return _table(series, found)


def _hold(stack: Stack, config: Config, series: int, rate: int) -> Held:
    counters = FlinkCounters(config)
    url = f"http://{config.collector.listen}/api/v1/write"
    session = connect(config.cassandra)
    progress = ProgressStore(session)
    with feeding(url, range(series), series / rate) as feeder:
        usage = Usage(stack, {"clients": feeder.pid})
        begun = counters.of("store head", "samples", "batches")
        began = time.monotonic()
        waiting: list[dict[str, float]] = []
        sealed_after_s = 0.0
        while time.monotonic() - began < HOLD_S:
            time.sleep(LOOK_S)
            waiting.append(
                {job: counters.of("raw batches", "pendingRecords", job=job)["pendingRecords"] for job in JOBS}
            )
            if time.monotonic() - began > HOLD_S / 2:
                behind = time.time() - min(progress.read(Resolution.MIN1).values()) / 1000
                # a minute that has just ended is a minute and more behind
                sealed_after_s = max(sealed_after_s, behind - 60)
        took = time.monotonic() - began
        ended = counters.of("store head", "samples", "batches")
        cpu = {name: seconds / took for name, seconds in usage.since_start().items()}
        usage.stop()
        fed = feeder.end()
    session.cluster.shutdown()
    half = len(waiting) // 2
    quarters = waiting[half : half + half // 2], waiting[half + half // 2 :]
    pending = {job: (_mean(quarters[0], job), _mean(quarters[1], job)) for job in JOBS}
    return Held(
        rate,
        fed["samples"] / took,
        (ended["samples"] - begun["samples"]) / took,
        pending,
        sealed_after_s,
        fed["behind_s"],
        (ended["batches"] - begun["batches"]) / took,
        cpu,
    )


def _mean(waiting: list[dict[str, float]], job: str) -> float:
    return sum(each[job] for each in waiting) / max(1, len(waiting))


def _table(series: int, found: list[Held]) -> Table:
    table = Table(f"{series:,} series, all jobs", *(f"{held.rate:,} samples/s" for held in found))
    table.add_row("kept up", *("yes" if held.kept_up else "no" for held in found))
    table.add_row("acknowledged, samples/s", *(f"{held.acknowledged:,.0f}" for held in found))
    table.add_row("stored in the head, samples/s", *(f"{held.stored:,.0f}" for held in found))
    table.add_row("messages/s", *(f"{held.messages_s:,.0f}" for held in found))
    for job in JOBS:
        table.add_row(
            f"messages that wait for {job}",
            *("{:.0f}, then {:.0f}".format(*held.pending[job]) for held in found),
        )
    table.add_row("a minute is sealed after, s", *(f"{held.sealed_after_s:.0f}" for held in found))
    table.add_row("clients behind, s", *(f"{held.behind_s:.1f}" for held in found))
    for name in found[0].cpu:
        table.add_row(f"cores of {name}", *(f"{held.cpu.get(name, 0.0):.2f}" for held in found))
    return table
