import logging
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streamgauge import cli
from streamgauge.collect import command as collecting
from streamgauge.gateway import command as serving
from streamgauge.local.home import ROOT
from streamgauge.store import schema


def test_schema_apply_prints_what_it_changed(monkeypatch):
    monkeypatch.setattr(schema, "apply", lambda _, report=lambda _: None: report("topic t created"))
    assert CliRunner().invoke(cli.main, ["schema", "apply"]).output == "topic t created\n"


@pytest.mark.parametrize(("command", "module"), [("collect", collecting), ("serve", serving)])
def test_servers_log_to_stderr_a_line_an_event(command, module, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setattr(
        module, "run", lambda _: logging.getLogger("streamgauge.test").info("listens: a=%d", 1)
    )
    result = CliRunner().invoke(cli.main, [command])
    assert result.stderr.endswith("INFO streamgauge.test: listens: a=1\n")
    assert result.stderr.count("\n") == 1


def test_flinks_command_line_shows_its_own_help_and_leaves_a_jobs_flags_to_the_job(tmp_path):
    config = tmp_path / "streamgauge.yml"
    config.write_text(f"local: {{home: {tmp_path / 'home'}}}")
    command = [sys.executable, "-m", "streamgauge.cli", "--config", str(config), "flink"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout.partition("\n")[0]) == (
        0,
        "./flink <ACTION> [OPTIONS] [ARGUMENTS]",
    )
    # Flink has a --fromSavepoint
    job = [*command, "run", "-py", str(ROOT / "jobs" / "backfill.py"), "--from", "soon"]
    run = subprocess.run(job, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "backfill.py: error: argument --from: not a time: 'soon'" in run.stdout + run.stderr


def _commands(command, path=()):
    yield path
    for name in getattr(command, "commands", ()):
        yield from _commands(command.commands[name], (*path, name))


@pytest.mark.parametrize("path", [path for path in _commands(cli.main) if path != ("flink",)], ids=" ".join)
def test_every_command_shows_its_help_whatever_the_configuration_is(path, monkeypatch, tmp_path):
    monkeypatch.setenv("STREAMGAUGE_CONFIG", str(tmp_path / "nowhere.yml"))
    monkeypatch.setattr("sys.argv", ["streamgauge", *path, "--help"])
    shown = CliRunner().invoke(cli.main, [*path, "--help"])
    assert (shown.exit_code, shown.exception) == (0, None)
    assert shown.output.startswith("Usage: ")
