"""Rules on the stream, on the real stack."""

import json
from collections import defaultdict
from random import Random

import httpx
from click.testing import CliRunner
from confluent_kafka import TopicPartition

from integration.support.alerting import (
    STEP_MS,
    await_changes,
    expected,
    series,
    state,
    triggered,
)
from integration.support.batches import raw_partitions
from integration.support.stored import wait_for
from schemas import alert_messages
from schemas.topics import ALERT_STATE, RAW
from streamgauge.cli import main
from streamgauge.topics.partition import end_of, headers_of, read_partition, reader

THRESHOLD = """\
groups:
- name: {name}
  interval: 5s
  rules:
  - alert: Hot
    expr: {name}_temperature > 80
    labels: {{severity: page, room: "{{{{ $labels.room }}}}"}}
    annotations: {{summary: "{{{{ $value }}}} in {{{{ $labels.room }}}}"}}
  - alert: HotForLong
    expr: avg by (room) ({name}_temperature) > 80
    for: 20s
"""


def heat(name):
    """Ten series in three rooms, which are hot at different times."""
    return lambda number: {
        series(f"{name}_temperature", room=f"r{host % 3}", host=f"h{host}"): 70.0
        + 20.0 * ((number // 6 + host % 3) % 3 == 1)
        + host
        for host in range(10)
    }


def test_alerts_are_raised_and_resolved_at_their_ticks(stack, config, stream, rules, name):
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    stream.run(heat(name), 60)
    stream.idle()
    key = f"{name}/{name}"
    wanted = expected(stream, rules, key, first, stream.now - STEP_MS)
    assert len(wanted) > 20
    found = await_changes(config, key, set(wanted))
    for one in found.values():
        change = wanted[one.id].transition
        assert (dict(change.alert.labels), dict(change.alert.annotations)) == (one.labels, one.annotations)
        assert (change.tick, change.before.value, change.after.value) == (one.tick, one.before, one.after)
        assert one.generator_url.startswith("/graph?g0.expr=")
        assert one.delay_ms > 0
    for messages in triggered(config, key).values():
        assert [one.tick for one in messages] == sorted(one.tick for one in messages)
    ran = CliRunner().invoke(main, ["--config", str(stack.home.config), "rules", "costs", "--json"])
    shown = {one["rule"]: one for one in json.loads(ran.output) if one["group"] == key}
    assert {one["health"] for one in shown.values()} == {"ok"}
    for rule in ("Hot", "HotForLong"):
        # ten series looked back at for five minutes in steps of five seconds
        assert 0 < shown[rule]["samples"] <= 600
        assert shown[rule]["bytes"] == 16 * shown[rule]["samples"]


RECORDING = """\
groups:
- name: records
  interval: 5s
  rules:
  - record: {name}:max
    expr: max by (room) ({name}_temperature)
  - alert: Same
    expr: {name}:max > 80
- name: reads
  interval: 5s
  rules:
  - alert: Other
    expr: {name}:max > 80
"""


def test_recorded_series_are_ordinary_samples_for_other_groups_and_readers(config, stream, rules, name):
    stream.idle()
    rules.apply(name, RECORDING.format(name=name))
    begin = stream.now
    recorded = Recorded(config)
    for number in range(30):
        now = stream.step(heat(name)(number))
        if number > 5:
            # the tick before this one is evaluated by now, and what it records has to come back before the next
            wait_for(lambda now=now: recorded.newest() >= now - STEP_MS, 60, lambda: str(recorded.newest()))
    recorded.close()
    stream.idle(2)

    def changes(group):
        return {
            (one.tick, one.labels["room"], one.after)
            for messages in triggered(config, f"{name}/{group}").values()
            for one in messages
        }

    later = {(tick + STEP_MS, room, after) for tick, room, after in changes("records")}
    settled = begin + 15 * STEP_MS, begin + 28 * STEP_MS
    wanted = {one for one in later if settled[0] < one[0] < settled[1]}
    assert len(wanted) >= 4
    wait_for(lambda: {one for one in changes("reads") if settled[0] < one[0] < settled[1]} == wanted, 60)
    _await_query(config, f'count({name}:max{{room="r1"}})', begin + 20 * STEP_MS, "1")
    _await_query(config, 'count(ALERTS{alertname="Same",alertstate="firing"})', begin + 20 * STEP_MS, "1")
    _await_query(config, 'count(ALERTS_FOR_STATE{alertname="Same"})', begin + 20 * STEP_MS, "1")


class Recorded:
    """Samples that the alert job records from now on."""

    def __init__(self, config):
        self._consumer = reader(config.kafka)
        partitions = range(raw_partitions(config))
        self._consumer.assign(
            [TopicPartition(RAW, one, end_of(config.kafka, RAW, one)) for one in partitions]
        )
        self._newest = 0

    def newest(self):
        """The time (ms) of the newest sample, 0 before the first."""
        while found := self._consumer.consume(1000, 0.2):
            for message in found:
                if message.error() is None and headers_of(message).get("producer") == "alerts":
                    self._newest = max(self._newest, message.timestamp()[1])
        return self._newest

    def close(self):
        self._consumer.close()


def _await_query(config, query, time, wanted):
    def answer():
        response = httpx.get(
            f"http://{config.gateway.listen}/api/v1/query", params={"query": query, "time": time / 1000}
        )
        found = response.json()["data"]["result"]
        return found[0]["value"][1] if found else None

    wait_for(lambda: answer() == wanted, 60, lambda: f"{query}: {answer()}")


CHANGING = """\
groups:
- name: g
  interval: 5s
  rules:
  - alert: Waits
    expr: {name} > 1
    for: 1m
    annotations: {{text: "{text}"}}
"""


def test_a_rule_whose_expression_stays_keeps_its_alerts_when_the_set_changes(config, stream, rules, name):
    stream.idle()
    first = rules.apply(name, CHANGING.format(name=name, text="old"))
    always = {series(name): 2.0}
    stream.run(lambda _: always, 7, 0.2)
    rules.apply(name, CHANGING.format(name=name, text="new"))
    stream.run(lambda _: always, 14, 0.2)
    pending = max(first, stream.sent[-21][0])
    found = _await_ticks(config, f"{name}/g", 2)
    assert [(one.after, one.tick) for one in found] == [("pending", pending), ("firing", pending + 60_000)]
    assert [one.annotations["text"] for one in found] == ["old", "new"]


def _await_ticks(config, group, count):
    """The changes of a group with one alert, in order, once there are so many."""

    def found():
        return [one for messages in triggered(config, group).values() for one in messages]

    wait_for(lambda: len(found()) >= count, 60, lambda: str(found()))
    assert len(found()) == count
    return sorted(found(), key=lambda one: one.tick)


RANGE = """\
groups:
- name: g
  interval: 5s
  rules:
  - alert: Rising
    expr: increase({name}[5m]) > 100
  - alert: Often
    expr: count_over_time({name}[4m]) > 40
"""


def test_a_rule_with_a_range_answers_from_its_first_tick(config, stream, rules, name):
    stream.idle()

    def counters(number):
        return {series(name, host=f"h{host}"): float(number * host) for host in range(8)}

    stream.run(counters, 60)
    # what is read from the store has to be there
    _await_query(config, f"sum(count_over_time({name}[10m]))", stream.now, str(60 * 8))
    first = rules.apply(name, RANGE.format(name=name))
    stream.run(lambda number: counters(number + 60), 20, 0.1)
    stream.idle(2)
    wanted = expected(stream, rules, f"{name}/g", first, stream.now - STEP_MS)
    assert any(change.transition.tick == first for change in wanted.values())
    await_changes(config, f"{name}/g", set(wanted))


FAILING = """\
groups:
- name: g
  interval: 5s
  rules:
  - alert: Above
    expr: {name} > on (room) {name}_limit
"""


def test_an_evaluation_that_fails_resolves_nothing(config, stream, rules, name):
    stream.idle()
    rules.apply(name, FAILING.format(name=name))
    whole = {series(name, room="a"): 5.0, series(f"{name}_limit", room="a", of="one"): 1.0}
    doubled = whole | {series(f"{name}_limit", room="a", of="two"): 2.0}
    stream.run(lambda _: whole, 6)
    stream.run(lambda _: doubled, 6)
    wait_for(lambda: len(_sorted(config, name)) >= 2, 60)
    stream.idle(2)
    assert [(one.before, one.after) for one in _sorted(config, name)] == [
        ("inactive", "firing"),
        ("inactive", "error"),
    ]
    failed = _sorted(config, name)[1]
    assert "many" in failed.detail
    assert failed.labels == {}
    wait_for(lambda: _health(config, f"{name}/g") == "err", 30)


def _sorted(config, name):
    found = [one for messages in triggered(config, f"{name}/g").values() for one in messages]
    return sorted(found, key=lambda one: one.tick)


def _health(config, group):
    return alert_messages.decode_status(state(config)[f"{group}#"]).rules[0].health


LATE = """\
groups:
- name: g
  interval: 5s
  rules:
  - alert: All
    expr: count({name}) == 10
  - alert: Still
    expr: count(count_over_time({name}[40s])) == 10
  - alert: Missing
    expr: min(count_over_time({name}[2m] offset 40s)) < 24
  - alert: Quiet
    expr: {name} > 100
    no_data: alert
"""


def test_samples_that_are_late_by_seconds_are_neither_missed_nor_lost(config, stream, rules, name):
    stream.idle()
    rules.apply(name, LATE.format(name=name))
    random, due = Random(6), defaultdict(list)
    hosts = [series(name, host=f"h{number}") for number in range(10)]
    for step in range(90):
        moment = stream.now + STEP_MS
        late = {host for host in hosts if 10 < step < 84 and random.random() < 0.1}
        for host in late:
            due[step + random.randint(1, 6)].append((moment, host))
        stream.step({host: 20.0 for host in hosts if host not in late}, 0.03)
        for when, host in due.pop(step, []):
            stream.late(when, host, 20.0)
    end = stream.now

    def evaluated():
        stream.step(dict.fromkeys(hosts, 20.0))
        return _last_tick(config, f"{name}/g") > end

    wait_for(evaluated, 60)
    # by then each was late by half a minute at most: counts were short in the first minutes only
    wait_for(lambda: len(_sorted(config, name)) >= 4, 60, lambda: str(_sorted(config, name)))
    paths = defaultdict(list)
    for one in _sorted(config, name):
        paths[one.labels["alertname"]].append(one.after)
    assert paths == {"All": ["firing"], "Still": ["firing"], "Missing": ["firing", "resolved"]}


def _last_tick(config, group):
    return alert_messages.decode_status(state(config)[f"{group}#"]).last_tick


SIMPLE = """\
groups:
- name: g
  interval: 5s
  rules:
  - alert: Up
    expr: {name} > 1
"""


def test_nothing_is_evaluated_while_all_collectors_are_away(config, stream, rules, name):
    stream.idle()
    first = rules.apply(name, SIMPLE.format(name=name))
    stream.run(lambda _: {series(name): 2.0}, 8)
    last = stream.now
    stream.now += 400_000
    stream.run(lambda _: {}, 12, 0.2)
    back = last + 400_000 + STEP_MS
    found = _await_ticks(config, f"{name}/g", 2)
    # by the lookback it would have ended while nobody could tell
    assert [(one.after, one.tick) for one in found] == [
        ("firing", max(first, last - 7 * STEP_MS)),
        ("resolved", back),
    ]
    # what rules have written of the last tick was the last that came
    gaps = {0, back - last, back - last - config.alerts.lag_ms}
    wait_for(lambda: {0} < _gaps(config, f"{name}/g") <= gaps, 30, lambda: str(_gaps(config, f"{name}/g")))


def _gaps(config, group):
    return {
        alert_messages.decode_status(message.value()).gap_ms
        for message in read_partition(config.kafka, ALERT_STATE, 0)
        if message.key().decode() == f"{group}#"
    }


def test_a_group_that_is_gone_leaves_nothing_behind(config, stream, rules, name):
    stream.idle()
    rules.apply(name, SIMPLE.format(name=name))
    stream.run(lambda _: {series(name): 2.0}, 8, 0.1)
    _await_ticks(config, f"{name}/g", 1)
    end = rules.apply(name, "groups: []")
    stream.run(lambda _: {series(name): 2.0}, 6, 0.1)
    found = _await_ticks(config, f"{name}/g", 2)
    assert [(one.after, one.ends_at) for one in found] == [("firing", 0), ("resolved", end - 1)]
    wait_for(lambda: not any(key.startswith(f"{name}/") for key in state(config)), 30)
