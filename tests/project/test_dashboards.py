"""Every query of the dashboards is PromQL and asks for what exists; Grafana is given what the code says."""

import json
import re
from pathlib import Path

import pytest
import yaml

from dashboards import hosts, system
from dashboards.written import FOLDER, texts
from streamgauge.collect.metrics import Metrics as CollectorMetrics
from streamgauge.collect.scraping.target_series import REPORTS
from streamgauge.gateway.metrics import Looked
from streamgauge.gateway.metrics import Metrics as GatewayMetrics
from streamgauge.notify.metrics import Metrics as NotifyMetrics
from streamgauge.promql.syntax.ast import VectorSelector, walk
from streamgauge.promql.syntax.parser import parse

ROOT = Path(__file__).parents[2]
DASHBOARDS = {"streamgauge.json": system.DASHBOARD, "hosts.json": hosts.DASHBOARD}
VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$job": ".+", "$instance": ".+"}


def promql(expr):
    """The expression as Grafana would send it."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


QUERIES = [
    pytest.param(query.expr, id=f"{name}-{number}")
    for name, dashboard in DASHBOARDS.items()
    for number, query in enumerate(dashboard.queries())
]


def metrics(dashboard):
    """The names of all metrics that its queries and variables ask for."""
    expressions = [promql(query.expr) for query in dashboard.queries()]
    nodes = [node for text in expressions for node in walk(parse(text))]
    names = {node.name for node in nodes if isinstance(node, VectorSelector)}
    return names | {variable.metric for variable in dashboard.variables}


def exposed(registry):
    """The names of all series that a registry can have."""
    names = set()
    for family in registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(
            family.type, ("",)
        )
        names |= {family.name + suffix for suffix in suffixes}
    return names


@pytest.fixture(scope="module")
def own():
    """What our own processes expose, what a scrape adds, and what the alert job writes."""
    gateway = GatewayMetrics().registry
    gateway.register(Looked(dict, lambda: False, dict, dict))
    registries = (CollectorMetrics().registry, gateway, NotifyMetrics().registry)
    return {name for registry in registries for name in exposed(registry)} | set(REPORTS) | {"ALERTS"}


@pytest.mark.parametrize("expr", QUERIES)
def test_every_query_is_promql(expr):
    parsed = parse(promql(expr))
    assert "$" not in promql(expr)
    assert any(isinstance(node, VectorSelector) for node in walk(parsed))


def test_every_metric_of_our_own_processes_exists(own):
    # those of Flink are looked for on the real stack
    wanted = {name for name in metrics(system.DASHBOARD) if not name.startswith("flink_")}
    assert len(wanted) > 25
    assert wanted - own == set()


def test_every_metric_of_hosts_is_one_of_node_exporter():
    names = set((ROOT / "tests" / "golden" / "node_exporter_metrics.txt").read_text().split())
    wanted = metrics(hosts.DASHBOARD)
    assert len(wanted) > 20
    assert wanted - names == {"up"}


def test_every_legend_names_labels_that_its_query_keeps():
    for dashboard in DASHBOARDS.values():
        for query in dashboard.queries():
            by = re.match(r"(?:sum|max|min|count) by \(([^)]*)\)", query.expr)
            if by:
                kept = set(by[1].split(", "))
                assert set(re.findall(r"{{(\w+)}}", query.legend)) <= kept, query


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_the_files_are_what_the_code_says(name):
    assert (FOLDER / name).read_text() == texts()[name], "`python -m dashboards` writes them anew"


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_panels_have_places_of_their_own_and_words(name):
    document = json.loads((FOLDER / name).read_text())
    taken = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
    identities = [panel["id"] for panel in document["panels"]]
    assert len(identities) == len(set(identities))


def test_grafana_in_containers_is_given_the_data_source_and_every_dashboard():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounts = dict(mount.split(":")[:2] for mount in compose["services"]["grafana"]["volumes"])
    provider = yaml.safe_load((ROOT / "docker" / "grafana" / "dashboards.yml").read_text())["providers"][0]
    assert mounts["./dashboards/json"] == provider["options"]["path"]
    assert mounts["./docker/grafana/dashboards.yml"].startswith("/etc/grafana/provisioning/dashboards/")
    assert {file.name for file in FOLDER.iterdir()} == set(DASHBOARDS)
