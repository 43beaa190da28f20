"""What the system shows of rules and alerts, and of itself, on the real stack."""

import re

import httpx
import pytest
from click.testing import CliRunner

from dashboards import system
from integration.support.stored import wait_for
from streamgauge.cli import main
from streamgauge.collect.scraping.target_series import REPORTS
from streamgauge.local.supervision.home import ROOT
from streamgauge.promql.syntax.ast import VectorSelector, walk
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.files.reader import read

RULES = """\
groups:
- name: up
  interval: 1s
  rules:
  - alert: Down
    expr: watched_up == 0
    annotations: {summary: down}
"""


pytestmark = pytest.mark.usefixtures("own_collector")


@pytest.fixture
def run(stack):
    """Run a command on the stack; gives what it prints."""

    def invoke(*arguments):
        result = CliRunner().invoke(main, ["--config", str(stack.home.config), *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


@pytest.fixture
def watched(config, run, name, tmp_path):
    """The name of a file whose rule is applied; there is a sample for which the alert job raises an alert.

    Another one for each test: what the job said of a group that was taken away counts until the job has seen that.
    """
    sample = {"metric": "watched_up", "labels": {"instance": "a"}, "value": 0}
    assert httpx.post(f"http://{config.collector.listen}/api/v1/push", json=sample).status_code == 204
    file = tmp_path / f"{name}.yml"
    file.write_text(RULES)
    run("rules", "apply", "--yes", str(file))
    yield name
    file.write_text("groups: []")
    run("rules", "apply", "--yes", str(file))


def _rule(config, file):
    answer = httpx.get(f"http://{config.gateway.listen}/api/v1/rules?rule_group[]=up&file[]={file}").json()
    groups = answer["data"]["groups"]
    return groups[0]["rules"][0] if groups else {}


def _fires(config, file):
    return _rule(config, file).get("state") == "firing"


def test_rules_and_alerts_show_at_the_gateway_and_in_the_terminal(config, run, watched):
    wait_for(lambda: _fires(config, watched), 60)
    rule = _rule(config, watched)
    assert (rule["health"], rule["query"]) == ("ok", "watched_up == 0")
    assert rule["evaluationTime"] > 0
    alerts = httpx.get(f"http://{config.gateway.listen}/api/v1/alerts").json()["data"]["alerts"]
    assert [each["labels"] for each in alerts] == [{"alertname": "Down", "instance": "a"}]
    metrics = httpx.get(f"http://{config.gateway.listen}/metrics").text
    of_group = rf'^alert_evaluation_duration_ms{{rule_group="{watched}/up"}} (\S+)$'
    [took] = re.findall(of_group, metrics, re.MULTILINE)
    assert float(took) > 0
    assert re.search(r'firing .* Down\{instance="a"\} .* down', run("alerts"))


def test_what_is_known_is_shown_while_kafka_is_away(stack, config, watched):
    wait_for(lambda: _fires(config, watched), 60)
    url = f"http://{config.gateway.listen}/api/v1"

    def is_known_again():
        # the topics are read anew, and what they tell of the past is not shown meanwhile
        assert _fires(config, watched)
        return "warnings" not in httpx.get(f"{url}/alerts").json()

    stack.stop("kafka")
    try:
        wait_for(lambda: "warnings" in httpx.get(f"{url}/alerts").json(), 60)
        assert _fires(config, watched)
        assert httpx.get(f"{url}/query?query=1").status_code == 200
    finally:
        stack.start("kafka")
        stack.wait_ready({"kafka", "store", "rollup"})
    wait_for(is_known_again, 60)
    assert _fires(config, watched)


def _metrics(config):
    """The names of all metrics that the stack exposes."""
    addresses = [config.collector.listen, config.gateway.listen]
    addresses += [f"127.0.0.1:{port}" for port in config.local.flink_metrics_ports]
    text = "".join(httpx.get(f"http://{address}/metrics", timeout=20).text for address in addresses)
    families = re.findall(r"^# TYPE (\S+) (\S+)", text, re.MULTILINE)
    buckets = {f"{name}_bucket" for name, kind in families if kind == "histogram"}
    return {name for name, _ in families} | buckets


def test_every_metric_of_the_rules_and_dashboards_about_the_system_is_exposed(config):
    groups = read(ROOT / "rules" / "self.yml").rules.groups
    asked = {
        node.name
        for group in groups
        for rule in group.rules
        for node in walk(parse(rule.expr))
        if isinstance(node, VectorSelector)
    }
    assert len(asked) >= 9
    # what else the dashboard asks for is compared with our registries in tests/
    of_flink = {name for query in system.DASHBOARD.queries() for name in re.findall(r"flink_\w+", query.expr)}
    assert len(of_flink) >= 10
    sample = {"metric": "watched", "value": 1}
    assert httpx.post(f"http://{config.collector.listen}/api/v1/push", json=sample).status_code == 204
    wanted = (asked | of_flink) - set(REPORTS)
    wait_for(lambda: wanted <= _metrics(config), 90, lambda: str(wanted - _metrics(config)))
