import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway import prometheus_json as answer
from streamgauge.series import labels
from streamgauge.series.samples import Samples


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
    assert answer.values([1.0, number, 10.0, number]) == ["1", text, "10", text]


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


def test_vectors_and_matrices_are_documents():
    samples = Samples(
        np.array([(1, 1), (1, 2)], np.uint64),
        np.array([0, 1, 3]),
        np.array([1000, 1000, 2500]),
        np.array([1.0, np.nan, 2.0]),
    )
    sets = [{"__name__": "up", "job": 'a"<é>'}, {"A": "\n", "__name__": "up"}]
    canonical = [labels.canonical(one) for one in sets]
    one = Samples(samples.ids[:1], samples.offsets[:2], samples.timestamps[:1], samples.values[:1])
    assert json.loads(answer.vector(one, canonical, [0])) == {
        "resultType": "vector",
        "result": [{"metric": sets[0], "value": [1, "1"]}],
    }
    assert json.loads(answer.success(answer.matrix(samples, canonical, [1, 0]), ["careful"])) == {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [
                {"metric": sets[1], "values": [[1, "NaN"], [2.5, "2"]]},
                {"metric": sets[0], "values": [[1, "1"]]},
            ],
        },
        "warnings": ["careful"],
    }


def test_series_are_sorted_by_name_and_value_in_turn():
    sets = [{"__name__": "a"}, {"__name__": "a", "b": "c"}, {"__name__": "ab"}]
    canonical = [labels.canonical(one) for one in sets]
    assert sorted(canonical, key=answer.by_labels) == canonical
