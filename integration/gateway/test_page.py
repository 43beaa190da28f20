"""The page in a real browser, over a gateway with a real store. page/browser has what is done there."""

import os
import shutil
import subprocess
import time

import httpx
import pytest
import yaml
from click.testing import CliRunner
from confluent_kafka import Producer

from integration.support.commands import require, start
from integration.support.served import serve
from integration.support.stored import wait_for
from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth, encode, state_key
from schemas.topics import ALERT_STATE
from streamgauge.cli import main
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.supervision.home import ROOT
from streamgauge.rules.applied.rule_sets import RuleSets
from streamgauge.topics.rule_topic import RuleTopic

PAGE = ROOT / "page"
FILES = sorted(file.name.removesuffix(".ts") for file in (PAGE / "browser").glob("*.test.ts"))
TIMEOUT_S = 900
KEY = "mill/boilers"
RULES = """\
groups:
- name: boilers
  interval: 1s
  rules:
  - record: temperature:max
    expr: max(temperature)
  - alert: Hot
    expr: temperature > 20
    for: 1m
    labels: {severity: warning}
    annotations: {summary: 'it is hot at {{ $labels.instance }}'}
  - alert: Silent
    expr: absent(temperature)
"""


@pytest.fixture(scope="session")
def browser():
    """The path of Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    is_there = path and shutil.which("node") and (PAGE / "node_modules").is_dir()
    absent = "there is no browser, or page/node_modules is not there: `make browser` gets both"
    require(is_there, absent)
    subprocess.run(["node", "build.mjs", "--tests"], cwd=PAGE, check=True)
    return path


@pytest.fixture(scope="module")
def collector(stack, tmp_path_factory):
    """The URL of a collector that scrapes something that is there, and something that is not.

    Its Kafka is not there either, so time on the stream stands still, and the job tells nothing of the rules here.
    """
    folder = tmp_path_factory.mktemp("collector")
    jobs = {"gateway": stack.config.gateway.listen, "nobody": f"127.0.0.1:{free_ports(1)[0]}"}
    scraped = [
        {"job_name": name, "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        for name, target in jobs.items()
    ]
    (folder / "scrape.yml").write_text(yaml.safe_dump({"scrape_configs": scraped}))
    own = {"listen": f"127.0.0.1:{free_ports(1)[0]}", "name": "page", "scrape_config": folder / "scrape.yml"}
    nowhere = {"bootstrap": f"127.0.0.1:{free_ports(1)[0]}"}
    config = stack.config.model_copy(
        update={
            "collector": stack.config.collector.model_copy(update=own),
            "kafka": stack.config.kafka.model_copy(update=nowhere),
        }
    )
    log = folder / "log"
    process = start("collect", config.model_dump(mode="json"), folder / "streamgauge.yml", log)
    url = f"http://{own['listen']}"

    def scrapes():
        assert process.poll() is None, log.read_text()
        try:
            targets = httpx.get(f"{url}/api/v1/targets").json()["data"]["activeTargets"]
        except httpx.TransportError:
            return False
        return {one["health"] for one in targets} == {"up", "down"}

    wait_for(scrapes, 60)
    yield url
    process.terminate()
    assert process.wait(30) == 0


@pytest.fixture(scope="module")
def gateway(stack, collector, tmp_path_factory):
    """A gateway, and its samples."""
    with serve(stack, tmp_path_factory.mktemp("page"), "page_test", collectors=(collector,)) as running:
        yield running


@pytest.fixture(scope="module")
def alerts(stack, gateway, tmp_path_factory):
    """Rules that are applied and, as a job would tell, have an alert that fires and one that is pending."""
    file = tmp_path_factory.mktemp("rules") / "mill.yml"
    file.write_text(RULES)
    _apply(stack, file)
    version = RuleSets(RuleTopic(stack.config.kafka).read()).last.version
    now = int(time.time() * 1000)
    hot = [
        ActiveAlert(
            {"alertname": "Hot", "instance": f"host-{host}", "severity": "warning"},
            {"summary": f"it is hot at host-{host}"},
            state,
            now - 90_000,
            "2.5e+01",
            now - 30_000,
        )
        for host, state in ((21, "firing"), (22, "pending"))
    ]
    health = [
        RuleHealth("ok", "", 0.001, 1),
        RuleHealth("ok", "", 0.002, 1),
        RuleHealth("err", "no such lane", 0.5, 1),
    ]
    producer = Producer({"bootstrap.servers": stack.config.kafka.bootstrap})
    producer.produce(ALERT_STATE, encode(hot), state_key(KEY, 1).encode())
    producer.produce(
        ALERT_STATE, encode(GroupStatus(version, now, 0.25, 0, 0, health)), state_key(KEY).encode()
    )
    producer.flush(30)
    wait_for(lambda: len(gateway.http.get("/api/v1/alerts").json()["data"]["alerts"]) == 2, 60)
    yield
    for key in (state_key(KEY, 1), state_key(KEY)):
        producer.produce(ALERT_STATE, None, key.encode())
    producer.flush(30)
    file.write_text("groups: []")
    _apply(stack, file)


def _apply(stack, file):
    arguments = ["--config", str(stack.home.config), "rules", "apply", "--yes", str(file)]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output


@pytest.mark.usefixtures("browser", "alerts")
@pytest.mark.parametrize("name", FILES)
def test_the_page_in_a_browser(browser, gateway, name):
    environment = os.environ | {
        "PAGE_URL": str(gateway.http.base_url),
        "PAGE_BROWSER": browser,
        "PAGE_START_MS": str(gateway.start),
        "PAGE_END_MS": str(gateway.end),
    }
    ran = subprocess.run(
        ["node", "--test", "--test-reporter=spec", f"build/browser/{name}.mjs"],
        cwd=PAGE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
