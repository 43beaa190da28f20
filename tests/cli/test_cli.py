import logging
import socket
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from streamgauge import cli
from streamgauge.cli.reach import kafka_listens
from streamgauge.collect import command as collecting
from streamgauge.config import Config, Kafka
from streamgauge.gateway import command as serving
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.supervision.home import ROOT
from streamgauge.local.supervision.jobs import _apart
from streamgauge.store import schema


def test_schema_apply_prints_what_it_changed(monkeypatch):
    monkeypatch.setattr(cli, "kafka_listens", lambda _: None)
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
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config.write_text(f"local: {{home: {tmp_path / 'home'}}}\nflink: {{rest: '{address}'}}")
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
    assert 'backfill.py: error: argument --from: "soon" is not a time' in run.stdout + run.stderr
    listening.close()


@pytest.mark.parametrize(
    ("given", "apart"),
    [
        ("list", "list"),
        ("run -py a.py", "run -py a.py"),
        ("run -py a.py --from 1", "run -py a.py -- --from 1"),
        ("run -py a.py -d -s PATH --from 1 -x", "run -py a.py -d -s PATH -- --from 1 -x"),
        ("run --python=a.py --from 1", "run --python=a.py -- --from 1"),
        ("run --python a.py -- --from 1", "run --python a.py -- --from 1"),
        ("run -py", "run -py"),
        ("--help", "--help"),
    ],
)
def test_a_jobs_flags_begin_with_the_first_of_two_dashes(given, apart):
    assert _apart(given.split()) == apart.split()


@pytest.mark.parametrize(
    "addresses",
    [
        "127.0.0.1:{port}",
        "PLAINTEXT://127.0.0.1:{port}",
        "127.0.0.1:{free},127.0.0.1:{port},",
        "[::ffff:127.0.0.1]:{port}",
    ],
)
def test_one_broker_that_listens_is_enough(addresses):
    [free] = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        addresses = addresses.format(port=server.getsockname()[1], free=free)
        kafka_listens(Config(kafka=Kafka(bootstrap=addresses)))


@pytest.mark.parametrize(
    "addresses", ["127.0.0.1:{free}", "PLAINTEXT://localhost:{free}", ",", "127.0.0.1:99999"]
)
def test_without_a_broker_that_listens_there_is_an_error(addresses):
    [free] = free_ports(1)
    with pytest.raises(click.ClickException, match=r"\(kafka.bootstrap\): .*Is it running"):
        kafka_listens(Config(kafka=Kafka(bootstrap=addresses.format(free=free))))


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


KAFKA, CASSANDRA, FLINK = (
    "Kafka at 127.0.0.1:{kafka} (kafka.bootstrap): ",
    "Cassandra at 127.0.0.1:{cassandra} (cassandra.hosts): ",
    "Flink at http://127.0.0.1:{flink} (flink.rest): ",
)
AWAY = {
    "alerts": KAFKA,
    "audit": KAFKA,
    "flink list": FLINK,
    "flink cancel 1": FLINK,
    "flink run -py jobs/backfill.py --from now-1h": FLINK,
    "inspect up": CASSANDRA,
    "rules apply {rules}": KAFKA,
    "rules backtest {rules} --from now-1h": CASSANDRA,
    "rules backtest {rules} --from now-1h --topic": KAFKA,
    "rules costs": KAFKA,
    "rules diff {rules}": KAFKA,
    "rules list": KAFKA,
    "schema apply": KAFKA,
    "serve": CASSANDRA,
}
"""Commands that ask servers, and the one that each misses first."""
OTHERS = {
    *(
        "collect",
        "demo",
        "down",
        "logs",
        "notify",
        "password",
        "query",
        "rules check",
        "rules test",
        "status",
    ),
    *("token", "up"),
}
"""Commands that ask none of these, or wait for them."""


@pytest.fixture
def away(tmp_path):
    """A configuration whose servers do not run, and the names of what is in it."""
    kafka, cassandra, redis, collector, gateway, flink = free_ports(6)
    file, rules = tmp_path / "streamgauge.yml", tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]")
    file.write_text(
        f"kafka: {{bootstrap: '127.0.0.1:{kafka}'}}\ncassandra: {{port: {cassandra}}}\n"
        f"flink: {{rest: 'http://127.0.0.1:{flink}'}}\n"
        f"redis: {{url: 'redis://127.0.0.1:{redis}/0'}}\nlocal: {{home: {tmp_path / 'home'}}}\n"
        f"collector: {{listen: '127.0.0.1:{collector}', scrape_config: {tmp_path / 'scrape.yml'}}}\n"
        f"gateway: {{listen: '127.0.0.1:{gateway}', users_file: {tmp_path / 'users.yml'}}}\n"
    )
    (tmp_path / "users.yml").write_text("users: {}")
    ports = {"kafka": kafka, "cassandra": cassandra, "flink": flink}
    return {"config": file, "rules": rules, "folder": tmp_path, **ports}


def run(away, command):
    return CliRunner().invoke(cli.main, ["--config", str(away["config"]), *command.format(**away).split()])


def test_every_command_is_tried_without_its_servers_or_needs_none():
    tried = {
        " ".join(word for word in line.split() if word[0] not in "{-" and word != "up" and word != "now-1h")
        for line in AWAY
        if not line.startswith("flink ")
    } | {"flink"}
    groups = {
        path
        for path in _commands(cli.main)
        if not path or (len(path) == 1 and path[0] in ("rules", "schema"))
    }
    assert {" ".join(path) for path in set(_commands(cli.main)) - groups} == tried | OTHERS


@pytest.mark.parametrize("command", AWAY)
def test_a_server_that_is_away_is_named_in_one_line(away, command):
    found = run(away, command)
    assert (found.exit_code, type(found.exception)) == (1, SystemExit), found.exception
    assert found.output.startswith(f"Error: {AWAY[command].format(**away)}"), found.output
    assert "Connection refused" in found.output
    assert found.output.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "content", "command", "words"),
    [
        ("scrape.yml", None, "collect", "scrape.yml: cannot be read: "),
        (
            "scrape.yml",
            "scrape_configs: [{job_name: a, x: 1}]",
            "collect",
            "scrape.yml:1:32: scrape_configs.0.x: unknown key",
        ),
        ("scrape.yml", "a: [", "collect", "scrape.yml:1:5"),
        ("users.yml", None, "serve", "users.yml: cannot be read: "),
        ("users.yml", "users: {a: 3}", "serve", "users.yml:1:"),
    ],
)
def test_a_file_that_is_missing_or_wrong_is_named_in_one_line(away, file, content, command, words):
    path = away["folder"] / file
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    found = run(away, command)
    assert (found.exit_code, type(found.exception)) == (1, SystemExit), found.exception
    assert words in found.output
    assert found.output.startswith("Error: ")
