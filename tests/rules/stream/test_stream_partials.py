"""Partials as bytes, and what a merge refuses."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.rules.applied.rule_sets import RuleSet
from streamgauge.rules.machine.alerts import Failure
from streamgauge.rules.machine.compiled import EvaluationContext
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.stream.compile.expressions import Terms
from streamgauge.rules.stream.merging.merge import NOTHING, GroupMerge, MixedPartials
from streamgauge.rules.stream.parts.partials import InvalidPartial, decode, encode
from streamgauge.rules.stream.samples.window import Window
from streamgauge.rules.stream.shard.shard_rules import METADATA_LABELS, ShardRules
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.samples import Samples

TICK = 600_000
TERMS = Terms(EvaluationContext())
FIVE = Terms(EvaluationContext(), max_gathered=5)


def alert(expr, name="A", **more):
    return Rule(RuleKind.ALERT, name, expr, **more)


def record(expr, name="r"):
    return Rule(RuleKind.RECORD, name, expr)


class Stand:
    """Two shards and the merge of one group; each series is put into the first or the second."""

    def __init__(self, *rules, terms=TERMS, version="v1", store=None):
        group = Group("g", rules, interval_ms=10_000)
        found = RuleSet(version, 0, {"g": group})
        self.shards = [ShardRules(found, terms, at) for at in range(2)]
        self.windows = [Window(), Window()]
        for window in self.windows:
            window.register(self.shards[0].reaches)
        self.merge = GroupMerge(self.shards[0].groups["g"], version, terms, store)

    def put(self, shard, value=1.0, at=TICK, **labels):
        data = canonical({"__name__": "m", **labels})
        samples = Samples(from_bytes(series_id(data)), np.array([0, 1]), np.array([at]), np.array([value]))
        self.windows[shard].put({series_id(data): data}, samples)

    def partials(self, tick=TICK):
        return [
            one.evaluate(window, tick)["g"] for one, window in zip(self.shards, self.windows, strict=True)
        ]

    def results(self, tick=TICK):
        return self.merge.results(tick, self.partials(tick))


def filled(*rules, **options):
    stand = Stand(*rules, **options)
    for at in range(6):
        stand.put(at % 2, float(at), n=str(at), job="xy"[at // 3])
    return stand


MIXED = (
    alert("m > 2"),
    alert("sum by (job) (m) > 1"),
    alert("topk(2, m)"),
    alert("absent(m)"),
    alert("max_over_time(m[5m:1m]) > 2"),
    record("m * 2"),
    alert("r > 1"),
    alert("count_over_time(m[1m]) > on () group_left () count(m)"),
)


def test_of_a_partial_all_comes_back():
    for data in filled(*MIXED).partials():
        partial = decode(data)
        assert encode(partial) == data
        assert partial.families
        assert partial.answers
        assert partial.version == "v1"
        assert partial.tick == TICK


@cache
def a_partial():
    return filled(*MIXED).partials()[0]


@given(st.data())
def test_damaged_bytes_are_refused_or_give_some_partial(data):
    good = a_partial()
    kind = data.draw(st.sampled_from(["cut", "flip", "more"]))
    at = data.draw(st.integers(0, len(good) - 1))
    if kind == "cut":
        bad = good[:at]
    elif kind == "flip":
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    else:
        bad = good + b"x"
    try:
        decode(bad)
    except InvalidPartial:
        return
    assert kind == "flip"


def test_a_mix_of_rule_sets_ticks_or_shards_is_refused():
    stand, other = filled(*MIXED), filled(*MIXED, version="v2")
    one, two = stand.partials()
    with pytest.raises(MixedPartials, match="'v2' instead of 'v1'"):
        stand.merge.results(TICK, [one, other.partials()[1]])
    with pytest.raises(MixedPartials, match="tick"):
        stand.merge.results(TICK, [one, stand.partials(TICK + 10_000)[1]])
    with pytest.raises(MixedPartials, match="two partials of one shard"):
        stand.merge.results(TICK, [two, two])
    assert len(stand.merge.results(TICK, [two, one])) == len(MIXED)


def test_partials_of_other_rules_with_the_same_version_are_refused():
    stand, other = filled(*MIXED), filled(alert("m > 1"))
    with pytest.raises(InvalidPartial):
        other.merge.results(TICK, stand.partials())
    with pytest.raises(InvalidPartial):
        stand.merge.results(TICK, [encode(replace(decode(stand.partials()[0]), families={99: []}))])


def test_an_error_of_one_rule_leaves_the_others_alone():
    stand = filled(alert("m / on (job) m"), alert("m > 4"), alert("m / on (n) m"))
    first, second, third = stand.results()
    assert isinstance(first, Failure)
    assert "found duplicate series" in first.detail
    assert [one.value for one in second.alerting] == [5.0]
    assert len(third.alerting) == 6


def test_a_rule_that_needs_too_many_samples_in_one_place_says_so():
    rules = alert("m > on () group_left () vector(0)", "Big"), alert("m > 3", "Small")
    big, small, *_ = filled(*rules, terms=FIVE).results()
    assert big.detail == "rule 'Big' needs 6 samples at one place, more than the 5 allowed"
    assert len(small.alerting) == 2
    gathered = filled(
        record("m"), alert("r + on () group_left () count({__name__=~'m|r'})", "Own"), terms=FIVE
    )
    assert gathered.results()[1].detail == "rule 'Own' needs 6 samples at one place, more than the 5 allowed"


def test_how_many_samples_a_rule_looks_at_is_told():
    rules = (
        alert("m > 3", "Split"),
        alert("m > on () group_left () vector(0)", "Gathered"),
        alert("vector(1) > 2", "None"),
    )
    stand = filled(*rules)
    stand.results()
    assert stand.merge.samples == [6, 6, 0]


def test_quiet_alerts_all_have_the_same_outcome():
    assert all(one is NOTHING for one in filled(alert("m > 9"), alert("sum(m) < 0")).results())


def test_series_with_labels_that_say_what_values_mean_need_to_be_announced():
    rules = alert("sum(rate(m[5m])) >= 0"), alert("m > 0")
    stand = filled(*rules)
    stand.put(0, 1.0, __type__="gauge")
    assert stand.results()[0] == Failure(METADATA_LABELS)
    told = filled(*rules, terms=Terms(EvaluationContext(), metadata_labels=True))
    told.put(0, 1.0, __type__="gauge")
    assert len(told.results()[1].alerting) == 6


def test_what_goes_back_further_than_memory_is_read_from_the_store():
    rules = alert("m offset 2h > 1"), alert("m > 4")
    nowhere, there = filled(*rules).results()
    assert "back further" in nowhere.detail
    assert len(there.alerting) == 1

    class Store:
        def fetch(self, _, __, end):
            data = canonical({"__name__": "m", "n": "old"})
            return [data], Samples(
                np.array([[0, 0]], np.uint64), np.array([0, 1]), np.array([end]), np.array([7.0])
            )

    stored, _ = _with_store(rules, Store())
    assert [one.value for one in stored.alerting] == [7.0]


def _with_store(rules, store):
    stand = filled(*rules)
    stand.merge = GroupMerge(stand.shards[0].groups["g"], "v1", TERMS, store)
    return stand.results()


def test_templates_can_ask_what_stands_in_them_and_nothing_else():
    texts = {
        "sum": '{{ with query "sum(m)" }}{{ . | first | value }}{{ end }}',
        "piped": '{{ "max(m)" | query | first | value }}',
        "made": '{{ printf "m{n=%q}" $labels.n | query | first | value }}',
        "bad": '{{ query "sum(" }}',
    }
    [result] = filled(alert("m > 4", annotations=texts)).results()
    found = dict(result.alerting[0].annotations)
    assert (found["sum"], found["piped"]) == ("15", "5")
    assert "only literal queries" in found["made"]
    assert "parse error" in found["bad"]


def test_a_rule_sees_what_an_earlier_one_has_recorded_at_this_tick_and_before():
    stand = filled(record("sum(m)", "total"), alert("total > 10"), alert("count_over_time(total[1m]) > 1"))
    for tick, seen in ((TICK, [1, 0]), (TICK + 10_000, [1, 1])):
        found = stand.merge.results(
            tick, stand.partials(tick), lambda _, outcome: outcome if isinstance(outcome, list) else ()
        )
        assert found[0] == [Point({"__name__": "total"}, 15.0)]
        assert [len(one.alerting) for one in found[1:]] == seen


def test_costs_are_told_for_each_rule():
    stand = filled(alert("m > 2"), alert("count_over_time(m[1m]) > 0"), alert("nothing"))
    stand.results()
    assert stand.merge.samples == [6, 6, 0]
    assert all(seconds > 0 for seconds in stand.merge.seconds)


def test_ticks_are_the_multiples_of_the_intervals_from_the_one_at_which_the_set_counts():
    groups = {
        "a": Group("a", [alert("m")], interval_ms=4000),
        "b": Group("b", [alert("m")], interval_ms=6000),
    }
    rules = ShardRules(RuleSet("v", 5000, groups), TERMS, 0)
    assert rules.due(0, 12_000) == [6000, 8000, 12_000]
    assert rules.due(8000, 11_999) == []
    window = Window()
    window.register(rules.reaches)
    assert set(rules.evaluate(window, 6000)) == {"b"}
    assert set(rules.evaluate(window, 12_000)) == {"a", "b"}


def test_a_group_that_cannot_be_read_is_named_and_left_out():
    groups = {"bad": Group("bad", [alert("m >")]), "good": Group("good", [alert("m")])}
    rules = ShardRules(RuleSet("v", 0, groups), TERMS, 0)
    assert set(rules.groups) == {"good"}
    assert "parse error" in rules.faults["bad"]
