"""The window against a plain model, and what it forgets."""

import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batches.batch import Batch, InvalidBatch
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.stream.compile.reach import Reach
from streamgauge.rules.stream.samples.window import Window
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import STALE, Samples, concat, order_of

HISTORY = 1000
SELECTORS = ("a", 'a{n="1"}', '{n=~"1|2"}', 'b{n!="1"}', '{__name__="b",m=""}')
NAMES = [{"__name__": name, "n": str(n)} for name in "abc" for n in range(3)] + [{"__name__": "b", "m": "x"}]
REACHES = [Reach(parse(text).conditions, HISTORY * (at + 1), 0) for at, text in enumerate(SELECTORS)]
HISTORIES = {reach.conditions: reach.before for reach in REACHES}

values = st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan, STALE, math.inf])
rows = st.dictionaries(st.integers(0, 5000), values, min_size=1, max_size=20)
batches = st.lists(st.dictionaries(st.integers(0, len(NAMES) - 1), rows, min_size=1), max_size=8)


def samples_of(content):
    """Rows by their labels as a batch has them, and the labels in the same order."""
    data = [canonical(NAMES[at]) for at in content]
    ids = from_bytes(b"".join(map(series_id, data)))
    order = order_of(ids)
    parts = [sorted(list(content.values())[at].items()) for at in order]
    flat = [sample for part in parts for sample in part]
    samples = Samples(
        ids[order],
        np.cumsum([0, *map(len, parts)]),
        np.array([time for time, _ in flat], np.int64),
        np.array([value for _, value in flat]),
    )
    return samples, [data[at] for at in order]


def batch_of(content, labels=True):
    samples, data = samples_of(content)
    return Batch(samples, pa.array(data, pa.binary()) if labels else None)


def window():
    found = Window()
    found.register(REACHES)
    return found


def expected(parts, conditions, start, end, oldest):
    """What a selector gives, by labels."""
    named = [(matcher.name.encode(), matcher) for matcher in conditions]
    merged = concat([samples for samples, _ in parts])
    by_id = {series_id(data): data for _, labels in parts for data in labels}
    found = {}
    for row, identity in enumerate(merged.ids.astype(">u8")):
        data = by_id[identity.tobytes()]
        part = slice(merged.offsets[row], merged.offsets[row + 1])
        inside = [
            (time, struct.pack("d", value))
            for time, value in zip(
                merged.timestamps[part].tolist(), merged.values[part].tolist(), strict=True
            )
            if max(start, oldest) <= time <= end
        ]
        if inside and fulfils(data, named):
            found[data] = inside
    return found


def fetched(window, conditions, start, end):
    labels, samples = window.fetch(conditions, start, end)
    assert (order_of(samples.ids) == np.arange(len(labels))).all()
    assert [series_id(data) for data in labels] == [one.tobytes() for one in samples.ids.astype(">u8")]
    return {
        data: [
            (time, struct.pack("d", value))
            for time, value in zip(
                samples.timestamps[samples.offsets[row] : samples.offsets[row + 1]].tolist(),
                samples.values[samples.offsets[row] : samples.offsets[row + 1]].tolist(),
                strict=True,
            )
        ]
        for row, data in enumerate(labels)
    }


@given(batches, st.integers(0, 6000), st.integers(0, 6000))
def test_it_gives_what_was_put_in_whatever_the_order(contents, start, end):
    one = window()
    for content in contents:
        one.add(batch_of(content))
    parts = [samples_of(content) for content in contents]
    for reach in REACHES:
        wanted = expected(parts, reach.conditions, start, end, 0) if parts else {}
        assert fetched(one, reach.conditions, start, end) == wanted


@given(batches, batches, st.integers(0, 8000))
def test_after_pruning_each_tick_finds_all_that_it_looks_at(before, after, tick):
    one = window()
    for content in before:
        one.add(batch_of(content))
    one.prune(tick)
    for content in after:
        one.add(batch_of(content))
    one.prune(tick)
    parts = [samples_of(content) for content in [*before, *after]]
    for reach in REACHES:
        wanted = expected(parts, reach.conditions, tick - reach.before, 10_000, 0) if parts else {}
        assert fetched(one, reach.conditions, tick - reach.before, 10_000) == wanted


def test_labels_are_asked_for_until_a_series_is_known_be_it_kept_or_not():
    one, batch = window(), batch_of({0: {5: 1.0}, 8: {5: 1.0}}, labels=False)
    ignored = batch_of({6: {5: 1.0}}, labels=False)
    assert one.unknown(batch)
    assert one.unknown(ignored)
    with pytest.raises(ValueError, match="without labels"):
        one.add(batch)
    one.add(batch_of({0: {5: 1.0}, 6: {5: 1.0}, 8: {5: 1.0}}))
    assert not one.unknown(batch)
    assert not one.unknown(ignored)
    one.add(batch)
    assert one.series == 2


def test_labels_that_are_not_those_of_the_ids_put_nothing_in():
    one = window()
    good = batch_of({0: {5: 1.0}, 1: {5: 1.0}})
    with pytest.raises(InvalidBatch):
        one.add(Batch(good.samples, pa.array(good.labels.to_pylist()[::-1], pa.binary())))
    assert one.series == 0
    assert one.unknown(good)


def test_series_without_samples_are_forgotten_and_their_memory_is_used_again():
    one = Window()
    one.register([Reach(parse("a").conditions, HISTORY, 0)])
    sizes = []
    for turn in range(50):
        tick = turn * 10 * HISTORY
        for host in range(50):
            data = canonical({"__name__": "a", "host": f"{turn}-{host}"})
            identity = series_id(data)
            times = np.arange(tick - 20, tick, dtype=np.int64)
            samples = Samples(from_bytes(identity), np.array([0, 20]), times, np.ones(20))
            one.put({identity: data}, samples)
        one.prune(tick)
        assert one.series == 50
        sizes.append(one.nbytes)
    # but for the length of the labels
    assert max(sizes) < 1.01 * max(sizes[:3])


def test_other_selectors_make_series_unknown_that_were_passed_over_and_keep_the_others():
    one = Window()
    one.register([Reach(parse("a").conditions, HISTORY, 0)])
    one.add(batch_of({0: {5: 1.0}, 3: {5: 1.0}}))
    longer, other = Reach(parse("a").conditions, 2 * HISTORY, 0), Reach(parse("b").conditions, HISTORY, 0)
    assert one.register([longer, other]) == [longer.conditions, other.conditions]
    assert one.unknown(batch_of({3: {5: 1.0}}))
    assert not one.unknown(batch_of({0: {5: 1.0}}))
    assert list(fetched(one, longer.conditions, 0, 10)) == [canonical(NAMES[0])]
    assert one.register([other]) == []
    assert one.series == 0
    with pytest.raises(KeyError):
        one.fetch(longer.conditions, 0, 10)
