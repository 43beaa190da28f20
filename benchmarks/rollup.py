"""The rollup job end to end, all levels: raw blocks, 1min, 5min, 1hour and 1day rollups with digests.

    python benchmarks/rollup.py [--series N...] [--samples MILLIONS] [--live]

Starts a stack of its own: brokers, stores and Flink on this machine, checkpoints every 10 s. Puts minutes of samples
into Kafka, every series every 5 s in batches of up to 1000 series, with collectors' clocks and heartbeats; a midnight
lies in the middle, so that hours and a day end too. Then starts the job and measures, after a quarter of the samples,
by Flink's own counters until nearly all are stored. With several numbers, a table of growth, each on a fresh stack.

--live: the highest rate at which the jobs keep up with collectors; see `live.py`.
"""

import argparse
import time
from dataclasses import dataclass, field

from flink_counters import FlinkCounters
from load import Replay, lanes_for
from own_stack import CLUSTER, configuration, own_stack
from rich.console import Console
from rich.table import Table
from usage import Usage

from schemas.units import MINUTE_MS
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack

STEP_MS = 5_000
DAY_MS = 86_400_000
WARM = 0.25
"""The share of the samples before the measurement begins; it ends when as much as TAIL is left."""
TAIL = 0.04
LOOK_S = 2.0
STALLED_S = 300.0
GROUPS = 4
SHOWN = ("Python workers", "Flink TaskManager", "Flink JobManager", "Kafka", "Cassandra")


@dataclass
class Run:
    """What a replay came to. cpu: seconds by process, peak: bytes by process, as of the measured samples."""

    series: int
    lanes: int
    samples: float = 0.0
    seconds: float = 0.0
    minutes: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds

    def cost(self, name: str) -> float:
        """Seconds of CPU of a process for a million samples."""
        return self.cpu.get(name, 0.0) / self.samples * 1e6


def replay(series: int, millions: float) -> Run:
    """Run the job over so many million samples."""
    lanes = lanes_for(series)
    config = configuration("rollup", Layout(lanes=lanes, groups=GROUPS))
    minutes = max(int(millions * 1e6 / (series * MINUTE_MS // STEP_MS)), 14)
    with own_stack(config, CLUSTER) as stack:
        produced = Replay(config, series, STEP_MS)
        began = time.monotonic()
        produced.produce(_start(minutes), minutes)
        samples = series * minutes * MINUTE_MS // STEP_MS
        print(
            f"{series} series, {minutes} minutes, {samples / 1e6:.1f} M samples,"
            f" {produced.bytes / samples:.1f} bytes each in Kafka, {time.monotonic() - began:.0f} s to put there"
        )
        return _measured(stack, config, Run(series, lanes), samples)


def _measured(stack: Stack, config: Config, run: Run, total: int) -> Run:
    counters = FlinkCounters(config)
    usage = Usage(stack)
    stack.start("rollup")
    stack.wait_ready({"rollup"})
    begun = _until(counters, total * WARM)
    usage.restart()
    began = time.monotonic()
    ended = _until(counters, total * (1 - TAIL))
    run.seconds = time.monotonic() - began
    run.cpu = usage.since_start()
    run.samples = ended - begun
    run.minutes = run.samples / (run.series * MINUTE_MS / STEP_MS)
    run.peak = usage.stop()
    return run


def _until(counters: FlinkCounters, wanted: float) -> float:
    """Wait until the job has stored so many samples; return how many it has.

    :raises RuntimeError: if it stores no more.
    """
    newest, moved = -1.0, time.monotonic()
    while newest < wanted:
        time.sleep(LOOK_S)
        found = counters.of("close minutes", "samples")["samples"]
        if found != newest:
            newest, moved = found, time.monotonic()
        elif time.monotonic() - moved > STALLED_S:
            raise RuntimeError(f"{newest:.0f} samples stored, and no more in {STALLED_S:.0f} s")
    return newest


def _start(minutes: int) -> int:
    """The start (ms) of as many minutes around the last midnight that is far enough back."""
    half = (minutes // 2 + 3) * MINUTE_MS
    midnight = (int(time.time() * 1000) - half) // DAY_MS * DAY_MS
    return midnight - minutes // 2 * MINUTE_MS


def tables(runs: list[Run]) -> list[Table]:
    """Speed, seconds of CPU for a million samples, and memory."""
    columns = [f"{run.series:,} series" for run in runs]
    speed = Table("the rollup job", *columns)
    speed.add_row("lanes x groups", *(f"{run.lanes} x {GROUPS}" for run in runs))
    speed.add_row("million samples/s", *(f"{run.rate / 1e6:.2f}" for run in runs))
    speed.add_row("measured over, s", *(f"{run.seconds:.0f}" for run in runs))
    speed.add_row("minute marks", *(f"{run.minutes:.0f}" for run in runs))
    cost = Table("CPU seconds per million samples", *columns)
    for name in SHOWN:
        cost.add_row(name, *(f"{run.cost(name):.3f}" for run in runs))
    cost.add_row("all", *(f"{sum(map(run.cost, SHOWN)):.3f}" for run in runs))
    memory = Table("memory at the peak, MB", *columns)
    for name in (*SHOWN[:2], *SHOWN[3:]):
        memory.add_row(name, *(f"{run.peak.get(name, 0) / 1e6:.0f}" for run in runs))
    return [speed, cost, memory]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, nargs="+", default=[20_000])
    parser.add_argument(
        "--samples", type=float, default=60.0, help="millions; at least 14 minutes are replayed"
    )
    parser.add_argument("--live", action="store_true", help="keep up with collectors instead")
    parser.add_argument("--rates", type=int, nargs="+", help="of --live, thousand samples a second")
    arguments = parser.parse_args()
    console = Console(width=110)
    if arguments.live:
        import live

        console.print(live.highest_rate(arguments.series[0], arguments.rates))
        return
    for table in tables([replay(series, arguments.samples) for series in arguments.series]):
        console.print(table)


if __name__ == "__main__":
    main()
