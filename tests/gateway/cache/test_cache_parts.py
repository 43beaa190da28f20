"""Where queries are cut, and what is computed together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.cache.parts import parts_of, runs_of, slots_of, steps_a_part
from streamgauge.gateway.cache.pieces import Note, may_inform, together
from streamgauge.promql.data.query import spread
from streamgauge.promql.syntax.parser import parse

_steps = st.sampled_from([1000, 15_000, 30_000, 60_000, 7_000, 3_600_000])
_starts = st.integers(-(10**12), 2 * 10**12)


@given(_starts, _steps, st.integers(1, 500), st.integers(0, 300))
def test_queries_of_one_step_and_phase_are_cut_at_the_same_steps(start, step, count, moved):
    one = parts_of(spread(start, start + (count - 1) * step, step))
    other = parts_of(spread(start + moved * step, start + (moved + count - 1) * step, step))
    both = {part.number: part for part in one}
    assert all(both.get(part.number, part) == part for part in other)


@given(_starts, _steps, st.integers(1, 500))
def test_slots_are_all_steps_that_were_asked_for_and_no_other(start, step, count):
    grid = spread(start, start + (count - 1) * step, step)
    slots = slots_of(parts_of(grid), grid)
    times = [slot.start + number * step for slot in slots for number in range(slot.size)]
    assert times == grid.times.tolist()
    assert all(slot.part.size == steps_a_part(step) for slot in slots)
    assert all(slot.is_whole for slot in slots[1:-1])


def test_a_part_takes_five_minutes_or_twenty_steps():
    assert [steps_a_part(step) * step // 1000 for step in (1000, 15_000, 60_000)] == [300, 300, 1200]


@given(
    _starts,
    _steps,
    st.integers(1, 300),
    st.sets(st.integers(0, 20)),
    st.sets(st.integers(0, 20)),
    st.booleans(),
)
def test_runs_compute_every_slot_once_final_ones_whole(start, step, count, kept, others, apart):
    grid = spread(start, start + (count - 1) * step, step)
    slots = slots_of(parts_of(grid), grid)
    first = slots[0].part.number
    kept = {first + number for number in kept}
    final = {slot.part.number for slot in slots if slot.part.number - first not in others} | kept
    runs = list(runs_of(slots, kept, lambda slot: slot.part.number in final, apart))
    assert [slot for run in runs for slot in run.slots] == [s for s in slots if s.part.number not in kept]
    for run in runs:
        assert len(run.slots) == 1 or not apart
        times = []
        for slot in run.slots:
            whole = slot.part.number in final
            times.append((slot.part.start, slot.part.end) if whole else (slot.start, slot.end))
        assert (run.start, run.end) == (times[0][0], times[-1][1])
        assert all(after[0] - before[1] == step for before, after in pairwise(times))


def test_infos_come_from_rates_of_what_may_be_no_counter():
    for text in (
        "sum(rate(x_total[5m])) / sum(increase(y_count[5m])) + x",
        "rate({__name__='x_total', a='b'}[5m])",
        "rate({__name__=~'x_total|y_count'}[5m])",
    ):
        assert not may_inform(parse(text)), text
    for text in (
        "rate(x[5m])",
        "rate({__name__=~'x.*'}[5m])",
        "rate({__name__=~'x_total|y'}[5m])",
        "rate({a='b'}[5m])",
        "1 + increase((x)[5m:])",
        "rate(x_total[5m:])",
    ):
        assert may_inform(parse(text)), text


def test_infos_of_parts_are_those_of_the_whole_or_it_is_not_known():
    a, b = (Note("a", 1),), (Note("b", 2),)
    assert together([(), ()], [()]) == ()
    assert together([a, (), a], [a, ()]) == a
    assert together([a, b], []) is None
    # of a part of which only some steps were asked for it may be about the others
    assert together([()], [a]) is None
    assert together([a], [b]) is None
