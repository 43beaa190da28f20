"""`streamgauge demo`: the system monitors itself until a metric has passed through the whole pipeline."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import yaml
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from schemas.tables import Resolution
from streamgauge.clients.no_redirects import get_json
from streamgauge.config import Config
from streamgauge.local.stack import Stack, StackError
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.process import last_lines
from streamgauge.rollup.rollups import Rollups
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.store.session import connected
from streamgauge.terminal import terminal
from streamgauge.times import now_ms

METRIC = "flink_jobmanager_Status_JVM_Memory_Heap_Used"
SHOWN = 6
COLUMNS = ("count", "min", "sum", "max", "p99")
LOOK_BACK_MS = 6 * 3_600_000
ARRIVAL_TIMEOUT_S = 240.0
POLL_S = 1.0
MEGABYTE = 2**20


def with_targets(config: Config) -> Config:
    """The configuration with the stack's own exporters to scrape, unless it names other targets."""
    if config.collector.scrape_config is not None:
        return config
    home = Home(config.local.home)
    home.make()
    file = home.conf / "scrape.yml"
    jobmanager, taskmanager = config.local.flink_metrics_ports
    targets = {
        "jobmanager": f"127.0.0.1:{jobmanager}",
        "taskmanager": f"127.0.0.1:{taskmanager}",
        "collector": config.collector.listen,
        "gateway": config.gateway.listen,
    }
    if config.notify.alertmanagers:
        targets["notify"] = config.notify.listen
    jobs = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in targets.items()]
    file.write_text(
        yaml.safe_dump({"global": {"scrape_interval": "5s", "scrape_timeout": "4s"}, "scrape_configs": jobs})
    )
    collector = config.collector.model_copy(update={"scrape_config": file})
    return config.model_copy(update={"collector": collector})


def run(config: Config, report: Callable[[str], None]) -> None:
    """Start everything, wait for a scraped series to show as raw samples and as rollups, and print both.

    :raises StackError: something does not start, or the series does not arrive in time.
    """
    stack = Stack(with_targets(config))
    stack.up(report=report)
    since = time.time()
    report(f"waiting for samples of {METRIC} at the gateway")
    samples = _await(lambda: _samples(config, since), stack, "collector")
    with connected(config.cassandra) as session:
        reader = Reader(session, config.shards, config.storage_classes)
        report("waiting for its first sealed minute")
        rollups = _await(lambda: _rollups(reader), stack, "rollup")
    terminal().print(_summary(config, samples, rollups))


def _await(look: Callable[[], Any], stack: Stack, suspect: str) -> Any:
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while not (found := look()):
        if time.monotonic() > deadline:
            log = stack.home.log(suspect)
            raise StackError(
                "\n".join([f"{METRIC} did not arrive", *last_lines(log, 15), f"whole log: {log}"])
            )
        time.sleep(POLL_S)
    return found


def _samples(config: Config, since: float) -> list[tuple[float, float]]:
    """Time in s and value of the newest samples, once one is newer than `since`."""
    query = urlencode({"query": f"{METRIC}[1m]"})
    try:
        answer: Any = get_json(f"{config.gateway.url}/api/v1/query?{query}")
    except (OSError, ValueError):
        return []
    newest = [
        (float(at), float(value)) for series in answer["data"]["result"] for at, value in series["values"]
    ]
    newest = sorted(newest)[-SHOWN:]
    return newest if newest and newest[-1][0] > since else []


def _rollups(reader: Reader) -> Rollups | None:
    now = now_ms()
    series = reader.select([Matcher("__name__", MatchOp.EQUAL, METRIC)], now - LOOK_BACK_MS, now)
    # later minutes would be those of the head
    sealed_to = min(reader.blocks.progress(Resolution.MIN1, ReadContext()).values(), default=0)
    last = sealed_to - Resolution.MIN1.value.width_ms
    rollups = reader.rollups(series, Resolution.MIN1, now - LOOK_BACK_MS, last, COLUMNS)
    return rollups if len(rollups.window_starts) else None


def _summary(config: Config, samples: list[tuple[float, float]], rollups: Rollups) -> Group:
    raw = Table(box=None)
    raw.add_column("time")
    raw.add_column("value", justify="right")
    for at, value in samples:
        raw.add_row(_clock(at, "%H:%M:%S"), f"{value / MEGABYTE:.1f}")
    minutes = Table(box=None)
    for heading in ("minute", "count", "min", "avg", "max", "p99"):
        minutes.add_column(heading, justify="left" if heading == "minute" else "right")
    by = rollups.columns
    for row in range(max(0, len(rollups.window_starts) - SHOWN), len(rollups.window_starts)):
        count = int(by["count"][row])
        values = [by["min"][row], by["sum"][row] / count, by["max"][row], by["p99"][row]]
        minute = _clock(rollups.window_starts[row] / 1000, "%H:%M")
        minutes.add_row(minute, str(count), *(f"{float(value) / MEGABYTE:.1f}" for value in values))
    addresses = Table.grid(padding=(0, 2))
    addresses.add_row("Web UI and Prometheus's API", f"{config.gateway.url}/")
    addresses.add_row("Collector", f"http://{config.collector.listen}/")
    addresses.add_row("Flink", config.flink.rest)
    addresses.add_row("Stop", "make stop")
    parts: list[RenderableType] = [
        "",
        f"{METRIC} in MB, its newest samples",
        raw,
        "",
        "and its last 1-minute rollups",
        minutes,
        "",
    ]
    return Group(*parts, Panel.fit(addresses, title="running"))


def _clock(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds).strftime(form)
