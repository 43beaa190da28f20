"""The active alerts of a rule in parts: a reader has those of one moment whole, or says that it has not."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert_messages import ActiveAlert, encode, parse_state_key, state_key
from schemas.rule_messages import InvalidMessage
from streamgauge.rules.machine import alert_parts as module
from streamgauge.rules.machine.alert_parts import KnownAlerts, ToldAlerts

PLACE = "web/hosts", 0
PART_BYTES = 300


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(module, "MAX_PART_BYTES", 4 * PART_BYTES)


def alerts(count, text="", first=0):
    """So many, in the order in which rules give them."""
    names = sorted(f"host{at}" for at in range(first, first + count))
    return [
        ActiveAlert({"alertname": "Down", "instance": name}, {"text": text}, "firing", 1, "0")
        for name in names
    ]


def take(known, messages):
    for key, value in messages:
        _, _, part = parse_state_key(key)
        if part is None and value is None:
            known = KnownAlerts()
        else:
            known.take(part, value)
    return known


def shown(known):
    return list(known.alerts.values())


class Log:
    """The compacted topic."""

    def __init__(self):
        self.messages = []

    def add(self, messages):
        self.messages += messages

    def compacted(self):
        newest = {key: at for at, (key, _) in enumerate(self.messages)}
        return [one for at, one in enumerate(self.messages) if newest[one[0]] == at]

    def keys(self):
        return {key for key, value in self.compacted() if value is not None}


histories = st.lists(
    st.builds(alerts, st.integers(0, 20), st.sampled_from(["", "x" * 20, "y" * 400]), st.integers(0, 5)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40)
@given(histories, st.data())
def test_a_reader_has_what_was_told_last_as_a_whole_wherever_it_stops(history, data):
    told, log = ToldAlerts(*PLACE), Log()
    ends = [(0, [])]
    before = []
    for found in history:
        if data.draw(st.booleans()):
            # another worker goes on from a snapshot
            told = ToldAlerts(*PLACE, before)
        if not told.is_as(found):
            log.add(told.tell(found))
        ends.append((len(log.messages), found))
        before = found
    known = KnownAlerts()
    states = [shown(known)]
    for message in log.messages:
        known = take(known, [message])
        assert known.is_whole
        states.append(shown(known))
    for (start, old), (end, new) in pairwise(ends):
        for state in states[start:end]:
            assert state in (old, new)
        assert states[end] == new
    assert shown(take(KnownAlerts(), log.compacted())) == history[-1]


@given(st.integers(2, 60), st.integers(0, 30), st.data())
@settings(max_examples=40)
def test_who_begins_with_half_of_what_was_told_says_so(count, stop, data):
    old = alerts(count)
    new = alerts(count, "now")
    told, log = ToldAlerts(*PLACE), Log()
    log.add(told.tell(old))
    written = told.tell(new)
    # the writer is lost in between
    log.add(written[:stop])
    known = take(KnownAlerts(), log.compacted())
    assert not known.is_whole or shown(known) in (old, new)
    # and another one goes on
    log.add(ToldAlerts(*PLACE, old if data.draw(st.booleans()) else new).tell(new))
    known = take(KnownAlerts(), log.compacted())
    assert known.is_whole
    assert shown(known) == new


def test_parts_that_are_no_longer_there_go_away():
    log, told = Log(), ToldAlerts(*PLACE)
    for count in (300, 40, 3, 0):
        log.add(told.tell(alerts(count)))
        assert (len(log.keys()) > 2) is (count > 3)
    assert log.keys() == set()
    log.add(ToldAlerts(*PLACE).tell(alerts(300)))
    log.add(ToldAlerts(*PLACE, alerts(300)).tell([]))
    assert log.keys() == set()


def test_no_message_is_large_and_a_change_of_one_alert_is_told_by_one_part():
    told = ToldAlerts(*PLACE)
    before = alerts(500)
    messages = told.tell(before)
    parts = [value for key, value in messages if value and parse_state_key(key).part is not None]
    assert len(parts) > 100
    assert max(map(len, parts)) <= 4 * PART_BYTES
    after = [*before[:-1], replace(before[-1], value="1")]
    [(_, part), (key, _)] = told.tell(after)
    assert len(part) <= 4 * PART_BYTES
    assert key == state_key(*PLACE)


def test_one_alert_that_is_larger_than_a_part_is_a_part_of_its_own():
    told = ToldAlerts(*PLACE)
    found = sorted([*alerts(5), *alerts(1, "x" * 5000, 7)], key=lambda one: one.labels["instance"])
    assert shown(take(KnownAlerts(), told.tell(found))) == found


def test_what_an_earlier_version_wrote_is_read_and_replaced():
    old, new = alerts(500, "old"), alerts(500)
    known = take(KnownAlerts(), [(state_key(*PLACE), encode(old))])
    assert shown(known) == old
    known = take(known, ToldAlerts(*PLACE, old).tell(new))
    assert shown(known) == new
    assert len(ToldAlerts(*PLACE).tell(alerts(1))) == 1, "few alerts are one message, as before"


@pytest.mark.parametrize("value", [b"", b"{", b'{"digests":1}', b'{"digests":[]}', b"[1]"])
def test_a_part_that_is_none_is_refused_and_changes_nothing(value):
    known = take(KnownAlerts(), ToldAlerts(*PLACE).tell(alerts(50)))
    with pytest.raises(InvalidMessage):
        known.take(0, value)
    assert shown(known) == alerts(50)


def test_alerts_whose_fingerprints_collide_are_cut_all_the_same(monkeypatch):
    """Senders choose labels: no number of parts would part these."""
    monkeypatch.setattr(module, "fingerprint", lambda _: 7)
    found = alerts(40, text="x" * PART_BYTES)
    told = ToldAlerts(*PLACE)
    messages = told.tell(found)
    known = take(KnownAlerts(), messages)
    assert known.is_whole
    assert sorted(shown(known), key=str) == sorted(found, key=str)
    assert len(messages) <= 41
    assert all(len(value) <= 4 * PART_BYTES for key, value in messages if parse_state_key(key)[2] is not None)
    # whoever goes on from a snapshot makes the same parts, and a change in one is told by itself
    assert dict(ToldAlerts(*PLACE).tell(found)) == dict(messages)
    changed = [*found[:-1], replace(found[-1], value="1")]
    few = told.tell(changed)
    assert len(few) == 2
    assert shown(take(known, few))[-1].value == "1"
