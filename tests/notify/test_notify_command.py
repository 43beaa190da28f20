"""How the bridge is configured and started."""

import pytest
from click.testing import CliRunner

from streamgauge import config as configuration
from streamgauge.cli import main
from streamgauge.config import Config, Notify
from streamgauge.local.home import Home
from streamgauge.local.services import services
from streamgauge.yaml_file import InvalidFile


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no Alertmanager: name one with --alertmanager or in notify.alertmanagers"),
        (["--alertmanager", "am:9093"], "the URL of an Alertmanager is http://HOST:PORT"),
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
        ("resend_delay: 10ms", "once a second at most"),
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
