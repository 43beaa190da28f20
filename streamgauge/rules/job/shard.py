"""What one shard of the alert job remembers and does, without Flink: see `EvaluateRules`."""

import heapq
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.batches.batch import Batch, InvalidBatch, decode
from schemas.batches.batch_packing import pack
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.applied.timeline import Timeline
from streamgauge.rules.job.group_ticks import Part
from streamgauge.rules.job.shard_time import ShardTime
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.rules.stream.compile.reach import Conditions, Reach
from streamgauge.rules.stream.samples.window import Window
from streamgauge.rules.stream.shard.shard_rules import ShardRules
from streamgauge.series.samples import Samples

PRUNE_MS = 10_000
"""Samples that nothing looks at any more are forgotten so often, by time on the stream."""
FROM_STORE = -1
"""The partition of batches that were read from the store."""

Prime = Callable[[Sequence[Reach], int, int], tuple[dict[bytes, bytes], Samples]]
"""Reads what selectors look at from a tick on, of a shard: see `streamgauge.store.priming`."""


class BatchKey(NamedTuple):
    """What a batch is kept under: when it was sent (ms), where it came from, and its lane and minute (ms)."""

    sent: int
    partition: int
    offset: int
    lane: int
    minute: int


Key = tuple[int, ...]
"""A place as PyFlink's state takes it."""


class Batches(Protocol):
    """The batches of a shard in Flink's state."""

    def items(self) -> Iterable[tuple[Key, bytes]]:
        """All of them."""
        ...

    def put(self, key: Key, value: bytes) -> None:
        """Keep one."""
        ...

    def remove(self, key: Key) -> None:
        """Forget one."""
        ...


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rules:
    """The rule set of the last tick: its version, the keys of its groups, and how far back each selector was kept."""

    version: str = ""
    groups: list[str] = field(default_factory=list)
    selectors: dict[str, int] = field(default_factory=dict)

    @classmethod
    def decode(cls, data: str | None) -> "Rules":
        """What `encode` gave."""
        return cls(**json.loads(data)) if data else cls()

    def encode(self) -> str:
        """As text."""
        content = {"version": self.version, "groups": self.groups, "selectors": self.selectors}
        return json.dumps(content, separators=(",", ":"))


@dataclass(slots=True)
class Evaluated:
    """What a tick (ms) gave: the part of each group that was due, by its key. is_new: of another rule set."""

    tick: int
    parts: dict[str, Part]
    gap_ms: int
    is_new: bool


class Shard:
    """One shard, from when a worker first meets it.

    A batch enters the window as soon as no tick is left to be evaluated before it was sent; until then it waits.
    skipped: how many batches were none.
    """

    def __init__(
        self,
        number: int,
        lanes: int,
        timeline: Timeline,
        terms: Terms,
        kept: Batches,
        time: ShardTime,
        rules: Rules,
        prime: Prime,
    ) -> None:
        """Take up what is in the state: the batches, the time, and the rule set of the last tick."""
        self.time = time
        self.rules = rules
        self.skipped = 0
        self._number = number
        self._lanes = lanes
        self._timeline = timeline
        self._terms = terms
        self._kept = kept
        self._prime = prime
        self._window = Window()
        self._compiled: dict[str, ShardRules] = {}
        self._faults: dict[str, str] = {}
        self._waiting: list[tuple[BatchKey, bytes]] = []
        self._expiring: list[tuple[int, BatchKey]] = []
        self._newest = 0
        self._pruned = 0
        found = [(BatchKey(*place), payload) for place, payload in kept.items()]
        if self.time.last is None and found:
            self.time.see(min(place.sent for place, _ in found))
        self.learn()
        for place, payload in found:
            self._admit_or_wait(place, payload)

    @property
    def next_tick(self) -> int | None:
        """The next tick (ms) that is due."""
        return None if self.time.last is None else self._timeline.next_tick(self.time.last)

    @property
    def nbytes(self) -> int:
        """The bytes of the samples in memory."""
        return self._window.nbytes

    def learn(self) -> None:
        """Look at what the rule sets that count now or later look at; whenever there is another."""
        sets = self._timeline.since(self.time.last or 0)
        self._compiled = {
            one.version: self._compiled.get(one.version) or ShardRules(one, self._terms, self._number)
            for one in sets
        }
        faults = {key: fault for one in self._compiled.values() for key, fault in one.faults.items()}
        for key, fault in faults.items() - self._faults.items():
            log.error("group not evaluated: group=%s cause=%s", key, fault)
        self._faults = faults
        self._window.register(reach for one in self._compiled.values() for reach in one.reaches)

    def take(self, place: BatchKey, payload: bytes, seen: int) -> None:
        """A batch, or a heartbeat, has come. seen: when it was sent as far as its samples bear that out (ms)."""
        if self.time.last is None or self.next_tick is None:
            self.time.rest(seen)
        self.time.see(seen)
        if not payload or self.next_tick is None:
            return
        if self._is_waiting(place):
            self._kept.put(tuple(place), payload)
        self._admit_or_wait(place, payload, is_new=True)

    def run(self, watermark: int) -> Iterator[Evaluated]:
        """Evaluate the ticks that are due at a time on the stream (ms), in order.

        Time on the stream may pass a shard that is held up: its ticks wait until it has come as far.
        """
        while (tick := self.next_tick) is not None and tick <= watermark and self.time.has_come(tick):
            self._admit()
            if not self.time.pass_over(tick):
                yield self._evaluate(tick)
        self._admit()

    def _evaluate(self, tick: int) -> Evaluated:
        rules = self._timeline.at(tick)
        if rules is None:
            raise ValueError(f"no rule set counts at {tick}")
        gone = self._switch(rules, tick) if rules.version != self.rules.version else None
        if tick - self._pruned >= PRUNE_MS:
            self._window.prune(tick)
            self._pruned = tick
        found = self._compiled[rules.version].evaluate(self._window, tick)
        gap, size = self.time.finish(tick), self.nbytes
        newest = self._newest or tick
        parts = {
            key: Part(rules.version, False, payload, newest, gap, size) for key, payload in found.items()
        }
        parts |= {key: Part(rules.version, True, b"", newest, gap, size) for key in gone or ()}
        self._expire(tick)
        if gone is not None:
            self.learn()
        return Evaluated(tick, parts, gap, gone is not None)

    def _switch(self, rules: RuleSet, tick: int) -> list[str]:
        """Go on with another rule set; the keys of the groups that are gone."""
        gone = sorted(set(self.rules.groups) - rules.groups.keys())
        wanted = {_text(reach.conditions): reach for reach in self._compiled[rules.version].reaches}
        lacking = [
            reach
            for text, reach in wanted.items()
            if self.rules.selectors.get(text, -1) < max(0, reach.before)
        ]
        if lacking:
            self._take_stored(lacking, tick)
        selectors = {text: max(0, reach.before) for text, reach in wanted.items()}
        self.rules = Rules(rules.version, sorted(rules.groups), selectors)
        return gone

    def _take_stored(self, lacking: Sequence[Reach], tick: int) -> None:
        labels, samples = self._prime(lacking, tick, self._number)
        self._window.put(labels, samples)
        history = max(max(0, reach.before) for reach in lacking)
        for number, batch in enumerate(pack(samples, labels, self._lanes)):
            place = BatchKey(tick, FROM_STORE, number, batch.lane, batch.minute)
            self._kept.put(tuple(place), batch.payload)
            heapq.heappush(self._expiring, (batch.newest + history, place))

    def _admit(self) -> None:
        """Let in what waited for the ticks that have been evaluated."""
        while self._waiting and not self._is_waiting(self._waiting[0][0]):
            self._enter(*heapq.heappop(self._waiting))

    def _admit_or_wait(self, place: BatchKey, payload: bytes, is_new: bool = False) -> None:
        if self._is_waiting(place):
            heapq.heappush(self._waiting, (place, payload))
        else:
            self._enter(place, payload, is_new)

    def _is_waiting(self, place: BatchKey) -> bool:
        tick = self.next_tick
        return tick is not None and place.sent > tick

    def _enter(self, place: BatchKey, payload: bytes, is_new: bool = False) -> None:
        """Put a batch into the window, and keep it as long as anything looks at it."""
        try:
            batch = self._decoded(place, payload)
            history = self._window.add(batch)
        except InvalidBatch:
            # the store job sets it aside with its reason
            self.skipped += 1
            history = None
        if history is None:
            if not is_new:
                self._kept.remove(tuple(place))
            return
        self._newest = max(self._newest, place.sent)
        if is_new:
            self._kept.put(tuple(place), payload)
        heapq.heappush(self._expiring, (int(batch.samples.timestamps.max()) + history, place))

    def _decoded(self, place: BatchKey, payload: bytes) -> Batch:
        batch = decode(payload, place.lane, place.minute, self._lanes)
        if self._window.unknown(batch):
            return decode(payload, place.lane, place.minute, self._lanes, labels=True)
        return batch

    def _expire(self, tick: int) -> None:
        """Forget the batches that no tick after this one (ms) looks at, all of them if none will come."""
        is_last = self.next_tick is None
        while self._expiring and (is_last or self._expiring[0][0] < tick):
            self._kept.remove(tuple(heapq.heappop(self._expiring)[1]))
        while is_last and self._waiting:
            self._kept.remove(tuple(heapq.heappop(self._waiting)[0]))


def _text(conditions: Conditions) -> str:
    return "\xff".join(sorted(repr(matcher) for matcher in conditions))
