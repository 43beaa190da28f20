"""What a group remembers, and its bytes."""

import math
import struct

from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.rules.machine import group_codec
from streamgauge.rules.machine.alerts import Observed, Result
from streamgauge.rules.machine.compiled import compile_group
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.machine.group_state import GroupState, Origin, Outcome, identities, origin_of
from streamgauge.rules.machine.recorded_batches import batches
from streamgauge.series.samples import STALE, STALE_BITS

NOON = 1_763_892_000_000
HOT = Rule(RuleKind.ALERT, "Hot", "heat > 80", {"severity": "page"})
LABELS = (("alertname", "Hot"), ("severity", "page"))
RESULT = Result([Observed(LABELS, (), 90.0, ())])


def test_two_rules_with_equal_alerts_have_different_changes():
    """In Prometheus they are two alerts too, of two rules, though a receiver may see one."""
    first, second = (identities(Group(key, [HOT]), key) for key in ("f/a", "f/b"))
    same = identities(Group("g", [HOT, HOT]), "f/g")
    assert len({*first, *second, *same}) == 4
    ids = set()
    for identity in (*first, *second, *same):
        outcome = Outcome()
        [rule] = compile_group(Group("g", [HOT])).rules
        GroupState(origins={identity: origin_of(HOT)}).take(identity, rule, NOON, RESULT, outcome)
        ids |= {change.id for change in outcome.changes}
    assert len(ids) == 4


def test_a_rule_is_another_if_its_expression_or_its_labels_are():
    def identity(**changed):
        return identities(Group("g", [Rule(**{**_parts(), **changed})]), "f/g")[0]

    assert identity() == identity(hold_ms=1000) == identity(annotations={"a": "b"})
    assert len({identity(), identity(expr="heat > 81"), identity(name="Warm"), identity(labels={})}) == 4


def _parts():
    return {"kind": HOT.kind, "name": HOT.name, "expr": HOT.expr, "labels": HOT.labels}


def test_firing_then_gone_is_resolved_and_its_series_end():
    [identity] = identities(Group("g", [HOT]), "f/g")
    [rule] = compile_group(Group("g", [HOT])).rules
    state, outcome = GroupState(), Outcome()
    state.adopt({identity: origin_of(HOT)}, NOON)
    points = state.take(identity, rule, NOON, RESULT, outcome)
    assert [point.labels["__name__"] for point in points] == ["ALERTS", "ALERTS_FOR_STATE"]
    ended = state.adopt({}, NOON + 5000)
    assert [
        (change.transition.after.value, change.transition.alert.resolved_at) for change in ended.changes
    ] == [("resolved", NOON + 4999)]
    assert [_bits(point.value) for point in ended.written] == [STALE_BITS] * 2
    assert state == GroupState()


def test_recorded_series_that_are_not_given_any_more_end():
    record = Rule(RuleKind.RECORD, "a:b", "a")
    [rule] = compile_group(Group("g", [record])).rules
    state = GroupState()
    one, two = Point({"__name__": "a:b", "x": "1"}, 1.0), Point({"__name__": "a:b", "x": "2"}, 2.0)
    assert state.take("i", rule, NOON, [one, two], Outcome()) == [one, two]
    kept, ended = state.take("i", rule, NOON + 5000, [two], Outcome())
    assert (kept, ended.labels, _bits(ended.value)) == (two, one.labels, STALE_BITS)
    outcome = Outcome()
    assert state.take("i", rule, NOON + 10_000, [two], outcome) == [two]
    assert outcome.given == set()


def test_what_is_kept_comes_back_to_the_bit():
    points = [Point({"__name__": "a"}, STALE), Point({"__name__": "b"}, math.nan), Point({}, 0.1)]
    again = group_codec.decode_written(group_codec.encode_written(points))
    assert [(labels, _bits(value)) for labels, value in again] == [
        (one, _bits(value)) for one, value in points
    ]
    given = frozenset({(("__name__", "a"),), (("__name__", "b"), ("x", "y"))})
    assert group_codec.decode_given(group_codec.encode_given(given)) == given
    origins = {"2": Origin("b", ("c", "d")), "1": Origin("a", ("b",))}
    assert list(group_codec.decode_origins(group_codec.encode_origins(origins)).items()) == list(
        origins.items()
    )
    assert group_codec.decode_origins(None) == {}
    # as it was always written
    assert group_codec.encode_origins({"1": Origin("a", ("b",))}) == '{"1":["a","b"]}'


def test_what_cannot_be_stored_is_left_out_of_batches_and_a_value_wins_over_a_marker():
    points = [
        Point({"__name__": "a"}, STALE),
        Point({"__name__": "a"}, 1.0),
        Point({"x": "no name"}, 1.0),
        Point({"__name__": "b", "x": "\ud800"}, 1.0),
    ]
    found = list(batches(points, NOON, 8))
    assert len(found) == 1
    assert found[0].newest == NOON


def _bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]
