"""Range queries from kept parts: whatever happens in between, the answer is the one that would be computed now."""

from collections import Counter
from contextlib import suppress

import pytest
from cached_system import MINUTE, SERIES, System, filled, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from model_store import BEGIN, LANES, label_set

from streamgauge.gateway.cache.refusals import Refusal
from streamgauge.gateway.cache.values import ValueFault
from streamgauge.promql.faults import InvalidQuery
from streamgauge.promql.query import Query
from streamgauge.series.samples import STALE
from streamgauge.store.reading import Damage, Reading

HOUR = 60 * MINUTE
QUERIES = [
    "x",
    "sum(x)",
    "rate(x[2m])",
    "sum by (n) (increase(x_total[5m]))",
    "max_over_time(x[10m]) + on (n) x_total",
    "avg_over_time(x[4m] offset 3m)",
    "topk(1, x or x_total)",
    "sum_over_time(sum(x)[5m:30s])",
    "quantile_over_time(0.5, x[7m] offset 1m)",
    "scalar(sum(x)) + time()",
    "absent(x{n='1'})",
    "count_values('v', x)",
    "last_over_time(x_total[3m:])",
    "x smoothed",
    "histogram_quantile(2, x)",
    "rate({__name__=~'x'}[3m])",
    f"x + on (n) x_total @ {BEGIN / 1000 + 300}",
]


_time = st.integers(0, 130 * 6).map(lambda tens: BEGIN + tens * 10_000)
_actions = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(SERIES),
        _time,
        st.integers(0, 9).map(float) | st.sampled_from([STALE, float("nan")]),
        st.booleans(),
    ),
    st.tuples(st.just("seal"), st.integers(0, LANES - 1), st.sampled_from([1, 3, 7, 60])),
    st.tuples(st.just("seal"), st.integers(0, LANES - 1), st.sampled_from([90])),
    st.tuples(st.just("step"), st.integers(1, 4)),
)
_asked = st.tuples(
    st.sampled_from(QUERIES),
    st.integers(0, 60).map(lambda minutes: BEGIN + minutes * MINUTE),
    st.sampled_from([20, 27, 45, 60]),
    st.sampled_from([15_000, 60_000, 240_000]),
    st.sampled_from([0, 5000]),
)


def act(store, action):
    kind, *rest = action
    if kind == "write":
        store.write(*rest)
    elif kind == "seal":
        store.seal(*rest)
    else:
        for _ in range(rest[0]):
            store.step()


@settings(max_examples=150)
@given(
    st.lists(_actions, min_size=5, max_size=30),
    st.lists(_asked, min_size=1, max_size=2),
    st.lists(st.tuples(st.lists(_actions, max_size=4), st.lists(_actions, max_size=6)), max_size=6),
)
def test_kept_equals_computed_whatever_happens_before_between_and_meanwhile(first, asked, rounds):
    """Each round something happens, then each query is asked while something happens, then compared."""
    system = System()
    for lane in range(LANES):
        system.store.seal(lane, 30)
    for action in first:
        act(system.store, action)
    for before, meanwhile in rounds:
        for action in before:
            act(system.store, action)
        waiting = list(meanwhile)

        def happen(waiting=waiting):
            if waiting:
                act(system.store, waiting.pop(0))

        for text, start, count, step, phase in asked:
            query = Query(start + phase, start + phase + count * step, step)
            system.store.happen = system.kept.happen = happen
            # what fails while data changes is no answer that could be wrong
            with suppress(InvalidQuery):
                system.ask(text, query)
            system.store.happen = system.kept.happen = lambda: None
            while not system.store.is_settled():
                system.store.step()
            for moved in (0, 3 * step):
                with suppress(InvalidQuery):
                    system.compare(text, Query(query.start + moved, query.end + moved, step))


@pytest.mark.parametrize("text", QUERIES)
@pytest.mark.parametrize("step", [15_000, 60_000, 240_000])
def test_a_query_that_slides_is_the_same_as_computed(text, step):
    system = filled(200) if step < 240_000 else filled(520, 60_000)
    for moved in range(8):
        start = BEGIN + 20 * MINUTE + moved * step * 7
        system.compare(text, Query(start, start + 39 * step, step))
    if text in ("histogram_quantile(2, x)",):
        assert set(system.sources) == {Refusal.REMARKED}
    else:
        assert system.sources["kept"] >= 5


def test_what_is_kept_is_not_computed_again():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)
    assert system.compare("x", query).report.kept == []
    found = system.compare("x", query).report
    assert (found.kept_points, found.computed) == (found.points, [])
    assert found.points == 3 * 120


def test_a_late_sample_is_seen_when_its_generation_is_up_and_only_its_part_is_computed():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)
    before = system.compare("x", query)
    late = BEGIN + 22 * MINUTE + 40_000
    system.store.write(SERIES[1], late, 1000.0)
    while system.store.step():
        pass
    after = system.compare("x", query)
    assert shown(after.value) != shown(before.value)
    # marks are 5 minutes wide, and selectors look back as far
    assert after.report.computed == [(BEGIN + 20 * MINUTE, BEGIN + 30 * MINUTE - 15_000)]


def test_a_series_that_comes_into_the_index_late_is_seen():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)
    late = label_set("x", 77)
    system.store.write(late, BEGIN + 20 * MINUTE, 5.0, indexed=False)
    system.store._late.clear()
    system.store._raw[late][BEGIN + 20 * MINUTE] = 5.0
    assert len(system.compare("x", query).value.labels.rows()) == 3
    while system.store.step():
        pass
    assert len(system.compare("x", query).value.labels.rows()) == 4


def test_the_tail_that_is_not_sealed_is_never_kept():
    system = filled(60)
    end = BEGIN + 60 * MINUTE
    query = Query(end - 30 * MINUTE, end, 15_000)
    system.compare("x", query)
    report = system.compare("x", query).report
    # two minutes before the seal are read from the head too
    assert report.kept[-1][1] < end - 2 * MINUTE
    assert report.computed[-1][1] == end


def test_damaged_rows_and_warnings_are_never_kept():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    reading = Reading()
    system.store.happen = lambda: reading.damages.append(Damage("damaged", "row"))
    assert system.ask("x", query, reading).report.refusal is Refusal.REMARKED
    system.store.happen = lambda: None
    assert system.compare("x", query).report.refusal is Refusal.REMARKED
    system.kept.values.clear()
    assert system.compare("x", query).report.refusal is None


def test_no_store_neither_reads_nor_writes():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    assert system.ask("x", query, no_store=True).report.refusal is Refusal.NO_STORE
    assert not system.kept.values
    system.ask("x", query)
    assert system.ask("x", query, no_store=True).report.kept == []


def test_a_tenant_finds_nothing_of_another():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.ask("x", query, tenant="a")
    assert system.ask("x", query, tenant="b").report.kept == []
    assert system.ask("x", query, tenant="a").report.kept


def test_a_value_that_is_damaged_or_under_another_key_is_a_miss():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.compare("x", query)
    keys = list(system.kept.values)
    values = [value for value, _ in system.kept.values.values()]
    changed = bytes([*values[0][:-1], values[0][-1] ^ 1])
    for key, value in zip(keys, [changed, b"", b"\xff" * 40, values[0], *values[4:]], strict=False):
        system.kept.values[key] = value, 60
    system.compare("x", query)
    assert system.invalid == [ValueFault.DAMAGED, ValueFault.FOREIGN, ValueFault.FOREIGN, ValueFault.DAMAGED]


def test_parts_of_the_last_hour_live_a_minute_and_older_ones_an_hour():
    system = filled(180)
    start = system.store.now - 100 * MINUTE
    system.compare("x", Query(start, start + 90 * MINUTE, 15_000))
    lives = Counter(seconds for _, seconds in system.kept.values.values())
    assert set(lives) == {60, 3600}


def test_what_expires_while_it_is_kept_is_not_kept():
    system = filled(60)
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.store.now = BEGIN + 30 * 24 * HOUR - 20 * MINUTE
    assert system.ask("x", query).report.refusal is Refusal.UNSEALED
    assert not system.kept.values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x offset -1m", Refusal.NEGATIVE_OFFSET),
        ("sum_over_time(x[5m:1m] offset -1m)", Refusal.NEGATIVE_OFFSET),
        ("x @ end()", Refusal.BOUNDARY),
        ("sum_over_time(x[5m:1m] @ start())", Refusal.BOUNDARY),
        ("x + start()", Refusal.BOUNDARY),
        ("x * range()", Refusal.BOUNDARY),
        (f"x @ {BEGIN / 1000 + 3600}", Refusal.AT_AHEAD),
        ("sort(x)", Refusal.SORTED),
        ("quantile(scalar(sum(x)), x)", Refusal.PARAMETER),
        ("quantile(time(), x)", Refusal.PARAMETER),
        ("time()", Refusal.NOTHING_READ),
    ],
)
def test_what_depends_on_more_than_the_step_is_not_kept(text, reason):
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    for _ in range(2):
        assert system.compare(text, query).report.refusal is reason
    assert not system.kept.values


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (Query(BEGIN, BEGIN + 18 * 15_000, 15_000), Refusal.SHORT),
        (Query(BEGIN, BEGIN + 10 * MINUTE, 500), Refusal.FINE_STEP),
        (Query(BEGIN, BEGIN, 15_000), Refusal.SHORT),
    ],
)
def test_what_is_too_small_is_not_kept(query, reason):
    system = filled()
    assert system.compare("x", query).report.refusal is reason


def test_a_query_that_fails_outside_of_what_was_asked_for_is_answered():
    system = filled()
    # two series with equal labels but the name, from minute 12 on only one of them
    for number in (8, 9):
        for second in range(0, 60 * 60, 15):
            if number == 8 or second < 6 * 60:
                name = "pair_a" if number == 8 else "pair_b"
                system.store.write(label_set(name, 0), BEGIN + second * 1000, 1.0)
    for data in (label_set("pair_a", 0), label_set("pair_b", 0)):
        system.store._raw[data].update(system.store._head[data])
    text = "abs({__name__=~'pair_.'})"
    query = Query(BEGIN + 12 * MINUTE, BEGIN + 42 * MINUTE, 15_000)
    with pytest.raises(InvalidQuery):
        system.ask(text, Query(BEGIN + 3 * MINUTE, BEGIN + 33 * MINUTE, 15_000))
    assert len(system.compare(text, query).value.labels.rows()) == 1


def test_infos_are_those_of_the_text_that_is_asked():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.compare("rate(x[2m])", query)
    found = system.compare("  rate( x [2m] )", query)
    assert found.report.kept
    assert found.infos[0].endswith("(1:9)")
