import logging

import pytest
from click.testing import CliRunner

from streamgauge import cli
from streamgauge.collect import command as collecting
from streamgauge.gateway import command as serving
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
