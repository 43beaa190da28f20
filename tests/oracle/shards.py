"""Rules evaluated in shards and merged, tick by tick, as the alert job does."""

from random import Random

import numpy as np

from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.machine.alerts import Failure, RuleState, step
from streamgauge.rules.machine.evaluation import alert_series
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.rules.stream.merging.merge import GroupMerge
from streamgauge.rules.stream.samples.window import Window
from streamgauge.rules.stream.shard.shard_rules import ShardRules
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.samples import STALE, Samples


class Shards:
    """Windows that samples are put into, all of equal labels but the name into one; which one is random."""

    def __init__(self, count, reaches, seed=0):
        self.windows = [Window() for _ in range(count)]
        for window in self.windows:
            window.register(reaches)
        self._random = Random(seed)
        self._of_labels = {}

    def put(self, labels, times, values):
        """Put in samples of one series."""
        if not len(times):
            return
        rest = frozenset(item for item in labels.items() if item[0] != "__name__")
        shard = self._of_labels.setdefault(rest, self._random.randrange(len(self.windows)))
        data = canonical(labels)
        identity = series_id(data)
        self.windows[shard].put(
            {identity: data},
            Samples(
                from_bytes(identity),
                np.array([0, len(times)], np.int64),
                np.array(times, np.int64),
                np.array(values, np.float64),
            ),
        )


class StreamRun:
    """What GroupRun does, but in shards. store: where what is recorded goes too."""

    def __init__(self, groups, count, context, store, seed=0, metadata_labels=False):
        self.terms = Terms(context, metadata_labels)
        rules = RuleSet("v1", 0, groups)
        self.shards = [ShardRules(rules, self.terms, number) for number in range(count)]
        assert not self.shards[0].faults
        self.windows = Shards(count, self.shards[0].reaches, seed)
        self.store = store
        self.merges = {
            key: GroupMerge(group, "v1", self.terms, store) for key, group in self.shards[0].groups.items()
        }
        self.states = {key: [RuleState() for _ in group.rules] for key, group in groups.items()}
        self.given = {key: [{} for _ in group.rules] for key, group in groups.items()}
        self.transitions = {key: [] for key in groups}

    def tick(self, tick):
        """The outcomes of each group that is due at a tick, by its key, and what they write to the windows."""
        parts = [
            shard.evaluate(window, tick)
            for shard, window in zip(self.shards, self.windows.windows, strict=True)
        ]
        found, written = {}, []
        for key in parts[0]:
            merge = self.merges[key]
            offset = merge.group.compiled.query_offset_ms

            def write(at, outcome, key=key, merge=merge, time=tick - offset):
                points = self._written(key, at, merge.group.compiled.rules[at], outcome, tick)
                written.extend((point, time) for point in points)
                return points

            # in the order of their arrival, which is any
            found[key] = merge.results(tick, [part[key] for part in reversed(parts)], write)
        for point, time in written:
            self.windows.put(point.labels, [time], [point.value])
            self.store.put(point.labels, time, point.value)
        for window in self.windows.windows:
            window.prune(tick)
        return found

    def _written(self, key, at, rule, outcome, tick):
        if rule.is_alert:
            state, transitions = step(rule.terms, self.states[key][at], tick, outcome)
            self.states[key][at] = state
            self.transitions[key] += transitions
            if state.error:
                return []
            points = [point for alert in state.active for point in alert_series(alert)]
        elif isinstance(outcome, Failure):
            return []
        else:
            points = outcome
        given = {canonical(point.labels): point for point in points}
        ended = [point for data, point in self.given[key][at].items() if data not in given]
        self.given[key][at] = given
        return [*points, *(point._replace(value=STALE) for point in ended)]
