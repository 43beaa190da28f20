"""What rules make is bounded, whatever their texts: labels by the limits of all series, messages in bytes."""

import json
from dataclasses import asdict

import pytest

from operators.rules.pieces import PIECE_BYTES, Pieces
from schemas import limits
from schemas.alert_messages import decode_status, decode_triggered
from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.config import Alerts
from streamgauge.rules.applied.rule_sets import MAX_RULES_BYTES
from streamgauge.rules.job.group_messages import GroupMessages, Moment, Ticked
from streamgauge.rules.machine import alert_codec
from streamgauge.rules.machine.alert_output import UNTOLD
from streamgauge.rules.machine.alerts import Alert, AlertState, Failure, Observed, Result, RuleState
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import Evaluation, FromSource, Point
from streamgauge.rules.machine.group_state import GroupState, Origin, Outcome
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.series.labels import canonical

NOON = 1_763_892_000_000
ALERT = Rule(RuleKind.ALERT, "Hot", "heat > 80")
RECORD = Rule(RuleKind.RECORD, "a:b", "heat")
STORED = {"__name__": "ALERTS_FOR_STATE", "alertstate": "pending"}
"""What the labels of an alert have beside them where they are stored."""


def compiled(rule):
    [found] = compile_group(Group("g", [rule])).rules
    return found


def filled(labels, size):
    """Labels with more of legal length, that take so many bytes as a series."""
    labels = dict(labels)
    while (missing := size - len(canonical(labels))) > 0:
        name = f"l{len(labels):03}"
        room = min(missing - len(name) - 2, limits.MAX_LABEL_VALUE_BYTES)
        # what is left has to have room for another label
        if 0 < missing - len(name) - 2 - room < 20:
            room -= 20
        labels[name] = "x" * room
    assert len(canonical(labels)) == size
    return labels


def of_kind(kind, size):
    """Labels of which one thing has such a size."""
    match kind:
        case "value":
            return {"a": "x" * size}
        case "name":
            return {"n" * size: "x"}
        case "number":
            return {f"l{at}": "x" for at in range(size - len(STORED))}
        case "sum":
            return {name: text for name, text in filled(STORED, size).items() if name not in STORED}


LIMITS = {
    "value": limits.MAX_LABEL_VALUE_BYTES,
    "name": limits.MAX_LABEL_NAME_BYTES,
    "number": limits.MAX_LABELS,
    "sum": limits.MAX_LABELS_BYTES,
}
BAD = [of_kind(kind, size) for kind, most in LIMITS.items() for size in (most + 1, 10 * most)]
BAD.append({"a": "\ud800"})
GOOD = [of_kind(kind, size) for kind, most in LIMITS.items() for size in (most - 1, most)]


def observed(labels):
    pairs = tuple(sorted(labels.items()))
    return Observed(pairs, (), 90.0, pairs)


@pytest.mark.parametrize("labels", BAD, ids=lambda labels: f"{len(labels)} labels")
def test_a_series_above_a_limit_is_an_error_of_its_rule_and_all_others_count(labels):
    state, outcome = GroupState(), Outcome()
    state.adopt({"alert": Origin("Hot", ("",)), "record": Origin("a:b", ("",))}, NOON)
    others = [{"instance": "a"}, {"instance": "b"}]
    found = Result([*map(observed, [others[0], labels, others[1]])])
    written = state.take("alert", compiled(ALERT), NOON, found, outcome)
    assert [dict(change.transition.alert.labels) for change in outcome.changes] == others
    assert len(written) == 4
    points = [
        Point({"__name__": "a:b", **each}, 1.0) for each in (*others, {"z": "long", **labels, **STORED})
    ]
    assert state.take("record", compiled(RECORD), NOON, points, outcome) == points[:2]
    assert [text.split(":")[0] for text in outcome.errors] == ["1 of 3 series left out"] * 2
    assert outcome.left_out == 2
    # the rule is not in error: it tells of all others, and of no error once the series is gone
    assert state.take("alert", compiled(ALERT), NOON + 1, Result([observed(others[0])]), outcome)
    assert outcome.errors[-1] == ""


@pytest.mark.parametrize("labels", GOOD, ids=lambda labels: f"{len(labels)} labels")
def test_what_is_at_a_limit_counts(labels):
    state, outcome = GroupState(), Outcome()
    state.adopt({"alert": Origin("Hot", ("",)), "record": Origin("a:b", ("",))}, NOON)
    assert len(state.take("alert", compiled(ALERT), NOON, Result([observed(labels)]), outcome)) == 2
    point = Point({**labels, "__name__": "a:b"}, 1.0)
    assert state.take("record", compiled(RECORD), NOON, [point], outcome) == [point]
    assert outcome.errors == ["", ""]


def test_the_alert_of_no_data_is_held_against_the_limits_too():
    state, outcome = GroupState(), Outcome()
    state.adopt({"alert": Origin("Hot", ("",))}, NOON)
    missing = Result([], (), frozenset(), observed(BAD[0]))
    assert state.take("alert", compiled(ALERT), NOON, missing, outcome) == []
    assert outcome.errors[0].startswith("1 of 1 series left out: ")


def worst(annotations):
    """A rule of which all texts are as long as they may be, and take more bytes as JSON, and its alerts."""
    labels = {f"l{at}": "\1" * 2000 for at in range(7)}
    texts = {f"t{at}": "{{ range 999 }}" + character * 1000 + "{{ end }}" for at, character in annotations}
    return Rule(RuleKind.ALERT, "Hot", f'heat{{a="{"x" * 60_000}"}}', labels, texts)


def test_no_message_of_a_rule_is_larger_than_a_topic_takes():
    rule = compiled(worst(enumerate("x\1\\ü")))
    evaluation = Evaluation(FromSource(Memory(), EvaluationContext()), EvaluationContext(), NOON)
    state = GroupState()
    state.adopt({"alert": Origin("Hot", (rule.rule.expr,))}, NOON)
    messages = GroupMessages("f/g", state, Alerts(), 8)
    found = [evaluation.observed(rule, Point({"instance": str(at)}, 1.0)) for at in range(10)]
    ticked = Ticked(Outcome())
    state.take("alert", rule, NOON, Result(found), ticked.outcome)
    moment = Moment(NOON, "v", 5000, NOON)
    messages.emit(moment, ticked)
    messages.show(moment, ticked, ["alert"], [0.0], [10])
    assert ticked.outcome.errors == [""]
    assert ticked.oversized == 0
    assert len(ticked.triggered) == 10
    payloads = [message.payload for message in (*ticked.triggered, *ticked.state) if message.payload]
    assert max(map(len, payloads)) < limits.MAX_MESSAGE_BYTES // 2
    change = decode_triggered(ticked.triggered[0].payload)
    assert all(text.endswith("bytes]") for text in change.annotations.values())
    assert sum(len(text.encode()) for text in change.annotations.values()) <= limits.MAX_ANNOTATIONS_BYTES
    assert change.generator_url == "/graph"
    assert alert_codec.decode(alert_codec.encode(state.states["alert"])) == state.states["alert"]


def test_the_errors_of_very_many_rules_fit_into_one_message():
    rule = {**asdict(Rule(RuleKind.RECORD, "a", "b")), "line": None, "column": None}
    rules = [str(at) for at in range(MAX_RULES_BYTES // len(json.dumps(rule)))]
    assert len(rules) > 10_000
    state, outcome = GroupState(), Outcome()
    for identity in rules:
        state.take(
            identity, compiled(RECORD) if identity == "0" else RECORDED, NOON, Failure("\1" * 10_000), outcome
        )
    ticked = Ticked(outcome)
    GroupMessages("f/g", state, Alerts(), 8).show(
        Moment(NOON, "v", 5000, NOON), ticked, rules, [0.123456] * len(rules), [1_000_000] * len(rules)
    )
    [message] = ticked.state
    assert len(message.payload) < limits.MAX_MESSAGE_BYTES
    healths = decode_status(message.payload).rules
    assert {one.health for one in healths} == {"err"}
    assert healths[0].last_error.endswith("[cut: 10000 bytes]")
    assert healths[-1].last_error == UNTOLD


RECORDED = compiled(RECORD)


def test_what_no_topic_takes_is_left_out_and_counted_and_the_rest_is_told():
    """Only an earlier version can have left it in the state."""
    pairs = [(("instance", "a"),), (("instance", "x" * 5_000_000),)]
    alerts = {one: Alert(one, (), 1.0, one, AlertState.FIRING, NOON, NOON) for one in pairs}
    state = GroupState({"alert": RuleState(alerts)}, origins={"alert": Origin("Hot", ("",))})
    ticked = Ticked(Outcome())
    messages = GroupMessages("f/g", state, Alerts(), 8)
    state.take("alert", compiled(ALERT), NOON + 5000, Result(), ticked.outcome)
    messages.emit(Moment(NOON, "v", 5000, NOON), ticked)
    assert ticked.oversized == 1
    assert [decode_triggered(one.payload).labels["instance"] for one in ticked.triggered] == ["a"]


def test_annotations_that_an_earlier_version_kept_whole_are_cut_when_they_are_read():
    labels = (("instance", "a"),)
    alert = Alert(labels, (("text", "x" * 1_000_000),), 1.0, labels, AlertState.FIRING, NOON, NOON)
    [read] = alert_codec.decode(alert_codec.encode(RuleState({labels: alert}))).alerts.values()
    assert read.annotations[0][1].endswith("[cut: 1000000 bytes]")


class State(dict):
    """A map of Flink's state."""

    def put(self, key, value):
        assert len(value) <= PIECE_BYTES
        self[key] = value

    def remove(self, key):
        self.pop(key, None)


def test_state_is_kept_in_pieces_and_read_whole():
    kept = State()
    pieces = Pieces(kept)
    long = bytes(range(256)) * (PIECE_BYTES // 100)
    for data in (b"", b"short", long, long[:PIECE_BYTES], long + b"more", b"short", long):
        pieces.put("a", data)
        pieces.put("b", b"other")
        assert Pieces(kept).read() == {"a": data, "b": b"other"}
        # another worker goes on
        pieces = Pieces(kept)
        pieces.read()
    pieces.put("a", None)
    assert dict(kept) == {"b": b"other"}
