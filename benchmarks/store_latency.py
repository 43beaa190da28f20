"""How long a sample takes until a query shows it, while 50,000 others a second go the same way.

    python benchmarks/store_latency.py [--rate 50000] [--seconds 90]

A stack of its own with the store job, 48 lanes, 4 collectors and the gateway. Clients push 100,000 series by remote
write, 2000 a request, and single samples are followed: pushed to one collector after the other, and asked for every
few milliseconds. Prints the parts of the way.
"""

import argparse
import contextlib
import time

import numpy as np
from feeder import feeding
from flink_counters import FlinkCounters
from own_stack import CLUSTER, configuration, own_stack
from probes import Prober, more_collectors
from rich.console import Console
from rich.table import Table
from usage import Usage

from streamgauge.config import Layout
from streamgauge.local.servers.ports import free_ports

COLLECTORS = 4
LANES = 48
SERIES = 100_000
PROBES = 16
INDEXED_PENDING = 500
"""Messages that may wait when the series are in the index and the measurement begins."""
SETTLE_S = 15.0


def wait_until_indexed(counters: FlinkCounters, timeout_s: float = 240.0) -> None:
    """Return when the store job has caught up for some seconds.

    :raises RuntimeError: if it does not.
    """
    until, good = time.monotonic() + timeout_s, 0
    time.sleep(SETTLE_S)
    while good < 5:
        pending = counters.of("raw batches", "pendingRecords")["pendingRecords"]
        good = good + 1 if pending < INDEXED_PENDING else 0
        if time.monotonic() > until:
            raise RuntimeError(f"the store job does not keep up: {pending:.0f} messages wait")
        time.sleep(1)


def latency_table(title: str, parts: dict[str, np.ndarray]) -> Table:
    """p50 and p99 of each part."""
    count = len(parts["all"])
    table = Table(f"{title}, ms", "p50", "p99", "most", caption=f"{count} samples")
    for name, took in parts.items():
        table.add_row(name, *(f"{np.percentile(took, share):.0f}" for share in (50, 99, 100)))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=50_000, help="samples a second")
    parser.add_argument("--seconds", type=float, default=90.0)
    given = parser.parse_args()
    config = configuration("latency", Layout(lanes=LANES, groups=4))
    more = [f"127.0.0.1:{port}" for port in free_ports(COLLECTORS - 1)]
    addresses = [config.collector.listen, *more]
    parts = CLUSTER | {"store", "gateway", "redis", "collector"}
    console = Console(width=110)
    with (
        own_stack(config, parts) as stack,
        more_collectors(stack, more) as pids,
        contextlib.ExitStack() as fed,
    ):
        share = SERIES // COLLECTORS
        feeders = [
            fed.enter_context(
                feeding(
                    f"http://{address}/api/v1/write",
                    range(number * share, (number + 1) * share),
                    SERIES / given.rate,
                )
            )
            for number, address in enumerate(addresses)
        ]
        counters = FlinkCounters(config)
        wait_until_indexed(counters)
        prober = Prober(config, addresses, range(PROBES))
        prober.warm()
        usage = Usage(stack, {f"collector {n + 2}": pid for n, pid in enumerate(pids)})
        before = counters.of("store head", "samples", "batches")
        began = time.monotonic()
        prober.run(given.seconds)
        took = time.monotonic() - began
        after = counters.of("store head", "samples", "batches")
        cpu = usage.since_start()
        usage.stop()
        fed_ = [feeder.end() for feeder in feeders]
        console.print(latency_table("a sample's way", prober.parts()))
        rates = {name: (after[name] - before[name]) / took for name in after}
        console.print(
            f"stored {rates['samples']:,.0f} samples/s in {rates['batches']:,.0f} batches/s;"
            f" refused {sum(each['refused'] for each in fed_):.0f}; CPU seconds a second: "
            + ", ".join(f"{name} {seconds / took:.2f}" for name, seconds in cpu.items())
        )


if __name__ == "__main__":
    main()
