import math
from pathlib import Path

import numpy as np
import pytest

from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.query import Query
from streamgauge.promql.data.vectors import Matrix, Vector
from streamgauge.promql.engine.evaluator import evaluate
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.literals import number_text
from streamgauge.promql.syntax.parser import parse
from tests.promql.language import Case, read

CASES = [case for path in sorted((Path(__file__).parent / "cases").glob("*.txt")) for case in read(path)]


def evaluated(case: Case):
    query = Query(case.start, case.end, case.step or 1)
    expression = resolve(parse(case.query), case.step, case.end - case.start, case.query)
    return evaluate(expression, query, case.memory, text=case.query)


def points(value):
    """The labels of each series of a result, with a value or None for each step or sample."""
    rows = value.labels.rows()
    if isinstance(value, Matrix):
        parts = [part.tolist() for part in np.split(value.values, value.offsets[1:-1])] if rows else []
        return list(zip(rows, parts, strict=True))
    there = zip(value.values.tolist(), value.present.tolist(), strict=True)
    return [
        (row, [number if is_there else None for number, is_there in zip(*both, strict=True)])
        for row, both in zip(rows, there, strict=True)
    ]


def alike(found, expected):
    if found is None or expected is None:
        return found is expected
    both_nan = math.isnan(found) and math.isnan(expected)
    return both_nan or math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_query_gives_what_its_file_says(case):
    if "fails" in case.remarks:
        with pytest.raises((InvalidQuery, InvalidExpression)) as refusal:
            evaluated(case)
        assert [str(refusal.value).strip()] == case.remarks["fails"]
        return
    result = evaluated(case)
    assert result.warnings == case.remarks.get("warns", [])
    assert result.infos == case.remarks.get("informs", [])
    if case.plain is not None:
        value = result.value
        text = value if isinstance(value, str) else " ".join(number_text(one) for one in value.tolist())
        assert text == case.plain
        return
    assert isinstance(result.value, Vector | Matrix)
    found, expected = points(result.value), case.series
    if not case.in_order:
        found, expected = (sorted(one, key=lambda row: sorted(row[0].items())) for one in (found, expected))
    assert [labels for labels, _ in found] == [labels for labels, _ in expected]
    for (labels, numbers), (_, wanted) in zip(found, expected, strict=True):
        assert len(numbers) == len(wanted), labels
        assert all(map(alike, numbers, wanted)), (labels, numbers, wanted)


def test_there_are_cases():
    assert len(CASES) > 250
