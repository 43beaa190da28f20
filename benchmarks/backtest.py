"""How long a backtest takes, next to the same rules evaluated tick by tick.

    python benchmarks/backtest.py

A day of samples every minute, as arrays; reading them from the store comes on top (benchmarks/read.py). Tick by tick
is measured over ten minutes and stands here for the whole day.
"""

import time
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from streamgauge.rules.backtest.run import Backtest, Span
from streamgauge.rules.backtest.stretch import cut
from streamgauge.rules.files.reader import parse
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import Evaluation, FromSource
from streamgauge.series.labels import NAME, canonical
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples, empty

MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
START = 1_700_000_000_000 // DAY_MS * DAY_MS
TICKS = 10
BUCKETS = ("0.01", "0.1", "0.5", "1", "+Inf")
KINDS = {
    "threshold": "temperature > {limit}",
    "rate": "rate(requests_total[5m]) > {limit}",
    "avg by": "avg by (service) (rate(requests_total[5m])) > {limit} / 10",
    "percentile": "histogram_quantile(0.99, sum by (le, service) (rate(seconds_bucket[5m]))) > {limit} / 90",
    "recorded": "service:requests:rate > {limit} * 4",
}


class Arrays:
    """A day of four metrics, 500 hosts: gauges, counters, histograms, and whether a host is up."""

    def __init__(self, hosts: int) -> None:
        random = np.random.default_rng(1)
        self._times = START + MINUTE_MS * np.arange(-10, 1441, dtype=np.int64)
        count = len(self._times)
        places = [
            {"instance": f"host-{at}:9100", "service": f"s{at % 20}", "job": "node"} for at in range(hosts)
        ]
        waves = np.sin(np.arange(count) / 100 + np.arange(hosts)[:, None])
        counts = random.integers(0, 600, (hosts, count)).cumsum(axis=1).astype(np.float64)
        self._found = {
            "temperature": self._metric(
                places, "temperature", 60 + 30 * waves + random.normal(0, 1, (hosts, count))
            ),
            "requests_total": self._metric(places, "requests_total", counts),
            "up": self._metric(places, "up", (random.random((hosts, count)) > 0.001).astype(np.float64)),
        }
        rows = [{**one, "le": le} for one in places[: hosts // 5] for le in BUCKETS]
        steps = random.integers(0, 9, (hosts // 5, len(BUCKETS), count)).cumsum(axis=2).cumsum(axis=1)
        self._found["seconds_bucket"] = self._metric(
            rows, "seconds_bucket", steps.reshape(-1, count).astype(np.float64)
        )
        self.series = sum(len(labels) for labels, _ in self._found.values())

    def _metric(
        self, rows: list[dict[str, str]], name: str, values: np.ndarray
    ) -> tuple[list[bytes], Samples]:
        ids = np.array([(0, row) for row in range(len(rows))], np.uint64)
        offsets = np.arange(len(rows) + 1, dtype=np.int64) * len(self._times)
        samples = Samples(ids, offsets, np.tile(self._times, len(rows)), values.ravel())
        return [canonical({NAME: name, **row}) for row in rows], samples

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """The metric of the first matcher; nothing under another name."""
        return cut(*self._found.get(matchers[0].value, ([], empty())), start_ms, end_ms)


def rule_file(count: int) -> str:
    """So many alerts of all kinds, and a recording rule."""
    lines = ["groups: [{name: g, interval: 1m, rules: ["]
    lines.append("{record: 'service:requests:rate', expr: 'sum by (service) (rate(requests_total[5m]))'},")
    lines.append("{alert: Down, expr: 'up == 0', for: 2m},")
    for at in range(count):
        kind = list(KINDS)[at % len(KINDS)]
        expression = KINDS[kind].format(limit=86 + 6 * at / count)
        text = "'{{ $labels.instance }} at {{ $value }}'"
        lines.append(f"{{alert: 'A{at}', expr: '{expression}', for: 5m, annotations: {{summary: {text}}}}},")
    return "\n".join([*lines, "]}]"])


def main() -> None:
    """Print the table."""
    table = Table(title="A day at 1 minute", box=None)
    for name in ("rules", "series", "evaluations", "queries", "alerts", "wall", "CPU", "tick by tick, CPU"):
        table.add_column(name, justify="right")
    for count, hosts in ((20, 100), (50, 500)):
        source = Arrays(hosts)
        groups = [compile_group(group) for group in parse("rules.yml", rule_file(count)).rules.groups]
        context = EvaluationContext()
        Backtest(groups, source, context, Span(START, START + 3 * MINUTE_MS)).run()
        wall, cpu = time.perf_counter(), time.process_time()
        report = Backtest(groups, source, context, Span(START, START + DAY_MS)).run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        ticking = time.process_time()
        for tick in range(START, START + TICKS * MINUTE_MS, MINUTE_MS):
            for rule in groups[0].rules:
                evaluation = Evaluation(FromSource(source, context), context, tick)
                if rule.is_alert and "service:" not in rule.rule.expr:
                    evaluation.observe(rule)
        ticking = (time.process_time() - ticking) * 1440 / TICKS
        rules = len(groups[0].rules)
        cells = (rules, source.series, report.evaluations, report.queries, len(report.fired))
        table.add_row(*(f"{cell:,}" for cell in cells), f"{wall:.1f} s", f"{cpu:.1f} s", f"{ticking:.0f} s")
    Console().print(table)


if __name__ == "__main__":
    main()
