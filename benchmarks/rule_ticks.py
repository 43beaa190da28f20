"""What many rules cost at each tick: CPU seconds in the shards and in the merge of the groups.

    python benchmarks/rule_ticks.py [--rules 10000] [--series 20000] [--shards 4] [--ticks 12]

The rules are a quarter each thresholds, rates, averages by a label, and quantiles of histograms. Each looks at the
series of one job: hosts have gauges, counters and a histogram. Every series gets a sample every 10 s, and every group
is due then. All is in memory, in one thread; nothing of Kafka or Flink is in the figures.
"""

import argparse
import time
from collections.abc import Iterator, Mapping

import numpy as np

from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.machine.alerts import Failure, Result
from streamgauge.rules.machine.compiled import EvaluationContext
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.rules.stream.merging.merge import GroupMerge
from streamgauge.rules.stream.samples.window import Window
from streamgauge.rules.stream.shard.shard_rules import ShardRules
from streamgauge.series.ids import ID_BYTES, from_bytes, lanes_of, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples, order_of, take

EVERY_MS = 10_000
HISTORY = 30
"""Samples of each series before the first tick."""
BOUNDS = ("0.01", "0.05", "0.1", "0.5", "1", "5", "10", "+Inf")
CODES = ("200", "400", "404", "500")
HOSTS_A_JOB = 10
RULES_A_GROUP = 100
LIMITS = (1000, 10)
"""What a condition compares with; the second one is often passed."""
SERIES_A_HOST = 2 + len(BOUNDS) + 2 * len(CODES)


def series(hosts: int) -> Iterator[Mapping[str, str]]:
    """The label sets of all hosts."""
    for host in range(hosts):
        own = {"host": f"h{host}", "job": f"j{host // HOSTS_A_JOB}", "dc": f"d{host % 3}"}
        for name in ("cpu", "memory"):
            yield {"__name__": name, **own}
        for name in ("requests_total", "errors_total"):
            yield from ({"__name__": name, **own, "code": code} for code in CODES)
        yield from ({"__name__": "latency_bucket", **own, "le": bound} for bound in BOUNDS)


def rules(count: int, jobs: int) -> Iterator[Rule]:
    """Alerts of four kinds, of which a few fire."""
    kinds = (
        'cpu{{job="j{job}"}} > {number}',
        'rate(requests_total{{job="j{job}",code="500"}}[5m]) > {number}',
        'avg by (job) (memory{{job="j{job}"}}) > {number}',
        'histogram_quantile(0.99, sum by (le, job) (rate(latency_bucket{{job="j{job}"}}[5m]))) > {number}',
    )
    for at in range(count):
        expression = kinds[at % len(kinds)].format(job=at // len(kinds) % jobs, number=LIMITS[at % 101 == 0])
        yield Rule(
            RuleKind.ALERT, f"alert{at}", expression, {"severity": "page"}, {"summary": "{{ $value }}"}
        )


class Feed:
    """Samples of all series at one time after the other, for each shard."""

    def __init__(self, hosts: int, shards: int) -> None:
        data = [canonical(labels) for labels in series(hosts)]
        packed = b"".join(series_id(one) for one in data)
        ids = from_bytes(packed)
        order = order_of(ids)
        self._ids = ids[order]
        self.labels = {packed[at * ID_BYTES : (at + 1) * ID_BYTES]: one for at, one in enumerate(data)}
        self._rows = [np.flatnonzero(lanes_of(self._ids, shards) == shard) for shard in range(shards)]
        self._random = np.random.default_rng(1)
        self._values = self._random.uniform(0, 100, len(data))

    def next(self, at: int) -> list[Samples]:
        """The samples at a time in ms."""
        count = len(self._values)
        # counters rise, gauges stay well below most thresholds
        self._values += self._random.uniform(0, 0.5, count)
        times = np.full(count, at, np.int64)
        samples = Samples(self._ids, np.arange(count + 1), times, self._values.copy())
        return [take(samples, rows) for rows in self._rows]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--ticks", type=int, default=12)
    options = parser.parse_args()
    hosts = max(HOSTS_A_JOB, options.series // SERIES_A_HOST)
    all_rules = list(rules(options.rules, hosts // HOSTS_A_JOB))
    groups = {
        f"g{at}": Group(f"g{at}", all_rules[at : at + RULES_A_GROUP], interval_ms=EVERY_MS)
        for at in range(0, len(all_rules), RULES_A_GROUP)
    }
    terms = Terms(EvaluationContext())
    began = time.process_time()
    shards = [ShardRules(RuleSet("v", 0, groups), terms, shard) for shard in range(options.shards)]
    merges = {key: GroupMerge(group, "v", terms) for key, group in shards[0].groups.items()}
    print(f"compiled in {time.process_time() - began:.1f} s CPU")
    windows = [Window() for _ in shards]
    for window, shard in zip(windows, shards, strict=True):
        window.register(shard.reaches)
    feed = Feed(hosts, options.shards)
    began = time.process_time()
    for at in range(HISTORY):
        put(windows, feed, at * EVERY_MS)
    print(
        f"{sum(window.series for window in windows):,} series, {sum(w.nbytes for w in windows) / 2**20:.0f} MiB"
    )
    spent: dict[str, list[float]] = {"put": [], "shards": [], "merge": []}
    size = firing = failed = 0
    for at in range(HISTORY, HISTORY + options.ticks):
        tick = at * EVERY_MS
        marks = [time.process_time()]
        put(windows, feed, tick)
        marks.append(time.process_time())
        parts = [shard.evaluate(window, tick) for shard, window in zip(shards, windows, strict=True)]
        marks.append(time.process_time())
        found = [
            outcome
            for key, merge in merges.items()
            for outcome in merge.results(tick, [part[key] for part in parts])
        ]
        marks.append(time.process_time())
        for window in windows:
            window.prune(tick)
        for name, begin, end in zip(spent, marks, marks[1:], strict=False):
            spent[name].append(end - begin)
        size = sum(len(part) for shard in parts for part in shard.values())
        firing = sum(len(one.alerting) for one in found if isinstance(one, Result))
        failed = sum(isinstance(one, Failure) for one in found)
    print(
        f"{firing:,} series fulfil conditions, {failed} rules failed, {size / 1024:,.0f} KiB of partials a tick"
    )
    for name, seconds in spent.items():
        each = float(np.median(seconds[1:]))
        a_rule = f"{1e6 * each / options.rules:8.1f} us a rule"
        print(f"{name:8}{1000 * each:8.1f} ms CPU a tick{a_rule}   the first {seconds[0]:.2f} s")


def put(windows: list[Window], feed: Feed, at: int) -> None:
    """Give each window its samples of one time."""
    for window, samples in zip(windows, feed.next(at), strict=True):
        window.put(feed.labels, samples)


if __name__ == "__main__":
    main()
