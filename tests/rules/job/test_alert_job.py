"""The alert job's two operators without Flink: dictionaries play the state, workers are replaced at any moment.

Whatever happens, alerts change as they do when `GroupRun` evaluates the same rules over the same samples.
"""

import copy

import numpy as np
import pytest

from schemas import alert_messages
from schemas.batches import batch
from schemas.rule_messages import RuleMessage
from streamgauge.config import Alerts
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.rules.applied.timeline import Timeline
from streamgauge.rules.files import reader
from streamgauge.rules.job.alert_group import AlertGroup
from streamgauge.rules.job.group_ticks import GroupTicks
from streamgauge.rules.job.shard import BatchKey, Rules, Shard
from streamgauge.rules.job.shard_time import ShardTime
from streamgauge.rules.machine import alert_codec, group_codec
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.machine.group_state import GroupState
from streamgauge.rules.machine.recorded_batches import batches
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.rules.stream.shard.shard_rules import stream_groups
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.series.samples import empty

NOON = 1_763_892_000_000
STEP_MS = 5000
LANES, SHARDS = 8, 2
TERMS = Terms(EvaluationContext())
HOT = """\
groups:
- name: g
  interval: 5s
  rules:
  - record: heat:max
    expr: max by (room) (heat)
  - alert: Hot
    expr: heat > 80
  - alert: HotRoom
    expr: heat:max > 80
    for: 15s
    keep_firing_for: 10s
  - alert: Rising
    expr: delta(heat[30s]) > 5
"""


class Job:
    """Both operators. state: what a checkpoint would have of shards and groups."""

    def __init__(self, stored=None):
        self.messages: list[RuleMessage] = []
        self.batches = {shard: {} for shard in range(SHARDS)}
        self.times: dict[int, str] = {}
        self.sets: dict[int, str] = {}
        self.groups: dict[str, dict] = {}
        self.parts: dict[str, dict] = {}
        self.triggered: list[alert_messages.Triggered] = []
        self.shown: dict[bytes, bytes | None] = {}
        self.written: list = []
        self.dropped = 0
        self.gaps: list[int] = []
        self.prime = stored or (lambda *_: ({}, empty()))
        self.offset = 0
        self.restart()

    def restart(self):
        """New workers, with the state as it is."""
        self.timeline = Timeline()
        self.timeline.take(self.messages)
        self.shards = {}
        self.running = {}

    def checkpoint(self):
        kept = self.batches, self.times, self.sets, self.groups, self.parts
        return copy.deepcopy(kept)

    def restore(self, checkpoint):
        self.batches, self.times, self.sets, self.groups, self.parts = copy.deepcopy(checkpoint)
        self.restart()

    def apply(self, now, text, name="f"):
        groups = reader.parse("f.yml", text, ("page",)).rules.groups
        found = publication(RuleSets(self.messages), {name: groups}, now)
        self.messages += found.messages
        self.timeline.take(found.messages)
        for shard in self.shards.values():
            shard.learn()
        return found.rules.effective_from

    def shard(self, number):
        if number not in self.shards:
            kept = self.batches[number]
            state = type("", (), {"items": kept.items, "put": kept.__setitem__, "remove": kept.__delitem__})()
            self.shards[number] = Shard(
                number,
                LANES,
                self.timeline,
                TERMS,
                state,
                ShardTime(self.times.get(number)),
                Rules.decode(self.sets.get(number)),
                self.prime,
            )
        return self.shards[number]

    def send(self, sent, samples, shards=range(SHARDS)):
        """Samples by labels, all of the moment at which they are sent, and a heartbeat on each lane, to some shards."""
        points = [Point(dict(labels), value) for labels, value in samples.items()]
        found = list(batches(points, sent, LANES))
        for one in found:
            self.offset += 1
            if one.lane % SHARDS not in shards:
                continue
            place = BatchKey(sent, one.lane % 4, self.offset, one.lane, one.minute)
            self.shard(one.lane % SHARDS).take(place, one.payload, sent)
        for number in shards:
            self.shard(number).take(BatchKey(sent, 0, 0, number, batch.minute_of(sent)), b"", sent)
            self.times[number] = self.shard(number).time.encode()

    def run(self, watermark):
        for number in range(SHARDS):
            shard = self.shard(number)
            for found in shard.run(watermark):
                self.gaps += [found.gap_ms] if found.gap_ms else []
                if found.is_new:
                    self.sets[number] = shard.rules.encode()
                for key, part in found.parts.items():
                    self._merge(key, found.tick, number, part)
            self.times[number] = shard.time.encode()

    def _merge(self, key, tick, shard, part):
        ticks, group = self._group(key)
        waiting = self.parts.setdefault(key, {})
        taken = ticks.take(tick, shard, part)
        self.dropped += len(taken.dropped)
        if taken.complete is None:
            waiting[tick, shard] = part
            return
        for place in [place for place in waiting if place[0] == tick]:
            del waiting[place]
        if part.is_gone:
            ticked = group.end(tick, taken.complete, part.rule_set)
            del self.running[key], self.groups[key]
        else:
            ticked = group.tick(tick, taken.complete, self.timeline.of_version(part.rule_set))
            self._keep(key, tick, group, ticked)
        assert not ticked.is_dropped
        self.triggered += [alert_messages.decode_triggered(one.payload) for one in ticked.triggered]
        self.shown |= {one.key: one.payload for one in ticked.state}
        self.written += ticked.batches

    def _group(self, key):
        if key not in self.running:
            state = self.groups.setdefault(
                key, {"last": 0, "alerts": {}, "given": {}, "origins": "", "written": {}}
            )
            ticks = GroupTicks(SHARDS, state["last"])
            for (tick, shard), part in self.parts.get(key, {}).items():
                ticks.take(tick, shard, part)
            group = AlertGroup(
                key,
                GroupState(
                    {one: alert_codec.decode(data) for one, data in state["alerts"].items()},
                    {one: group_codec.decode_given(data) for one, data in state["given"].items()},
                    group_codec.decode_origins(state["origins"]),
                ),
                Alerts(),
                LANES,
                TERMS,
                None,
                lambda rules, key: stream_groups({key: rules.groups[key]}, TERMS)[0][key],
                lambda: 0.0,
            )
            group.written.extend(
                (tick, group_codec.decode_written(data)) for tick, data in sorted(state["written"].items())
            )
            self.running[key] = ticks, group
        return self.running[key]

    def _keep(self, key, tick, group, ticked):
        state = self.groups[key]
        state["last"] = tick
        if ticked.are_new:
            state["origins"] = group_codec.encode_origins(group.state.origins)
        for identity in ticked.outcome.states:
            if found := group.state.states.get(identity):
                state["alerts"][identity] = alert_codec.encode(found)
            else:
                state["alerts"].pop(identity, None)
        for identity in ticked.outcome.given:
            state["given"][identity] = group_codec.encode_given(group.state.given.get(identity, ()))
        if group.reads_own:
            state["written"][tick] = group_codec.encode_written(ticked.outcome.written)
            for past in ticked.forgotten:
                del state["written"][past]


def heat(number):
    return {
        (("__name__", "heat"), ("host", f"h{host}"), ("room", f"r{host % 3}")): 70.0
        + 20.0 * ((number // 6 + host % 3) % 3 == 1)
        + host / 2
        for host in range(10)
    }


def expected(text, first, last, samples):
    """The changes as one process finds them that has everything in memory."""
    [group] = reader.parse("f.yml", text, ("page",)).rules.groups
    memory = Memory()
    run = GroupRun(compile_group(group), memory, EvaluationContext())
    for sent, found in samples:
        memory.until = sent - 1
        for labels, value in found.items():
            memory.put(dict(labels), sent, value)
        memory.until = sent
        if first <= sent <= last and sent % group.interval_ms == 0:
            run.tick(sent)
    return [
        (one.tick, one.before.value, one.after.value, dict(one.alert.labels), dict(one.alert.annotations))
        for one in run.transitions
    ]


def seen(triggered):
    return [(one.tick, one.before, one.after, one.labels, one.annotations) for one in triggered]


def in_order(changes):
    return sorted(changes, key=lambda one: (one[0], sorted(one[3].items()), one[2]))


def moments(count, first=1):
    return [(NOON + number * STEP_MS, heat(number)) for number in range(first, count)]


def test_alerts_change_as_over_all_samples_at_one_place():
    job = Job()
    first = job.apply(NOON, HOT)
    samples = moments(60)
    for sent, found in samples:
        job.send(sent, found)
        job.run(sent - 1000)
    wanted = expected(HOT, first, samples[-2][0], samples)
    assert len(wanted) > 40
    assert in_order(seen(job.triggered)) == in_order(wanted)
    assert job.dropped == 0
    assert len({one.id for one in job.triggered}) == len(job.triggered)


@pytest.mark.parametrize("at", [8, 9, 13, 22, 37])
def test_workers_that_go_on_from_a_checkpoint_change_nothing(at):
    job = Job()
    first = job.apply(NOON, HOT)
    samples = moments(60)
    number = 0
    checkpoint = None
    while number < len(samples):
        sent, found = samples[number]
        job.send(sent, found)
        job.run(sent - 1000)
        number += 1
        if number == at:
            checkpoint = number, job.checkpoint()
        if number == at + 4 and checkpoint:
            number, kept = checkpoint
            checkpoint = None
            job.restore(kept)
            at = -10
    by_id = {one.id: one for one in job.triggered}
    wanted = expected(HOT, first, samples[-2][0], samples)
    assert in_order(seen(by_id.values())) == in_order(wanted)


def test_a_stretch_read_at_once_is_evaluated_tick_by_tick():
    job = Job()
    first = job.apply(NOON, HOT)
    samples = moments(60)
    for sent, found in samples:
        job.send(sent, found)
    job.run(samples[-1][0] - 1000)
    assert in_order(seen(job.triggered)) == in_order(expected(HOT, first, samples[-2][0], samples))


def test_a_shard_that_is_held_up_loses_no_tick():
    """However far time on the stream goes on without it, as it may where a partition counts as idle."""
    job = Job()
    first = job.apply(NOON, HOT)
    samples = moments(60)
    for sent, found in samples[:20]:
        job.send(sent, found)
        job.run(sent - 1000)
    for sent, found in samples[20:]:
        job.send(sent, found, [0])
        job.run(sent - 1000)
    for sent, found in samples[20:]:
        job.send(sent, found, [1])
        job.run(samples[-1][0] - 1000)
    assert in_order(seen(job.triggered)) == in_order(expected(HOT, first, samples[-2][0], samples))
    assert (job.dropped, job.gaps) == (0, [])


def test_nothing_is_evaluated_while_all_collectors_are_away():
    job = Job()
    job.apply(NOON, HOT)
    before = moments(20)
    after = [(sent + 200_000, found) for sent, found in moments(40, 20)]
    for sent, found in before + after:
        job.send(sent, found)
        job.run(sent - 1000)
    ticks = {one.tick for one in job.triggered}
    assert not any(before[-1][0] < tick < after[0][0] for tick in ticks)
    assert job.gaps == [after[0][0] - before[-1][0]] * SHARDS


def test_a_rule_whose_expression_stays_keeps_its_alerts_when_others_change():
    job = Job()
    text = HOT.replace("record: heat:max", "record: heat:max2").replace(
        "heat:max >", "max by (room) (heat) >"
    )
    first = job.apply(NOON, text)
    samples = moments(60)
    for number, (sent, found) in enumerate(samples):
        if number == 30:
            other = text.replace("Rising", "Climbing")
            changed = job.apply(sent, other.replace("for: 15s", "for: 15s\n    annotations: {a: b}"))
        job.send(sent, found)
        job.run(sent - 1000)
    wanted = expected(text, first, samples[-2][0], samples)
    for name in ("Hot", "HotRoom"):
        own = [one[:4] for one in wanted if one[3]["alertname"] == name]
        assert in_order(one[:4] for one in seen(job.triggered) if one[3]["alertname"] == name) == in_order(
            own
        )
    ended = [one for one in job.triggered if one.rule == "Rising" and one.tick >= changed]
    assert {(one.tick, one.after) for one in ended} <= {(changed - 1, "resolved")}
    assert any(one.rule == "Climbing" for one in job.triggered)


def test_an_alert_of_a_rule_that_is_another_now_ends_right_before_it_is_raised_again():
    job = Job()
    text = "groups: [{name: g, interval: 5s, rules: [{alert: Up, expr: heat > 0}]}]"
    job.apply(NOON, text)
    samples = moments(40)
    for number, (sent, found) in enumerate(samples):
        if number == 20:
            changed = job.apply(sent, text.replace("> 0", "> -1"))
        job.send(sent, found)
        job.run(sent - 1000)
    labels = job.triggered[0].labels
    path = [(one.after, one.tick) for one in job.triggered if one.labels == labels]
    assert path[1:] == [("resolved", changed - 1), ("firing", changed)]
    values = [
        value
        for one in job.written
        for value in batch.decode(one.payload, one.lane, one.minute, LANES).samples.values
    ]
    assert not any(np.isnan(values))


def test_a_group_that_is_gone_ends_its_alerts_and_its_series():
    job = Job()
    job.apply(NOON, HOT)
    samples = moments(40)
    gone = None
    for number, (sent, found) in enumerate(samples):
        if number == 20:
            gone = job.apply(sent, "groups: []")
        job.send(sent, found)
        job.run(sent - 1000)
    active = {}
    for one in job.triggered:
        active[one.rule, str(one.labels)] = one
    assert {one.after for one in active.values()} <= {"resolved", "inactive"}
    assert max(one.tick for one in job.triggered) == gone - 1
    assert set(job.shown.values()) == {None}
    assert job.groups == {}
    assert all(not kept for kept in job.batches.values())


def test_a_rule_that_is_new_is_primed_from_the_store():
    samples = moments(60)
    asked = []

    def stored(reaches, tick, shard):
        asked.append((sorted(repr(reach.conditions) for reach in reaches), tick, shard))
        points = [(sent, found) for sent, found in samples if sent <= tick]
        return _samples(points, shard)

    job = Job(stored)
    first = None
    for number, (sent, found) in enumerate(samples):
        if number == 30:
            first = job.apply(sent, HOT)
        job.send(sent, found)
        job.run(sent - 1000)
    assert [tick for _, tick, _ in asked] == [first] * SHARDS
    wanted = expected(HOT, first, samples[-2][0], samples)
    assert any(one[0] == first and one[3]["alertname"] == "Rising" for one in wanted)
    assert in_order(seen(job.triggered)) == in_order(wanted)


def test_series_that_rules_write_end_with_a_stale_marker():
    job = Job()
    job.apply(NOON, HOT)
    samples = moments(30)
    for sent, found in samples:
        job.send(sent, found)
        job.run(sent - 1000)
    names, ends = set(), 0
    for one in job.written:
        found = batch.decode(one.payload, one.lane, one.minute, LANES, labels=True)
        names |= {
            data.split(b"\xff")[data.split(b"\xff").index(b"__name__") + 1]
            for data in found.labels.to_pylist()
        }
        ends += int((found.samples.values.view(np.uint64) == 0x7FF0000000000002).sum())
    assert names == {b"heat:max", b"ALERTS", b"ALERTS_FOR_STATE"}
    assert ends > 0


def _samples(points, shard):
    from streamgauge.series.ids import series_id
    from streamgauge.series.labels import canonical
    from streamgauge.series.samples import concat

    labels, parts = {}, []
    for sent, found in points:
        for one in batches([Point(dict(labels_), value) for labels_, value in found.items()], sent, LANES):
            if one.lane % SHARDS == shard:
                parts.append(batch.decode(one.payload, one.lane, one.minute, LANES).samples)
        for labels_ in found:
            data = canonical(dict(labels_))
            labels[series_id(data)] = data
    return labels, concat(parts)
