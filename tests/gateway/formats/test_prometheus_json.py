import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.series import labels


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (1 / 3, "0.3333333333333333"),
        (100.0, "100"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (123456789012345680.0, "123456789012345680"),
        (1.2345678901234567e19, "12345678901234567000"),
        (9.99e20, "999000000000000000000"),
        (1e21, "1e+21"),
        (-1.5e21, "-1.5e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.0001, "0.0001"),
        (0.00001, "0.00001"),
        (0.000001, "0.000001"),
        (1.25e-6, "0.00000125"),
        (9.99e-7, "9.99e-07"),
        (1e-7, "1e-07"),
        (5e-324, "5e-324"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_values_are_written_as_go_writes_them(number, text):
    assert answer.value(number) == text
    assert _written([1.0, number, 10.0, number]) == ["1", text, "10", text]


def _written(numbers):
    """The values of a series as its JSON has them."""
    times = np.arange(len(numbers)) * 1000
    found = json.loads(_matrix([{}], np.array([0, len(numbers)]), times, np.array(numbers)))
    return [value for _, value in found["result"][0]["values"]]


def _matrix(*rows):
    return b"".join(answer.matrix([answer.Rows(*rows)])).decode()


@given(
    st.lists(st.floats(), max_size=8), st.lists(st.integers(0, 8), max_size=3), st.integers(-(2**45), 2**45)
)
def test_a_range_vector_is_written_point_by_point(numbers, cuts, start):
    offsets = np.array(sorted([0, *(min(cut, len(numbers)) for cut in cuts), len(numbers)]))
    times = start + np.arange(len(numbers)) * 1001
    sets = [{"é": str(row), "\udcff": '"'} for row in range(len(offsets) - 1)]
    series = [
        f'{{"metric":{answer.text(own)},"values":['
        + ",".join(
            f'[{answer.timestamp(int(times[point]))},"{answer.value(numbers[point])}"]'
            for point in range(offsets[row], offsets[row + 1])
        )
        + "]}"
        for row, own in enumerate(sets)
    ]
    wanted = f'{{"resultType":"matrix","result":[{",".join(series)}]}}'
    assert _matrix(sets, offsets, times, np.array(numbers, np.float64)) == wanted.replace("\udcff", "?")


@given(st.floats(allow_nan=False))
def test_a_value_reads_back_the_same(number):
    assert float(answer.value(number)) == number
    assert ("e" in answer.value(number)) == (
        number != 0 and abs(number) != float("inf") and not 1e-6 <= abs(number) < 1e21
    )


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0"),
        (1000, "1"),
        (1500, "1.500"),
        (1, "0.001"),
        (-1, "-0.001"),
        (1435781451781, "1435781451.781"),
        (-60010, "-60.010"),
        (12050, "12.050"),
    ],
)
def test_times_are_seconds_with_three_decimals(milliseconds, text):
    assert answer.timestamp(milliseconds) == text


def test_results_are_documents():
    sets = [{"__name__": "up", "job": 'a"<é>'}, {"A": "\n", "__name__": "up"}]
    assert json.loads("".join(answer.vector(1000, zip(sets, [1.0, np.inf], strict=True)))) == {
        "resultType": "vector",
        "result": [{"metric": sets[0], "value": [1, "1"]}, {"metric": sets[1], "value": [1, "+Inf"]}],
    }
    matrix = _matrix(sets, np.array([0, 2, 3]), np.array([1000, 2500, 1000]), np.array([np.nan, 2.0, 1.0]))
    assert json.loads(matrix.join(answer.success(["careful"], ["by the way"]))) == {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [
                {"metric": sets[0], "values": [[1, "NaN"], [2.5, "2"]]},
                {"metric": sets[1], "values": [[1, "1"]]},
            ],
        },
        "warnings": ["careful"],
        "infos": ["by the way"],
    }
    assert json.loads(answer.scalar(1500, 0.5)) == {"resultType": "scalar", "result": [1.5, "0.5"]}
    assert json.loads(answer.string(1000, 'a"b')) == {"resultType": "string", "result": [1, 'a"b']}


def test_series_are_sorted_by_name_and_value_in_turn():
    sets = [{"__name__": "a"}, {"__name__": "a", "b": "c"}, {"__name__": "ab"}]
    canonical = [labels.canonical(one) for one in sets]
    assert sorted(canonical, key=answer.by_labels) == canonical
