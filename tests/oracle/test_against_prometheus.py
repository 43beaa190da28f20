"""Our engine and a real Prometheus answer the same random queries on the same random samples.

`pytest tests/oracle` takes 10,000 queries of a fixed seed; --oracle-queries and --oracle-seed change that.
What differs is written to build/oracle, a file a run.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from tests.oracle.answers import (
    Answer,
    by_rounded_numbers,
    depends_on_order,
    difference,
    is_ill_conditioned,
    of_prometheus,
    of_streamgauge,
    of_streamgauge_in_some_order,
    of_streamgauge_with_other_bits,
    without_counts,
)
from tests.oracle.prometheus_server import Prometheus
from tests.oracle.random_queries import Queries, RandomQuery
from tests.oracle.random_series import Shelf, generate

_AHEAD = 50
"""Queries that Prometheus may be ahead of our engine."""
_ORDERS = 200
"""Orders of series that are tried on a difference, until it is explained."""
_NUDGES = 16
"""Tries of other last bits, all of which are made."""
UNSETTLED = "hangs on the order of series or on a last bit"


@pytest.fixture(scope="module")
def seed(request):
    return request.config.getoption("--oracle-seed")


@pytest.fixture(scope="module")
def series(seed):
    return generate(Random(f"series {seed}"))


@pytest.fixture(scope="module")
def prometheus(series, oracle, tmp_path_factory):
    with Prometheus(oracle, tmp_path_factory.mktemp("prometheus")) as server:
        server.load(series)
        yield server


def test_every_query_gives_what_prometheus_gives(request, prometheus, series, seed):
    random, source = Random(f"queries {seed}"), Shelf(series)
    supply, count = Queries(random), request.config.getoption("--oracle-queries")
    queries = [supply.next() for _ in range(count)]
    tally, found = Counter(), []
    with ThreadPoolExecutor(1) as asking:
        for first in range(0, count, _AHEAD):
            batch = queries[first : first + _AHEAD]
            asked = [asking.submit(prometheus.query, q.text, q.start, q.end, q.step) for q in batch]
            for query, answer in zip(batch, asked, strict=True):
                theirs = of_prometheus(answer.result())
                tally[_kind(theirs)] += 1
                what = _compared(query, source, theirs)
                if what == UNSETTLED:
                    tally[what] += 1
                elif what:
                    found.append({"query": query.text, **_grid(query), "difference": what})
    folder = Path("build/oracle")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{seed}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    print(f"{count} queries of seed {seed}: {dict(tally)}, {len(found)} differ")
    lines = [
        f"{row['query']}  [{row['start']} {row['end']} {row['step']}]\n    {row['difference']}"
        for row in found
    ]
    assert not found, "\n".join([f"{len(found)} of {count} queries differ", *lines[:20]])
    assert tally[UNSETTLED] < count / 50


def _compared(query: RandomQuery, source: Shelf, theirs: Answer) -> str | None:
    """What differs, UNSETTLED if the answer hangs on what no one promises, or None."""
    try:
        ours = of_streamgauge(query, source)
    except Exception as crash:  # whatever it is, the run goes on and names the query
        return f"crash: {type(crash).__name__}: {crash}"
    ours, theirs = _comparable(query, ours), _comparable(query, theirs)
    what = difference(query, ours, theirs)
    if not what:
        return None
    others = (of_streamgauge_in_some_order(query, source, seed) for seed in range(_ORDERS))
    if depends_on_order(query, ours, theirs, (_comparable(query, other) for other in others)):
        return UNSETTLED
    nudged = [of_streamgauge_with_other_bits(query, source, seed) for seed in range(_NUDGES)]
    if is_ill_conditioned(ours, theirs, [_comparable(query, other) for other in nudged]):
        return UNSETTLED
    return what


def _comparable(query: RandomQuery, answer: Answer) -> Answer:
    if query.has_steps:
        answer = without_counts(answer)
    return by_rounded_numbers(answer) if "count_values" in query.text.lower() else answer


def _kind(answer: Answer) -> str:
    if answer.error:
        return "refused" if answer.error.startswith("bad_data") else "failed"
    return "with a value" if answer.series or answer.text is not None else "empty"


def _grid(query: RandomQuery) -> dict[str, int]:
    return {"start": query.start, "end": query.end, "step": query.step}
