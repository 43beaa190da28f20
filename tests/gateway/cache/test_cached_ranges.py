"""Range queries from kept parts: whatever happens in between, the answer is the one that would be computed now."""

import pkgutil
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import Resolution
from streamgauge.gateway.cache.asked import Refusal
from streamgauge.gateway.cache.values import ValueFault, seal
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.query import Query
from streamgauge.series.ids import lane_of, series_id
from streamgauge.series.known_series import KNOWN_LIMIT
from streamgauge.series.samples import STALE
from streamgauge.store.reading import Damage, ReadContext
from tests.support.cached_system import MINUTE, SERIES, System, filled, shown
from tests.support.model_store import BEGIN, LANES, label_set

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
_lane = st.integers(0, LANES - 1)
_actions = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(SERIES),
        _time,
        st.integers(0, 9).map(float) | st.sampled_from([STALE, float("nan")]),
        st.booleans(),
        st.booleans(),
    ),
    st.tuples(st.just("seal"), _lane, st.sampled_from([1, 3, 7, 60, 90]), st.booleans()),
    st.tuples(st.just("seal_index"), _lane, st.integers(0, 130).map(lambda minute: BEGIN + minute * MINUTE)),
    st.tuples(st.sampled_from(["store", "rollup"]), st.integers(1, 6)),
    st.tuples(st.just("restart"), st.integers(0, 3)),
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
    elif kind == "seal_index":
        store.seal_index(*rest)
    elif kind == "restart":
        store.store_job.restart(*rest)
    else:
        for _ in range(rest[0]):
            (store.store_job if kind == "store" else store.rollup_job).step()


@settings(max_examples=150)
@given(
    st.lists(_actions, min_size=5, max_size=30),
    st.lists(_asked, min_size=1, max_size=2),
    st.lists(st.tuples(st.lists(_actions, max_size=4), st.lists(_actions, max_size=6)), max_size=6),
    st.sampled_from([0, 2, KNOWN_LIMIT]),
)
def test_kept_equals_computed_whatever_happens_before_between_and_meanwhile(first, asked, rounds, limit):
    """Each round something happens, then each query is asked while something happens, then compared."""
    system = System(limit)
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
            system.store.settle()
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


class Behind:
    """Minutes 0 to 30 of a lane are sealed; then a new series comes, late and on time, which no job has read yet."""

    def __init__(self):
        self.system = filled(30, MINUTE)
        self.store = self.system.store
        self.series = label_set("x", 77)
        self.lane = next(lane for lane, log in self.store.log.items() if self.series_is_of(lane))
        # a minute before the first too: that a series is known must not hide its other batches
        for minute in (20, 32, 10, 38):
            self.store.write(self.series, BEGIN + minute * MINUTE, float(minute), stored=False, rolled=False)
        self.query = Query(BEGIN + 5 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)

    def series_is_of(self, lane):
        return lane_of(series_id(self.series), LANES) == lane

    def seal(self, minutes):
        """Time goes on for the rollup job alone."""
        for lane in range(LANES):
            self.store.seal(lane, minutes, index=False)

    def compare(self):
        self.store.settle()
        self.system.compare("x", self.query)

    def catch_up(self):
        """The store job does all that there is to do, and time passes for it too."""
        while self.store.step():
            pass
        for lane, to in self.store.sealed[Resolution.MIN1].items():
            self.store.seal_index(lane, to)


def everything_behind_everything():
    """Each job stops at each of its steps, is asked of there and when all is done; so are both together."""
    for rolled in range(17):
        for stored in (0, 1, 2, 6, 7, 12):
            for sealed in (0, 15):
                behind = Behind()
                for _ in range(rolled):
                    behind.store.rollup_job.step()
                behind.seal(sealed)
                for _ in range(stored):
                    behind.store.store_job.step()
                behind.compare()
                behind.catch_up()
                behind.compare()


def test_whatever_is_behind_kept_answers_are_those_that_are_computed():
    everything_behind_everything()


@pytest.mark.parametrize(
    ("where", "broken"),
    [
        # the store job hands on the first batch of a series only
        (
            "streamgauge.series.known_series.KnownSeries.hand_on",
            lambda real: lambda *at: real(*at) and bool(at[3]),
        ),
        # what comes late outdates nothing
        ("streamgauge.series.known_series.IndexedMinutes.is_sealed", lambda _: lambda *_: False),
        # answers are kept while the index is behind
        ("streamgauge.gateway.cache.sealed.is_indexed", lambda _: lambda *_: True),
    ],
)
def test_the_model_shows_what_is_wrong_without_each_of_the_means(monkeypatch, where, broken):
    owner, _, name = where.rpartition(".")
    real = pkgutil.resolve_name(owner)
    monkeypatch.setattr(where, broken(getattr(real, name)))
    with pytest.raises(AssertionError):
        everything_behind_everything()


def test_nothing_new_is_kept_while_the_index_is_behind_and_what_was_kept_is_used():
    system = filled(60)
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)
    longer = replace(query, end=BEGIN + 50 * MINUTE - 15_000)
    system.compare("x", query)
    for lane in range(LANES):
        system.store.seal(lane, 5, index=False)
    report = system.compare("x", longer).report
    assert report.refusal is Refusal.UNINDEXED
    assert report.kept == [
        (BEGIN + minute * MINUTE, BEGIN + (minute + 5) * MINUTE - 15_000) for minute in range(10, 40, 5)
    ]
    assert system.compare("x", longer).report.computed == report.computed
    for lane in range(LANES):
        system.store.seal_index(lane, BEGIN + 65 * MINUTE)
    system.compare("x", longer)
    report = system.compare("x", longer).report
    assert (report.refusal, report.computed) == (None, [])


def test_a_series_that_comes_into_the_index_late_is_seen():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)
    late = label_set("x", 77)
    for minute in range(20, 40):
        system.store.write(late, BEGIN + minute * MINUTE, 5.0, stored=False)
    while system.store.rollup_job.step():
        pass
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
    reading = ReadContext()
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


def test_a_crafted_value_is_a_miss_though_its_checksum_is_right():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.compare("x", query)
    keys = list(system.kept.values)
    head = struct.pack("<BIIHH", 1, 1 << 31, 1 << 31, 9, 9)
    contents = [
        b"",
        b"\xff" * 40,
        head,
        head + bytes(1000),
        bytes(1 << 20),
        struct.pack("<BIIHH", 1, 0, 7, 0, 0),
    ]
    for key, content in zip(keys, contents, strict=False):
        system.kept.values[key] = seal(key, content), 60
    system.compare("x", query)
    assert system.invalid == [ValueFault.DAMAGED] * len(contents)


class _Little(ReadContext):
    """A reading that may hold so many bytes."""

    def hold(self, size):
        if size > 1 << 20:
            raise InvalidRequest(ErrorType.UNAVAILABLE, f"not enough memory for {size} bytes")


def test_a_value_that_would_take_more_memory_than_there_is_is_a_miss():
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE, 15_000)
    system.compare("x", query)
    first, second, third, *others = system.kept.values
    # zeros: few bytes each; a piece of values that are not there; and what only says that it is large
    system.kept.values[first] = seal(first, bytes(8 << 20)), 60
    bits = struct.pack("<BIIHH", 1, 50_000, 20, 0, 0) + bytes(125_000)
    system.kept.values[second] = seal(second, bits), 60
    claimed = bytearray(system.kept.values[third][0])
    claimed[9:13] = b"\xff" * 4
    system.kept.values[third] = bytes(claimed), 60
    found = system.ask("x", query, _Little())
    assert shown(found.value) == shown(system.ask("x", query, no_store=True).value)
    assert system.invalid == [ValueFault.TOO_LARGE] * 3
    assert len(found.report.kept) == len(others)


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
    while system.store.step():
        pass
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
