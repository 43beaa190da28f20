"""Which rule set counts when."""

from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.rules.applied.timeline import Timeline, due

NOON = 1_763_892_000_000
RULE = Rule(RuleKind.RECORD, "a:b", "a")


def group(name, interval_ms):
    return Group(name, [RULE], interval_ms)


def published(timeline, messages, now, groups):
    """Publish groups as a file; the first tick at which they count."""
    found = publication(RuleSets(messages), {"f": groups}, now)
    messages += found.messages
    assert timeline.take(found.messages)
    return found.rules.effective_from


def test_nothing_is_due_without_rules():
    timeline = Timeline()
    assert timeline.next_tick(NOON) is None
    assert timeline.at(NOON) is None
    assert not timeline.take([])


def test_ticks_are_multiples_of_each_interval_from_the_first_on():
    timeline = Timeline()
    first = published(timeline, [], NOON + 1, [group("often", 10_000), group("seldom", 15_000)])
    assert first == NOON + 10_000
    ticks = [NOON]
    while len(ticks) < 6:
        ticks.append(timeline.next_tick(ticks[-1]))
    assert [tick - NOON for tick in ticks] == [0, 10_000, 15_000, 20_000, 30_000, 40_000]
    rules = timeline.at(NOON + 15_000)
    assert [due(rules, tick) for tick in ticks[1:5]] == [
        ["f/often"],
        ["f/seldom"],
        ["f/often"],
        ["f/often", "f/seldom"],
    ]


def test_another_set_counts_from_its_first_tick_which_is_due_whatever_it_says():
    timeline, messages = Timeline(), []
    old = published(timeline, messages, NOON, [group("g", 60_000)])
    new = published(timeline, messages, NOON + 90_000, [group("h", 7000)])
    assert timeline.next_tick(old) == NOON + 120_000 or timeline.next_tick(old) == new
    assert timeline.next_tick(new - 1) == new
    assert set(timeline.at(new - 1).groups) == {"f/g"}
    assert set(timeline.at(new).groups) == {"f/h"}
    assert timeline.of_version(timeline.at(new).version) is timeline.at(new)
    assert [set(one.groups) for one in timeline.since(new - 1)] == [{"f/g"}, {"f/h"}]
    timeline.forget_before(new)
    assert timeline.at(new - 1) is None


def test_the_set_that_was_published_last_counts_if_two_begin_together():
    timeline, messages = Timeline(), []
    first = published(timeline, messages, NOON, [group("g", 60_000)])
    again = published(timeline, messages, NOON + 1000, [group("h", 60_000)])
    assert first == again
    assert set(timeline.at(first).groups) == {"f/h"}


def test_after_all_rules_were_removed_nothing_is_due():
    timeline, messages = Timeline(), []
    published(timeline, messages, NOON, [group("g", 60_000)])
    end = published(timeline, messages, NOON + 600_000, [])
    assert timeline.next_tick(end - 1) == end
    assert timeline.next_tick(end) is None
