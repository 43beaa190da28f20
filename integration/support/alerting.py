"""Rules applied at a simulated time, samples put on Kafka, and what the alert job makes of them."""

import contextlib
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from click.testing import CliRunner

from integration.support.batches import BatchProducer
from integration.support.stored import wait_for
from schemas import alert_messages
from schemas.alert_messages import Triggered
from schemas.limits import MAX_BATCH_SERIES
from schemas.rule_messages import InvalidMessage
from schemas.topics import ALERT_PARTITIONS, ALERT_STATE, TRIGGERED
from streamgauge.cli import main
from streamgauge.rules.applied.rule_sets import RuleSets
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.machine.group_state import Change, identities, origin_of
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.topics.partition import read_partition
from streamgauge.topics.rule_topic import RuleTopic

STEP_MS = 5000
BEGINS_BEFORE_MS = 4 * 3_600_000
"""Simulated time of these tests: what is stored can still be read as if it were new."""


@dataclass
class Feed:
    """Puts samples on Kafka, each sent at its own time, and remembers them."""

    config: object
    now: int = 0
    sent: list[tuple[int, dict[str, str], float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = (int(time.time() * 1000) - BEGINS_BEFORE_MS) // 60_000 * 60_000
        self._producer = BatchProducer(self.config)

    def step(self, samples: dict[tuple[tuple[str, str], ...], float], pace_s: float = 0.0) -> int:
        """Go on by STEP_MS, and send samples of that moment by their labels; the moment (ms)."""
        self.now += STEP_MS
        request = [(dict(one), [(self.now, value)]) for one, value in samples.items()]
        for at in range(0, len(request), MAX_BATCH_SERIES):
            self._producer.send(request[at : at + MAX_BATCH_SERIES], self.now)
        self._producer.heartbeat(self.now)
        self._producer.flush()
        self.sent += [(self.now, dict(one), value) for one, value in samples.items()]
        time.sleep(pace_s)
        return self.now

    def late(self, when: int, labels: tuple[tuple[str, str], ...], value: float) -> None:
        """Send a sample of an earlier moment (ms) now."""
        self._producer.send([(dict(labels), [(when, value)])], self.now)

    def run(self, samples, count: int, pace_s: float = 0.02) -> None:
        """So many steps, with what `samples` gives for the number of each."""
        for number in range(count):
            self.step(samples(number), pace_s)

    def idle(self, steps: int = 6) -> None:
        """Heartbeats only, so that the last ticks are evaluated."""
        for _ in range(steps):
            self.step({})


def series(name: str, **labels: str) -> tuple[tuple[str, str], ...]:
    """The labels of a series."""
    return tuple({"__name__": name, **labels}.items())


class Rules:
    """Applies rule files as the command does, at the stream's time."""

    def __init__(self, stack, folder, monkeypatch, stream: Feed) -> None:
        self._stack = stack
        self._folder = folder
        self._patch = monkeypatch
        self._stream = stream
        self._applied: set[str] = set()

    def apply(self, name: str, text: str) -> int:
        """Give the running job the rules of a file; the first tick (ms) at which they count."""
        file = self._folder / f"{name}.yml"
        file.write_text(text)
        self._applied.add(name)
        with self._patch.context() as patch:
            patch.setattr(time, "time_ns", lambda: self._stream.now * 1_000_000)
            arguments = ["--config", str(self._stack.home.config), "rules", "apply", "--yes", str(file)]
            result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        time.sleep(0.5)
        return self.last.effective_from

    def remove(self) -> None:
        """Take all rules back."""
        for name in sorted(self._applied):
            self.apply(name, "groups: []")

    @property
    def last(self):
        """The newest rule set."""
        return RuleSets(RuleTopic(self._stack.config.kafka).read()).last


class _Log:
    """The messages of a topic, (key, value), none of which is read twice: of a mass outage there are very many."""

    _logs: ClassVar[dict[tuple[str, str], "_Log"]] = {}

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._next: dict[int, int] = defaultdict(int)
        self.messages: list[tuple[bytes | None, bytes | None]] = []
        self.newest: dict[bytes | None, bytes | None] = {}

    @classmethod
    def of(cls, config, topic: str) -> "_Log":
        """Return the log of a topic of a stack."""
        return cls._logs.setdefault((config.kafka.bootstrap, topic), cls(topic))

    def unread(self, config, partition: int) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Give what has been committed since the last call."""
        for message in read_partition(config.kafka, self._topic, partition, self._next[partition]):
            self._next[partition] = message.offset() + 1
            yield message.key(), message.value()


def triggered(config, group: str) -> dict[str, list[Triggered]]:
    """The messages of a group, in the order of their ticks, repeated ones too, by alert."""
    found: dict[str, list[Triggered]] = defaultdict(list)
    for one in every_change(config, group):
        if one.group == group:
            found[json.dumps(dict(one.labels), sort_keys=True)].append(one)
    return found


def every_change(config, named: str = "") -> Iterator[Triggered]:
    """All messages of alerts.triggered that are any, and hold a text; tests of who reads it write others too."""
    log = _Log.of(config, TRIGGERED)
    for partition in range(ALERT_PARTITIONS):
        log.messages.extend(log.unread(config, partition))
    for key, value in log.messages:
        if value is None or named.encode() not in value:
            continue
        with contextlib.suppress(InvalidMessage):
            one = alert_messages.decode_triggered(value)
            assert key is not None
            yield one


def distinct(config, group: str) -> dict[str, Triggered]:
    """The changes of a group by id; where one came twice, both say the same but for the delay."""
    found: dict[str, Triggered] = {}
    for messages in triggered(config, group).values():
        for one in messages:
            same = found.setdefault(one.id, one)
            assert {**_without_delay(one)} == _without_delay(same)
    return found


def _without_delay(one: Triggered) -> dict[str, object]:
    content = json.loads(alert_messages.encode(one))
    return {name: value for name, value in content.items() if name != "delay_ms"}


def state(config) -> dict[str, bytes]:
    """What alerts.state says, by key."""
    log = _Log.of(config, ALERT_STATE)
    log.newest.update(log.unread(config, 0))
    return {key.decode(): value for key, value in log.newest.items() if value is not None}


def expected(stream: Feed, rules: Rules, key: str, first: int, last: int) -> dict[str, Change]:
    """The changes by id that the group's ticks from first to last (ms) give, at one place over all samples."""
    group = rules.last.groups[key]
    numbers = {rule.name: number for number, rule in enumerate(group.rules)}
    names = identities(group, key)
    memory, found = Memory(), {}
    run = GroupRun(compile_group(group), memory, EvaluationContext())
    waiting = deque(sorted(stream.sent, key=lambda one: one[0]))
    for tick in range(-(-first // group.interval_ms) * group.interval_ms, last + 1, group.interval_ms):
        while waiting and waiting[0][0] <= tick:
            when, labels, value = waiting.popleft()
            memory.until = when - 1
            memory.put(labels, when, value)
        memory.until = tick
        known = len(run.transitions)
        run.tick(tick)
        for transition in run.transitions[known:]:
            number = numbers[dict(transition.alert.labels)["alertname"]]
            change = Change(names[number], origin_of(group.rules[number]), transition)
            found[change.id] = change
    return found


def await_changes(
    config, group: str, ids: set[str], timeout_s: float = 90.0, explain: Callable[[], str] = lambda: ""
) -> dict[str, Triggered]:
    """Return when exactly these changes are there.

    Fails when one is there that must not be, or the time is over.
    """
    seen: dict[str, Triggered] = {}

    def there() -> bool:
        seen.clear()
        seen.update(distinct(config, group))
        return seen.keys() >= ids

    wait_for(
        there,
        timeout_s,
        lambda: f"missing {sorted(ids - seen.keys())}, more {sorted(seen.keys() - ids)} {explain()}",
    )
    more = sorted(f"{seen[one].tick} {seen[one].after} {seen[one].labels}" for one in seen.keys() - ids)
    assert seen.keys() == ids, f"{more} {explain()}"
    return seen
