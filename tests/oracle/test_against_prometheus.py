"""Our engine and a real Prometheus answer the same random queries on the same random samples.

`pytest tests/oracle` takes 5000 queries of a fixed seed; --oracle-queries and --oracle-seed change that.
What differs is written to build/oracle, a file a run.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from answers import (
    Answer,
    by_rounded_numbers,
    depends_on_order,
    difference,
    of_prometheus,
    of_streamgauge,
    without_counts,
)
from prometheus_server import Prometheus
from random_queries import Queries, RandomQuery
from random_series import Shelf, generate

_AHEAD = 50
"""Queries that Prometheus may be ahead of our engine."""
_ORDERS = 16
"""Orders of series that are tried on a difference."""
UNSETTLED = "depends on the order of series"


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
    assert tally[UNSETTLED] < count / 100


def _compared(query: RandomQuery, source: Shelf, theirs: Answer) -> str | None:
    """What differs, UNSETTLED if Prometheus answers otherwise another time, or None."""
    try:
        ours = of_streamgauge(query, source)
    except Exception as crash:  # whatever it is, the run goes on and names the query
        return f"crash: {type(crash).__name__}: {crash}"
    if "count_values" in query.text:
        ours, theirs = by_rounded_numbers(ours), by_rounded_numbers(theirs)
    if query.has_steps:
        ours, theirs = without_counts(ours), without_counts(theirs)
    what = difference(ours, theirs, query.in_order)
    if what:
        others = [of_streamgauge(query, source.shuffled(seed)) for seed in range(_ORDERS)]
        if query.has_steps:
            others = list(map(without_counts, others))
        if "count_values" in query.text:
            others = list(map(by_rounded_numbers, others))
        if depends_on_order(query, ours, theirs, others):
            return UNSETTLED
    return what


def _kind(answer: Answer) -> str:
    if answer.error:
        return "refused" if answer.error.startswith("bad_data") else "failed"
    return "with a value" if answer.series or answer.text is not None else "empty"


def _grid(query: RandomQuery) -> dict[str, int]:
    return {"start": query.start, "end": query.end, "step": query.step}
