"""Real Prometheus gives what the files in tests/promql/cases say, but for what they say is not supported."""

from itertools import groupby
from pathlib import Path

import pytest

from streamgauge.series.labels import parse
from tests.oracle.answers import Answer, difference, of_prometheus, of_streamgauge, without_counts
from tests.oracle.prometheus_server import Prometheus
from tests.oracle.random_queries import RandomQuery
from tests.promql.language import Case, read

FOLDER = Path(__file__).parent.parent / "promql" / "cases"
CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read(path)]
BLOCKS = [list(cases) for _, cases in groupby(CASES, lambda case: id(case.memory))]
_OURS_ALONE = ("not supported", "not stored")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block[0]))
def test_prometheus_gives_what_the_file_says(block, oracle, tmp_path):
    memory = block[0].memory
    with Prometheus(oracle, tmp_path) as server:
        server.load([(parse(labels), sorted(samples.items())) for labels, samples in memory.series.items()])
        asked = [case for case in block if not _is_ours_alone(case)]
        answers = [of_prometheus(server.query(case.query, case.start, case.end, case.step)) for case in asked]
    found = {str(case): _difference(case, answer) for case, answer in zip(asked, answers, strict=True)}
    assert not {case: what for case, what in found.items() if what}


def _difference(case: Case, theirs: Answer) -> str | None:
    query = RandomQuery(case.query, case.start, case.end, case.step)
    ours = of_streamgauge(query, case.memory)
    if query.has_steps:
        ours, theirs = without_counts(ours), without_counts(theirs)
    return difference(query, ours, theirs)


def _is_ours_alone(case: Case) -> bool:
    return any(word in text for word in _OURS_ALONE for text in case.remarks.get("fails", ()))
