import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.data.labels import concat, from_canonical, from_rows
from streamgauge.promql.data.vectors import counts, written
from streamgauge.series.labels import canonical

ROW = st.dictionaries(st.sampled_from(["__name__", "a", "b", "c.d"]), st.sampled_from(["", "x", "y", "é"]))
ROWS = st.lists(ROW, max_size=12)
NAMES = st.sets(st.sampled_from(["__name__", "a", "b", "none"]))


def known(row):
    return {name: value for name, value in row.items() if value}


@given(ROWS)
def test_a_table_gives_back_what_it_was_made_of(rows):
    table = from_rows(rows)
    assert table.rows() == [known(row) for row in rows]
    assert [table.row(index) for index in range(len(rows))] == table.rows()
    assert table.values_of("a") == [row.get("a", "") for row in rows]


@given(ROWS)
def test_a_table_reads_canonical_bytes(rows):
    named = [{**known(row), "__name__": "m"} for row in rows]
    table = from_canonical([canonical(row) for row in named])
    assert table.rows() == [dict(sorted(row.items())) for row in named]


@given(ROWS, NAMES)
def test_labels_are_kept_or_dropped(rows, names):
    table = from_rows(rows)
    assert table.keep(names).rows() == [
        {name: value for name, value in known(row).items() if name in names} for row in rows
    ]
    assert table.drop(names).rows() == [
        {name: value for name, value in known(row).items() if name not in names} for row in rows
    ]


@given(ROWS, NAMES, ROWS)
def test_groups_are_series_with_equal_labels(rows, names, more):
    table = concat([from_rows(rows), from_rows(more)]).keep(names)
    keys = [tuple(sorted(row.items())) for row in table.rows()]
    distinct = list(dict.fromkeys(keys))
    codes, first = table.groups()
    assert codes.tolist() == [distinct.index(key) for key in keys]
    assert first.tolist() == [keys.index(key) for key in distinct]
    assert table.is_unique == (len(distinct) == len(keys))


@given(st.lists(st.lists(st.integers(0, 9_999), min_size=20, max_size=20), min_size=1, max_size=20))
def test_groups_of_more_combinations_than_an_integer_holds(numbers):
    # twenty labels with ten thousand values each
    padding = [{f"l{label}": f"v{value}" for label in range(20)} for value in range(0, 10_000, 97)]
    rows = [{f"l{label}": f"v{value}" for label, value in enumerate(row)} for row in numbers] + padding
    keys = [tuple(row.items()) for row in rows]
    distinct = list(dict.fromkeys(keys))
    codes, _ = from_rows(rows).groups()
    assert codes.tolist() == [distinct.index(key) for key in keys]


@given(ROWS)
def test_a_label_is_made_from_another(rows):
    made = from_rows(rows).mapped("b", "a", lambda value: None if value == "x" else value.upper())
    for row, found in zip(rows, made.rows(), strict=True):
        value = row.get("b", "") if row.get("a") == "x" else row.get("a", "").upper()
        assert found == known({**row, "b": value})


@given(ROWS, st.data())
def test_rows_are_taken_by_number_or_mask(rows, data):
    table = from_rows(rows)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), bool)
    picked = [known(row) for row, is_taken in zip(rows, mask, strict=True) if is_taken]
    assert table.take(mask).rows() == picked
    assert table.take(mask).count == len(picked)
    assert table.take(np.flatnonzero(mask)).rows() == picked


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.booleans(), min_size=3, max_size=3)), max_size=9))
def test_presence_is_counted_by_group(series):
    codes = np.array([code for code, _ in series], np.int64)
    present = np.array([steps for _, steps in series], bool).reshape(-1, 3)
    expected = [
        [sum(steps[step] for code, steps in series if code == group) for step in range(3)]
        for group in range(4)
    ]
    assert counts(codes, 4, present).tolist() == expected


def test_labels_are_written_as_in_messages():
    assert written({"b.c": 'q"\n', "__name__": "up"}) == '{__name__="up", "b.c"="q\\"\\n"}'


@given(ROWS)
def test_series_are_ordered_by_the_first_label_that_differs(rows):
    found = from_rows(rows).order().tolist()
    keys = [tuple(sorted(known(row).items())) for row in rows]
    assert found == sorted(range(len(rows)), key=keys.__getitem__)
