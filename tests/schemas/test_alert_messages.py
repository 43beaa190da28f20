"""The messages of alerts.triggered and alerts.state."""

import pytest

from schemas import alert_messages as messages
from schemas.rule_messages import InvalidMessage

TRIGGERED = messages.Triggered(
    id="0123456789abcdef-1000-firing",
    group="web/latency",
    rule="Slow",
    rule_set="ab",
    before="pending",
    after="firing",
    labels={"alertname": "Slow", "path": "/ü"},
    annotations={"summary": "slow"},
    value="+Inf",
    active_at=500,
    starts_at=1000,
    ends_at=0,
    tick=1000,
    delay_ms=1200,
    interval_ms=1000,
)
STATUS = messages.GroupStatus("ab", 1000, 0.5, 0, 4096, [messages.RuleHealth("err", "no", 0.25, 3)])
ALERT = messages.ActiveAlert({"alertname": "Slow"}, {}, "firing", 500, "NaN", 1000)


def test_what_is_encoded_is_decoded():
    assert messages.decode_triggered(messages.encode(TRIGGERED)) == TRIGGERED
    assert messages.decode_status(messages.encode(STATUS)) == STATUS
    assert messages.decode_alerts(messages.encode([ALERT, ALERT])) == [ALERT, ALERT]
    parts = messages.AlertParts(["ab", ""])
    assert messages.decode_alerts(messages.encode(parts)) == parts


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{}", b'{"id":1}', b"null", b"[1]"])
def test_what_is_none_is_refused(value):
    with pytest.raises(InvalidMessage):
        messages.decode_triggered(value)
    with pytest.raises(InvalidMessage):
        messages.decode_status(value)


@pytest.mark.parametrize("value", [b"", b"{", b"[1]", b"null", b'[{"labels":{}}]'])
def test_what_are_no_alerts_is_refused(value):
    with pytest.raises(InvalidMessage):
        messages.decode_alerts(value)


@pytest.mark.parametrize(
    "place",
    [
        ("web/late#ncy#3", 12, None),
        ("web/late#3", None, None),
        ("web/latency", 0, None),
        ("web/late#3.4", 5, 67),
        ("web/late\nncy#", 0, 0),
    ],
)
def test_keys_tell_groups_from_their_rules(place):
    assert messages.parse_state_key(messages.state_key(*place)) == place


@pytest.mark.parametrize(
    "key",
    [
        "web/latency",
        "web/latency#a",
        "web/latency#-1",
        "web/latency#1.",
        "web/latency#.1",
        "web/latency#1.2.3",
    ],
)
def test_other_keys_are_refused(key):
    with pytest.raises(InvalidMessage):
        messages.parse_state_key(key)
