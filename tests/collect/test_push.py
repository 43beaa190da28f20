import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.receive import push

NOW = 1_800_000_000_000


def decode(body):
    table = SeriesTable(4, 100)
    pushed = push.decode(body if isinstance(body, bytes) else json.dumps(body).encode(), table, NOW)
    assert not pushed.refused
    return pushed.rows, table


def refusal(body):
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    return caught.value


ONE = {"metric": "m", "labels": {"a": "b"}, "value": 1.5, "timestamp": 5}


@pytest.mark.parametrize(
    "body", [ONE, [ONE], json.dumps(ONE).encode() + b"\n", b"\n" + json.dumps(ONE, indent=1).encode()]
)
def test_one_sample_in_any_form(body):
    rows, table = decode(body)
    assert (rows.timestamps.tolist(), rows.values.tolist()) == ([5], [1.5])
    assert table.canonical(int(rows.ordinals[0])) == b"__name__\xffm\xffa\xffb"


def test_one_object_a_line():
    rows, _ = decode(b'{"metric":"a","value":1}\n\n{"metric":"b","value":"-Inf","timestamp":7}\n')
    assert rows.timestamps.tolist() == [NOW, 7]
    assert rows.values.tolist() == [1.0, -math.inf]


def test_lists_of_values_and_timestamps():
    rows, _ = decode([{"metric": "m", "values": [1, "NaN", "+Inf"], "timestamps": [1, 2, 3]}])
    assert rows.counts.tolist() == [3]
    assert math.isnan(rows.values[1])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([ONE, {"value": 1}], "sample 1, metric"),
        ([{**ONE, "value": "x"}], "sample 0, value"),
        ([{**ONE, "value": True}], "sample 0, value"),
        ([{**ONE, "value": 10**400}], "sample 0, value"),
        ([{"metric": "m"}], "sample 0, value"),
        ([{**ONE, "timestamp": 1.5}], "sample 0, timestamp"),
        ([{**ONE, "timestamp": 1 << 63}], "sample 0, timestamp"),
        ([{**ONE, "labels": {"a": 1}}], "sample 0, labels"),
        ([{**ONE, "labels": {"__name__": "x"}}], "sample 0, labels"),
        ([{**ONE, "time": 1}], "sample 0, time"),
        ([{"metric": "m", "values": [1], "timestamps": [1, 2]}], "sample 0, timestamps"),
        ([{"metric": "m", "value": 1, "timestamps": [1]}], "sample 0, timestamps"),
        ([{"metric": "m", "values": 1}], "sample 0, values"),
        ([3], "sample 0"),
    ],
)
def test_what_is_wrong_is_named_by_index_and_field(body, words):
    fault = refusal(body)
    assert fault.reason is RequestFault.NOT_A_SAMPLE
    assert fault.detail.startswith(words)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"metric":"m","value":NaN}',
        b"[" * 100_000,
        b'{"metric":"m","value":1}{"metric":"m","value":1}',
        b'{"metric":"m","value":1} x',
        b'[{"metric":"m","value":1}',
        b'[{"metric":"m","value":1},]',
        b'[{"metric":"m","value":1}] []',
        b'[{"metric":"m","value":1} {"metric":"m","value":1}]',
    ],
)
def test_what_is_not_json_is_refused(body):
    assert refusal(body).reason is RequestFault.NOT_JSON


def test_a_lone_surrogate_is_not_utf8():
    assert refusal(b'{"metric":"m","labels":{"a":"\\ud800"},"value":1}').reason is RequestFault.NOT_UTF8


@pytest.mark.parametrize("characters", [31, 32, 40, 64, 1000])
@pytest.mark.parametrize(
    ("start", "between", "end"), [("[", " , ", "]"), ("", "\n", "\n"), ("\n", "\n\n", "")]
)
def test_objects_are_read_wherever_a_window_ends(characters, start, between, end, monkeypatch):
    monkeypatch.setattr(push, "MAX_OBJECT_CHARACTERS", characters)
    values = [10**number for number in range(8)]
    text = start + between.join(f'{{"metric":"m","value":{value}}}' for value in values) + end
    rows, _ = decode(text.encode())
    assert rows.values.tolist() == values


def test_an_object_that_is_too_long_is_refused_and_the_limit_named(monkeypatch):
    monkeypatch.setattr(push, "MAX_OBJECT_CHARACTERS", 30)
    fault = refusal(
        b'[{"metric":"m","value":1},{"metric":"mmmmmmmmmmmm","value":1},{"metric":"m","value":1}]'
    )
    assert fault.reason is RequestFault.NOT_JSON
    assert "sample 1" in fault.detail
    assert "at most 30" in fault.detail


def test_a_line_separator_inside_a_string_ends_no_line():
    rows, table = decode(
        '{"metric":"a","labels":{"b":"x\u2028y"},"value":1}\n{"metric":"a","value":2}'.encode()
    )
    assert rows.values.tolist() == [1, 2]
    assert "x\u2028y".encode() in table.canonical(int(rows.ordinals[0]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(push.KEYS)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_taken_or_refused(content):
    with contextlib.suppress(InvalidRequest):
        decode(json.dumps(content).encode())
