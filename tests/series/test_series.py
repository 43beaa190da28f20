import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.series import ids, labels, samples
from streamgauge.series.samples import order_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
LABELS = st.dictionaries(TEXT, TEXT, max_size=5).map(lambda extra: extra | {"__name__": "m"})


@given(LABELS)
def test_labels_survive_their_canonical_bytes(label_set):
    assert labels.parse(labels.canonical(label_set)) == label_set


@given(LABELS)
def test_the_name_splits_off_wherever_it_sorts(label_set):
    name, rest = labels.split_name(labels.canonical(label_set))
    others = {key: value for key, value in label_set.items() if key != "__name__"}
    assert name == b"m"
    parts = rest.split(labels.SEPARATOR) if rest else []
    assert {a.decode(): b.decode() for a, b in zip(parts[::2], parts[1::2], strict=True)} == others


def test_a_value_spelled_like_the_name_label_is_not_the_name():
    data = labels.canonical({"__name__": "m", "A": "__name__", "B": "x"})
    assert labels.split_name(data) == (b"m", b"A\xff__name__\xffB\xffx")


def test_ids_are_the_same_for_ever():
    identity = ids.series_id(labels.canonical({"__name__": "up", "job": "node", "instance": "a:9100"}))
    assert identity.hex() == "3252f1641865b26179418b1f5039f4b5"


def test_metrics_with_the_same_labels_share_a_lane():
    one = ids.series_id(labels.canonical({"__name__": "a", "host": "h1"}))
    two = ids.series_id(labels.canonical({"__name__": "b", "host": "h1"}))
    assert ids.lane_of(one, 4096) == ids.lane_of(two, 4096)
    assert one[:4] != two[:4]


@pytest.mark.parametrize(
    ("label_set", "reason"),
    [
        ({"job": "x"}, labels.LabelsFault.NO_NAME),
        ({"__name__": ""}, labels.LabelsFault.NO_NAME),
        ({"__name__": "m", "": "x"}, labels.LabelsFault.EMPTY_LABEL_NAME),
        ({"__name__": "m", "a": "\ud800"}, labels.LabelsFault.NOT_UTF8),
    ],
)
def test_a_label_set_that_is_no_series_is_refused_with_its_reason(label_set, reason):
    with pytest.raises(labels.InvalidLabels) as refusal:
        labels.canonical(label_set)
    assert refusal.value.reason is reason


@given(st.binary(max_size=40))
def test_any_bytes_are_labels_or_refused(data):
    try:
        parsed = labels.parse(data)
    except labels.InvalidLabels:
        return
    assert labels.canonical(parsed) == data


BITS = st.one_of(
    st.floats(width=64).map(lambda number: int(np.float64(number).view(np.uint64))),
    st.integers(0, 2**64 - 1),
    st.just(samples.STALE_BITS),
)


def _strength(bits):
    """The rule in plain words: number over NaN over stale marker, then total order."""
    if bits == samples.STALE_BITS:
        kind = 0
    elif (bits & (2**63 - 1)) > 0x7FF0000000000000:
        kind = 1
    else:
        kind = 2
    return kind, (2**64 - 1 - bits if bits >> 63 else bits | 2**63)


@given(BITS, BITS)
def test_of_two_equal_timestamps_the_stronger_value_wins(one, two):
    assert samples.wins(np.uint64(one), np.uint64(two)) == (_strength(one) > _strength(two))


SAMPLE = st.tuples(st.integers(0, 3), st.integers(0, 5), BITS)


def _samples(rows):
    """Rows of (series, time, bits), distinct per series and time."""
    ordered = sorted(rows)
    series = sorted({row[0] for row in ordered})
    counts = [sum(row[0] == one for row in ordered) for one in series]
    return samples.Samples(
        np.array([(1, one) for one in series], np.uint64).reshape(-1, 2),
        np.array(list(itertools.accumulate([0, *counts])), np.int64),
        np.array([row[1] for row in ordered], np.int64),
        np.array([row[2] for row in ordered], np.uint64).view(np.float64),
    )


@given(st.lists(st.lists(SAMPLE, unique_by=lambda row: row[:2], max_size=8), max_size=4), st.randoms())
def test_merging_gives_the_same_bytes_in_any_order_and_any_number_of_times(parts, random):
    expected = {}
    for series, time, bits in itertools.chain(*parts):
        held = expected.get((series, time))
        if held is None or _strength(bits) > _strength(held):
            expected[series, time] = bits
    again = [*parts, *random.choices(parts, k=2)] if parts else []
    random.shuffle(again)
    merged = samples.concat([_samples(part) for part in again])
    plain = _samples([(*place, bits) for place, bits in expected.items()])
    for ours, theirs in zip(merged, plain, strict=True):
        assert ours.tobytes() == theirs.tobytes()


ORDERS = {
    "rising": lambda n: range(n),
    "falling": lambda n: range(n, 0, -1),
    "the first again and again": lambda n: [*range(n), *[0] * n],
    "two interleaved": lambda n: [at // 2 + n * (at % 2) for at in range(2 * n)],
    "no order": lambda n: [at * 7919 % 65_537 for at in range(n)],
    "no order, then rising": lambda n: [*(at * 7919 % 65_537 for at in range(n)), *range(70_000, 70_000 + n)],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("runs", [1, 3])
@given(st.integers(1, 150), st.lists(BITS, min_size=1, max_size=5))
def test_runs_in_any_order_are_merged_into_samples_in_order(order, runs, count, strengths):
    times = list(ORDERS[order](count)) * runs
    rows = [(0, time, strengths[at % len(strengths)]) for at, time in enumerate(times)]
    expected = {}
    for _, time, bits in rows:
        if time not in expected or _strength(bits) > _strength(expected[time]):
            expected[time] = bits
    merged = samples.merge(
        np.array([[1, 0]] * runs, np.uint64),
        np.full(runs, len(times) // runs),
        np.array(times, np.int64),
        np.array([bits for _, _, bits in rows], np.uint64).view(np.float64),
        np.arange(runs),
    )
    plain = _samples([(0, *sample) for sample in expected.items()])
    for ours, theirs in zip(merged, plain, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_taking_rows_keeps_their_samples():
    whole = _samples([(0, 1, 5), (1, 1, 6), (1, 2, 7), (3, 9, 8)])
    picked = samples.take(whole, np.array([1, 2]))
    assert picked.ids[:, 1].tolist() == [1, 3]
    assert picked.timestamps.tolist() == [1, 2, 9]
    assert picked.offsets.tolist() == [0, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=60))
def test_rows_are_put_in_the_order_of_their_ids_equal_ones_as_they_came(pairs):
    order = order_of(np.array(pairs, np.uint64).reshape(-1, 2))
    assert order.tolist() == sorted(range(len(pairs)), key=lambda row: pairs[row])
