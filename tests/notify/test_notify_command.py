"""How the bridge is configured and started."""

import logging
import runpy
import signal
import sys
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from operators import environment
from streamgauge import config as configuration
from streamgauge.cli import main
from streamgauge.config import Alerts, Config, Notify
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.servers.services import services
from streamgauge.local.supervision.home import ROOT, Home
from streamgauge.notify import command
from streamgauge.rules.machine.alert_output import NO_EXTERNAL_URL
from streamgauge.yaml_file import InvalidFile


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no Alertmanager: name one with --alertmanager or in notify.alertmanagers"),
        (["--alertmanager", "am:9093"], "expected http(s)://HOST:PORT"),
    ],
)
def test_without_an_alertmanager_it_says_what_is_missing(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["notify", *arguments])
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("alertmanagers: [am:9093]", "streamgauge.yml:2:3: notify.alertmanagers"),
        ("resend_delay: 1 minute", "streamgauge.yml:2:3: notify.resend_delay"),
        ("resend_delay: 10ms", "the resend delay must be at least 1s"),
        ("alertmanager: http://am:9093", "streamgauge.yml:2:3: notify.alertmanager: unknown key"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_place(line, said, tmp_path):
    file = tmp_path / "streamgauge.yml"
    file.write_text(f"notify:\n  {line}\n")
    with pytest.raises(InvalidFile) as refused:
        configuration.read(file)
    assert said in str(refused.value)


def test_a_token_file_is_relative_to_the_configuration(tmp_path):
    file = tmp_path / "streamgauge.yml"
    file.write_text("notify: {token_file: secrets/token}")
    assert configuration.read(file).notify.token_file == tmp_path / "secrets" / "token"


def test_the_local_stack_has_a_bridge_where_an_alertmanager_is_named(tmp_path):
    def names(config):
        return [service.name for service in services(config, Home(tmp_path))]

    assert "notify" not in names(Config())
    [bridge] = set(names(Config(notify=Notify(alertmanagers=("http://am:9093",))))) - set(names(Config()))
    assert bridge == "notify"


class Started(Exception):
    """It has come as far as where Kafka or Flink is needed."""


def started(*_, **__):
    raise Started


URLS = pytest.mark.parametrize(("url", "said"), [("", 1), ("https://metrics.example.org", 0)])


@URLS
def test_links_that_lead_nowhere_are_told_when_the_bridge_starts(url, said, caplog):
    [port] = free_ports(1)
    config = Config(alerts=Alerts(external_url=url), notify=Notify(listen=f"127.0.0.1:{port}"))
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        with caplog.at_level(logging.WARNING), pytest.raises(Started):
            command.run(config, started, lambda change: change)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    assert caplog.messages.count(NO_EXTERNAL_URL) == said


@URLS
@pytest.mark.parametrize("job", ["alerts", "sql_rules"])
def test_links_that_lead_nowhere_are_told_when_a_job_that_makes_them_starts(
    job, url, said, monkeypatch, capsys, tmp_path
):
    (tmp_path / "streamgauge.yml").write_text(f"alerts: {{external_url: '{url}'}}")
    rules = ["--rules", str(ROOT / "rules")] if job == "sql_rules" else []
    monkeypatch.setattr(sys, "argv", [job, "--config", str(tmp_path / "streamgauge.yml"), *rules])
    # Cassandra and Flink are not there
    monkeypatch.setattr(environment, "connected", lambda _: nullcontext())
    monkeypatch.setattr(environment, "check", lambda *_: None)
    monkeypatch.setattr(environment, "environments", started)
    with pytest.raises(Started):
        runpy.run_path(str(ROOT / "jobs" / f"{job}.py"), run_name="__main__")
    assert capsys.readouterr().err.count(NO_EXTERNAL_URL) == said
