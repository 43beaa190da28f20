"""Samples per second of CPU beside vmagent's stream aggregation, both fed the same samples by remote write.

    python benchmarks/vmagent.py [--series 100000] [--speed 5] [--flushes 5] [--warm 2] [--linger 20]

Ours: collector, Flink with the rollup job, its Python workers; Kafka and Cassandra are shown beside them. Theirs: one
vmagent process that aggregates each series by minutes (count_samples, sum_samples, min, max, last, and the
quantiles 0.5, 0.95 and 0.99) and sends the result to a server that throws it away.

Every series has a sample every 5 s. Time runs faster than it does, for both: our collector's clock, and vmagent's
interval, which is a minute divided by the speed. Needs vmagent, which `scripts/vmagent` builds, or one on the PATH.
"""

import argparse
import contextlib
import http.server
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import psutil
from feeder import feeding
from flink_counters import FlinkCounters
from load import lanes_for
from own_stack import CLUSTER, configuration, own_stack
from rich.console import Console
from rich.table import Table
from usage import FLINK, Usage

from streamgauge.cache_folder import cache
from streamgauge.config import Layout
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.servers.service import answers, environment
from streamgauge.local.stack import Stack
from streamgauge.local.supervision.home import ROOT

STEP_S = 5
MINUTE_S = 60
LAG_MS = 10_000
"""Of simulated time: a real delay of the machine is a long one there."""
MARK_TIMEOUT_S = 120.0
BACK_MS = 3 * 3_600_000
"""How far back simulated time begins."""
OUTPUTS = "[count_samples, sum_samples, min, max, last, 'quantiles(0.5, 0.95, 0.99)']"
OURS = ("collector", *FLINK)


def binary() -> str | None:
    """Where vmagent is, if it is there."""
    own = cache() / "vmagent"
    return str(own) if own.exists() else shutil.which("vmagent")


def ours(series: int, speed: float, flushes: int, warm: int, linger: int) -> tuple[float, dict[str, float]]:
    """Samples that were closed in minutes, and the seconds of CPU they took by process.

    :param warm: minutes before the first that is measured. :param linger: the collector's `linger_ms`.
    """
    config = configuration("vmagent", Layout(lanes=lanes_for(series), groups=4), lag_ms=LAG_MS)
    config = config.model_copy(
        update={"collector": config.collector.model_copy(update={"linger_ms": linger})}
    )
    with own_stack(config, CLUSTER | {"rollup"}) as stack:
        origin = (int(time.time() * 1000) - BACK_MS) // 60_000 * 60_000
        with _collector(stack, origin, speed) as (pid, began):
            counters = FlinkCounters(config)
            url = f"http://{config.collector.listen}/api/v1/write"
            usage = Usage(stack, {"collector": pid})
            with feeding(url, range(series), STEP_S / speed, (origin, began, speed)):
                return _marks(counters, usage, warm, flushes, MINUTE_S / speed)


def _marks(
    counters: FlinkCounters, usage: Usage, warm: int, flushes: int, interval_s: float
) -> tuple[float, dict[str, float]]:
    """From after one minute mark to after another: a mark is over when the counter stands still again."""
    begun, ended = 0.0, 0.0
    for mark in range(warm + flushes):
        ended = _after_a_mark(counters, interval_s / 4)
        if mark == warm - 1:
            begun = ended
            usage.restart()
    cpu = usage.since_start()
    usage.stop()
    late = counters.of("close minutes", "late_batches")["late_batches"]
    if late:
        print(f"{late:.0f} batches came late: the machine is too busy to measure this", file=sys.stderr)
    return ended - begun, cpu


def _after_a_mark(counters: FlinkCounters, quiet_s: float) -> float:
    """How many samples are closed when the next mark is over.

    :raises RuntimeError: if one mark begins before another is over.
    """
    began = moved = time.monotonic()
    before = newest = counters.of("close minutes", "samples")["samples"]
    while newest == before or time.monotonic() - moved < quiet_s:
        time.sleep(0.25)
        found = counters.of("close minutes", "samples")["samples"]
        if found != newest:
            newest, moved = found, time.monotonic()
        if moved - began > MARK_TIMEOUT_S:
            raise RuntimeError("minutes are closed all the time: the machine is too busy for this rate")
    return newest


@contextlib.contextmanager
def _collector(stack: Stack, origin: int, speed: float) -> Iterator[tuple[int, float]]:
    """A collector with a fast clock: its process id, and when the clock began to run (s)."""
    started = stack.home.run / "clock"
    command = [
        sys.executable,
        "-m",
        "integration.support.fast_collector",
        str(stack.home.config),
        str(started),
    ]
    command += [str(origin), repr(speed), str(origin + BACK_MS)]
    with stack.home.log("collector").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment(stack.home))
    try:
        while not answers(f"http://{stack.config.collector.listen}/-/ready"):
            if process.poll() is not None:
                raise RuntimeError(f"the collector does not start, see {stack.home.log('collector')}")
            time.sleep(0.2)
        began = time.time()
        unfinished = started.with_suffix(".new")
        unfinished.write_text(repr(began))
        unfinished.replace(started)
        yield process.pid, began
    finally:
        process.terminate()
        process.wait(60)


def theirs(program: str, series: int, speed: float, flushes: int) -> tuple[float, float]:
    """Samples that vmagent took between flushes, and the seconds of CPU it used."""
    interval = MINUTE_S / speed
    folder = ROOT / ".streamgauge" / "bench-vmagent"
    folder.mkdir(parents=True, exist_ok=True)
    rules = folder / "aggregation.yml"
    rules.write_text(f"- interval: {interval:.3f}s\n  outputs: {OUTPUTS}\n")
    port = free_ports(1)[0]
    with _sink() as sink:
        command = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-remoteWrite.url=http://{sink}/"]
        command += [f"-streamAggr.config={rules}", f"-remoteWrite.tmpDataPath={folder / 'vmagent'}"]
        with (folder / "vmagent.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while not answers(f"http://127.0.0.1:{port}/health"):
                time.sleep(0.1)
            url = f"http://127.0.0.1:{port}/api/v1/write"
            with feeding(url, range(series), STEP_S / speed):
                time.sleep(2 * interval)
                before, cpu = _taken(port), _seconds(process.pid)
                time.sleep(flushes * interval)
                return _taken(port) - before, _seconds(process.pid) - cpu
        finally:
            process.terminate()
            process.wait(60)
            shutil.rmtree(folder / "vmagent", ignore_errors=True)


def _taken(port: int) -> float:
    """The samples that came into aggregation."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("vm_streamaggr_matched_samples_total")
    )


def _seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


class _Nothing(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it and forget it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def _sink() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def table(ours_: tuple[float, dict[str, float]], theirs_: tuple[float, float], about: str) -> Table:
    """Samples per second of CPU of both."""
    samples, cpu = ours_
    counted = sum(cpu.get(name, 0.0) for name in OURS)
    other, other_cpu = theirs_
    shown = Table(about, "samples", "CPU seconds", "samples per CPU second")
    for name in OURS:
        shown.add_row(f"  {name}", "", f"{cpu.get(name, 0.0):.1f}", "")
    shown.add_row("collector and Flink", f"{samples:,.0f}", f"{counted:.1f}", f"{samples / counted:,.0f}")
    shown.add_row("vmagent", f"{other:,.0f}", f"{other_cpu:.1f}", f"{other / other_cpu:,.0f}")
    shown.add_row("ours to theirs", "", "", f"{samples / counted / (other / other_cpu):.2f}")
    for name in ("Kafka", "Cassandra"):
        shown.add_row(f"  {name}, beside", "", f"{cpu.get(name, 0.0):.1f}", "")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--speed", type=float, default=5.0)
    parser.add_argument("--flushes", type=int, default=5, help="minutes that are measured, at least 3")
    parser.add_argument("--warm", type=int, default=2, help="minutes of ours before them, at least 1")
    parser.add_argument("--linger", type=int, default=20, help="the collector's linger_ms")
    given = parser.parse_args()
    program = binary()
    if program is None:
        print(f"not measured: there is no vmagent in {cache()} or on the PATH; scripts/vmagent builds it")
        return
    other = theirs(program, given.series, given.speed, given.flushes)
    own = ours(given.series, given.speed, given.flushes, given.warm, given.linger)
    about = f"{given.series:,} series, {given.series * given.speed / STEP_S:,.0f} samples/s"
    Console(width=110).print(table(own, other, about))


if __name__ == "__main__":
    main()
