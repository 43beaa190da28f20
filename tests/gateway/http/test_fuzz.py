"""The API against its own description: whatever is sent, the answer is one of those described, and never a fault."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.api.collectors import Said
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.promql.syntax import printer
from streamgauge.promql.syntax.ast import VectorSelector
from streamgauge.rules.applied.board import Board
from tests.support.memory_reader import MemoryReader
from tests.support.promql_expressions import expressions
from tests.support.rules_client import KnownBoard

NOW_MS = 1_700_000_000_000
EXAMPLES = 20
SERIES = [
    ({"__name__": name, "a": value}, [(NOW_MS - ago, 1.0) for ago in range(600_000, 0, -15_000)])
    for name in ("a", "b_total")
    for value in ("x", "y")
]
_texts = st.text(max_size=8)
_numbers = st.integers(-5, 2**70).map(str) | st.floats().map(str)
_FORMATS = {
    "promql": expressions.map(printer.canonical) | st.sampled_from(["a", "rate(a[5m])", "1"]) | _texts,
    "promql-selector": expressions.filter(lambda expr: isinstance(expr, VectorSelector)).map(
        printer.canonical
    )
    | st.sampled_from(["a", '{a=~".+"}'])
    | _texts,
    "promql-time": st.sampled_from(["1700000000", "2023-11-14T22:13:20Z", "1700000000.123"])
    | _numbers
    | _texts,
    "promql-duration": st.sampled_from(["15", "1m", "1h30m", "0", "100d"]) | _numbers | _texts,
}
for _name, _strategy in _FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)


def _said(path, *_):
    target = {"scrapePool": "node", "scrapeUrl": "http://a", "labels": {}, "health": "up"}
    entry = {"type": "counter", "help": "", "unit": ""}
    if path.endswith("targets/metadata"):
        return Said([[{"target": {"job": "node"}, "metric": "a", **entry}]], [])
    return Said([{"a": [entry]} if path.endswith("metadata") else {"activeTargets": [target]}], [])


def _application():
    # a limit that queries of many steps meet at once
    gateway = Gateway(Config(gateway=Settings(max_points=500, timeout_s=1)), MemoryReader(SERIES))
    gateway.rules = Rules(KnownBoard(Board()), lambda: NOW_MS, 0)
    gateway.collectors._ask = _said
    return application(gateway)


schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", _application())
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


OPERATIONS = [found.ok() for found in schema.get_all_operations()]


# not by schemathesis' own decorator, whose cases pytest gives one and the same id: pytest-xdist runs one of them
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_no_request_makes_the_gateway_fail(operation):
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def answers(case):
        response = case.call()
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=CHECKS)

    answers()
