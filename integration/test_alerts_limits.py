"""Labels that rules make are held against the limits of every way in: nothing stops, and all others are stored."""

import httpx
import pytest

from integration.alerting import series
from integration.stored import wait_for
from schemas import limits

RULES = """\
groups:
- name: {name}
  interval: 5s
  rules:
  - record: {name}:plain
    expr: {name}_input
  - record: {name}:joined
    expr: label_join({name}_input, "big", "-", "v", "v")
  - record: {name}:labelled
    expr: sum by (host) ({name}_input)
    labels: {{big: "{big}"}}
  - alert: Templated
    expr: {name}_input > 0
    labels: {{big: "{{{{ $labels.v }}}}{{{{ $labels.v }}}}", v: ""}}
  - alert: Plain
    expr: {name}_input > 0
"""


@pytest.mark.usefixtures("undisturbed")
def test_labels_of_rules_beyond_a_limit_stop_nothing(stack, config, stream, rules, name):
    stack.wait_ready({"gateway"})
    stream.idle()
    big = limits.MAX_LABEL_VALUE_BYTES
    rules.apply(name, RULES.format(name=name, big="x" * (big + 1)))
    inputs = {
        series(f"{name}_input", host="large", v="v" * (big // 2 + 1)): 1.0,
        series(f"{name}_input", host="small", v="v" * (big // 2 - 1)): 2.0,
    }
    stream.run(lambda _: inputs, 8)
    stream.idle()
    at = stream.now - 30_000
    for query, wanted in (
        (f"count by (host) ({name}:plain)", {"large", "small"}),
        (f"count by (host) ({name}:joined)", {"small"}),
        ('count by (host) (ALERTS{alertname="Templated",host=~".+",big=~"v+"})', {"small"}),
        (
            f'count by (host) (ALERTS{{alertname="Plain",v=~"v+"}} and on (host) {name}:plain)',
            {"large", "small"},
        ),
    ):
        wait_for(
            lambda query=query, wanted=wanted: _hosts(config, query, at) == wanted,
            60,
            lambda query=query: query,
        )
    assert _hosts(config, f"{name}:labelled", at) == set()


def _hosts(config, query, time):
    response = httpx.get(
        f"http://{config.gateway.listen}/api/v1/query", params={"query": query, "time": time / 1000}
    )
    return {one["metric"]["host"] for one in response.json()["data"]["result"]}
