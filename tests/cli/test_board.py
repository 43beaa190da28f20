"""Rules and alerts as readers see them, from the messages of two topics."""

from dataclasses import replace

import pytest

from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth, encode, parse_state_key, state_key
from schemas.rule_files import Group, Rule, RuleKind
from schemas.rule_messages import InvalidMessage, encode_group
from streamgauge.rules.applied.board import SILENT_MS, Board
from streamgauge.rules.applied.rule_sets import DELAY_MS, RuleSets, publication
from streamgauge.rules.machine.alert_parts import ToldAlerts

DOWN = Rule(RuleKind.ALERT, "Down", "up == 0")
HOT = Rule(RuleKind.ALERT, "Hot", "temperature > 80")
KEY = "web/hosts"
LABELS = {"alertname": "Down", "instance": "a"}
ALERT = ActiveAlert(LABELS, {"summary": "now"}, "firing", 1000, "0e+00", 1000)


class Topics:
    """Applies rules as the command does, and says what a job would."""

    def __init__(self):
        self.board = Board()
        self._sets = RuleSets()
        self.now = 100_000

    def apply(self, *rules, other=()):
        """The version of the set, once it counts."""
        groups = [Group("hosts", rules, interval_ms=1000)] if rules else []
        files = {"web": groups, "other": [Group("x", other)] if other else []}
        planned = publication(self._sets, files, self.now)
        for message in planned.messages:
            self._sets.take(message)
            self.board.take_rules(message)
        self.now += DELAY_MS + 60_000
        return planned.rules.version

    def say(self, version, tick, *alerts, rules=1, number=0):
        self.board.take_state(state_key(KEY, number), encode(alerts) if alerts else None)
        status = GroupStatus(version, tick, 0.5, 0, 0, [RuleHealth("ok", "", 0.1, 1)] * rules)
        self.board.take_state(state_key(KEY), encode(status))

    def held(self, tick):
        return self.board.held(KEY, "Down", LABELS, tick, self.now)


@pytest.fixture
def topics():
    return Topics()


def test_a_group_shows_its_rules_with_health_and_alerts(topics):
    topics.say(topics.apply(DOWN), 5000, ALERT)
    [group] = topics.board.groups(topics.now)
    assert (group.file, group.group.name, group.status.last_tick) == ("web", "hosts", 5000)
    [rule] = group.rules
    assert (rule.rule.name, rule.health.health, list(rule.alerts)) == ("Down", "ok", [ALERT])


def test_a_rule_in_sql_is_what_its_status_says_beside_any_set(topics):
    key, rule = "/sql/Slow", Rule(RuleKind.ALERT, "Slow", "SELECT 1 AS `value`")
    alert = ActiveAlert({"alertname": "Slow"}, {}, "firing", 1000, "1e+00", 1000)

    def held():
        return topics.board.held(key, "Slow", alert.labels, 1000, topics.now)

    topics.apply(DOWN)
    assert not held().is_held
    definition = encode_group(Group("Slow", [rule], interval_ms=10_000)).decode()
    status = GroupStatus("v", 5000, 0.5, 0, 0, [RuleHealth("ok", "", 0.1, 1)], definition)
    topics.board.take_state(state_key(key, 0), encode([alert]))
    topics.board.take_state(state_key(key), encode(status))
    slow, hosts = topics.board.groups(topics.now)
    assert (slow.file, slow.group.name, slow.is_sql, hosts.is_sql) == ("sql", "Slow", True, False)
    assert (slow.rules[0].rule.expr, list(slow.rules[0].alerts)) == (rule.expr, [alert])
    assert held() == (True, alert)
    topics.now = 5000 + SILENT_MS
    assert held() == (True, alert)
    topics.now += 1
    assert not held().is_held, "its job is over"
    assert [group.key for group in topics.board.groups(topics.now)] == [KEY]
    topics.now -= 1
    topics.board.take_state(state_key(key), None)
    assert not held().is_held
    assert [group.key for group in topics.board.groups(topics.now)] == [KEY]


def test_a_set_counts_from_its_first_tick_on(topics):
    topics.apply(DOWN)
    topics.apply(HOT)
    names = [
        [rule.rule.name for group in topics.board.groups(now) for rule in group.rules]
        for now in (topics.now - 62_000, topics.now)
    ]
    assert names == [["Down"], ["Hot"]]


def test_what_is_said_of_a_group_counts_while_the_group_is_the_same(topics):
    topics.say(topics.apply(DOWN), 5000, ALERT)
    topics.apply(DOWN, other=[HOT])
    assert topics.board.group(KEY, topics.now).rules[0].alerts == [ALERT]
    version = topics.apply(HOT, DOWN)
    changed = topics.board.group(KEY, topics.now)
    assert (changed.status, [rule.alerts for rule in changed.rules]) == (None, [[], []])
    topics.say(version, 9000, ALERT, rules=2, number=1)
    assert [list(rule.alerts) for rule in topics.board.group(KEY, topics.now).rules][1] == [ALERT]


def test_an_alert_is_held_until_somebody_who_looked_later_does_not_have_it(topics):
    assert topics.held(1000).is_held, "nothing is known of rules yet"
    version = topics.apply(DOWN)
    assert topics.held(1000) == (True, None)
    topics.say(version, 1000, ALERT)
    assert topics.held(1000) == (True, ALERT)
    topics.say(version, 1000)
    assert topics.held(1000).is_held
    topics.say(version, 2000)
    assert not topics.held(1000).is_held


def test_an_alert_is_not_held_when_its_rule_or_group_is_gone(topics):
    topics.say(topics.apply(DOWN), 5000, ALERT)
    topics.apply(HOT)
    assert not topics.held(1000).is_held
    topics.apply(DOWN)
    assert topics.held(1000).is_held
    topics.apply()
    assert not topics.held(1000).is_held
    assert topics.board.groups(topics.now) == []


def many(count):
    names = sorted(f"host{at}" for at in range(count))
    return [replace(ALERT, labels={"alertname": "Down", "instance": name}) for name in names]


def test_alerts_in_parts_are_shown_whole_or_named_as_broken(topics):
    told, first, second = ToldAlerts(KEY, 0), many(3000), many(2900)
    version = topics.apply(DOWN)
    topics.say(version, 5000)

    def shown():
        return topics.board.groups(topics.now)[0].rules[0].alerts

    for key, value in told.tell(first):
        topics.board.take_state(key, value)
    assert (shown(), topics.board.broken()) == (first, [])
    assert topics.board.held(KEY, "Down", first[7].labels, 1000, topics.now) == (True, first[7])
    *parts, (key, names) = told.tell(second)
    assert parse_state_key(key).part is None
    for part, value in parts:
        topics.board.take_state(part, value)
    assert (shown(), topics.board.broken()) == (first, [])
    topics.board.take_state(parts[0][0], None)
    topics.board.take_state(key, names)
    assert (shown(), topics.board.broken()) == (first, [KEY])
    topics.board.take_state(*parts[0])
    topics.board.take_state(key, names)
    assert (shown(), topics.board.broken()) == (second, [])
    for key, value in told.tell([]):
        topics.board.take_state(key, value)
    assert (shown(), topics.board.broken()) == ([], [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("web/hosts", b"{}"),
        (f"{KEY}#", b"{}"),
        (f"{KEY}#0", b"[1]"),
        (f"{KEY}#0.1", b"[1]"),
        (f"{KEY}#0.1", b'{"digests":[]}'),
    ],
)
def test_what_is_no_message_is_refused_and_changes_nothing(topics, key, value):
    topics.say(topics.apply(DOWN), 5000, ALERT)
    before = topics.board.groups(topics.now)
    with pytest.raises(InvalidMessage):
        topics.board.take_state(key, value)
    assert topics.board.groups(topics.now) == before


def test_what_is_forgotten_is_gone(topics):
    topics.say(topics.apply(DOWN), 5000, ALERT)
    topics.board.take_state(state_key(KEY), None)
    [rule] = topics.board.group(KEY, topics.now).rules
    assert (rule.health.health, list(rule.alerts)) == ("unknown", [])
