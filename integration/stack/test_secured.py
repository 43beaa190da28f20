"""A stack of its own whose servers demand passwords and speak TLS."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from cassandra.cluster import NoHostAvailable
from click.testing import CliRunner
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr
from redis import RedisError

from integration.support.stored import wait_for
from schemas.topics import ALERT_PARTITIONS, TRIGGERED
from streamgauge import config as configuration
from streamgauge.cli import main
from streamgauge.clients import redis
from streamgauge.clients.flink_rest import FlinkRest
from streamgauge.clients.kafka import client_settings
from streamgauge.collect.producing.broker_disks import disks
from streamgauge.config import Config
from streamgauge.config.connections import ClientTls, Sasl
from streamgauge.local.container import all_run
from streamgauge.local.own_stack import changed, home_of, on_own_ports
from streamgauge.local.servers.service import address, environment
from streamgauge.local.stack import Stack
from streamgauge.local.supervision.home import Home
from streamgauge.store.session import connect
from streamgauge.topics.partition import read_partition

HOME = home_of("secured")
PARTS = {"redis", "cassandra", "kafka", "schema", "jobmanager", "taskmanager", "collector", "gateway"}
AWKWARD = """p'a"s\\s;=, $ü"""
"""A password with all that is special to SQL, JAAS, Java's properties, SCRAM or CQL."""
RULES = """
groups:
  - name: secured
    interval: 1s
    rules: [{alert: Hot, expr: room_temperature > 20, labels: {severity: warning}}]
"""


def _configuration() -> Config:
    tls = ClientTls(
        ca_file=HOME / "tls" / "ca.pem",
        cert_file=HOME / "tls" / "client.pem",
        key_file=HOME / "tls" / "client-key.pem",
    )
    awkward = SecretStr(AWKWARD)
    return changed(
        on_own_ports(HOME),
        kafka={"sasl": Sasl(user="gauge", password=awkward), "tls": tls},
        cassandra={"user": "gauge", "password": awkward, "datacenter": "datacenter1", "tls": tls},
        redis={"user": "gauge", "password_file": HOME / "redis-password"},
        alerts={"state_interval_ms": 500, "values_interval_ms": 500},
        collector={"name": "secured"},
    )


@pytest.fixture(scope="module")
def config() -> Iterator[Config]:
    """Of the stack, which runs, with its jobs kept as in containers."""
    stack = Stack(_configuration())
    stack.down()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        stack.up(PARTS, report=print)
        with _kept_jobs(stack):
            yield stack.config
    finally:
        stack.down()


@contextmanager
def _kept_jobs(stack: Stack) -> Iterator[None]:
    """The jobs, kept as in containers; in a folder of its own, for the stack's says that they are stopped."""
    home = Home(HOME / "container")
    home.make()
    (home.conf / "flink").symlink_to(stack.home.conf / "flink")
    config = stack.config.model_copy(
        update={"local": stack.config.local.model_copy(update={"home": home.path})}
    )
    file = home.path / "streamgauge.yml"
    configuration.write(config, file)
    command = [sys.executable, "-m", "streamgauge.local.container", "jobs"]
    variables = {**environment(home), configuration.ENVIRONMENT_VARIABLE: str(file)}
    log = home.log("keeper")
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=variables) as keeper:
        try:
            wait_for(lambda: all_run(config, home), 240, log.read_text)
            yield
        finally:
            keeper.terminate()
            assert keeper.wait(90) == 0, log.read_text()
    assert not all_run(config, home)
    assert [*stack.home.savepoints.iterdir()]


def test_a_sample_is_found_and_an_alert_fires_where_everybody_has_to_log_in(
    config: Config, tmp_path: Path
) -> None:
    file = tmp_path / "secured.yml"
    file.write_text(RULES)
    own = HOME / "conf" / "streamgauge.yml"
    applied = CliRunner().invoke(main, ["--config", str(own), "rules", "apply", "--yes", str(file)])
    assert applied.exit_code == 0, applied.output
    collector, gateway = (
        f"http://{each}/api/v1" for each in (config.collector.listen, config.gateway.listen)
    )

    def state() -> str:
        sample = {"metric": "room_temperature", "value": 21.5}
        assert httpx.post(f"{collector}/push", json=sample, timeout=30).status_code == 204
        alerts = httpx.get(f"{gateway}/alerts", timeout=30).json()["data"]["alerts"]
        return "".join(alert["state"] for alert in alerts)

    wait_for(lambda: state() == "firing", 90)
    query = {"query": "room_temperature"}
    found = httpx.get(f"{gateway}/query", params=query, timeout=30).json()["data"]["result"]
    assert [series["value"][1] for series in found] == ["21.5"]
    # it is sent by another producer than its state, which may come first
    wait_for(lambda: _messages(config, TRIGGERED, ALERT_PARTITIONS) > 0, 60)
    # what the gateway keeps of answers lies in Redis
    httpx.get(f"{gateway}/labels", timeout=30).raise_for_status()
    client = redis.connect(config.redis)
    wait_for(lambda: bool(client.dbsize()), 30)
    client.close()


def test_the_disks_of_a_broker_are_known_to_who_logs_in(config: Config) -> None:
    place = address(config.kafka.bootstrap)
    assert config.kafka.sasl
    for mechanism in ("PLAIN", "SCRAM-SHA-512"):
        sasl = config.kafka.sasl.model_copy(update={"mechanism": mechanism})
        assert disks(config.kafka.model_copy(update={"sasl": sasl}), *place)


WRONG = {"password": SecretStr("wrong"), "password_file": None}


@pytest.mark.parametrize(
    "change", [{"sasl": None}, {"tls": None}, {"sasl": WRONG}, {"tls": {"cert_file": None, "key_file": None}}]
)
def test_kafka_refuses_who_does_not_prove_who_it_is(config: Config, change: dict[str, Any]) -> None:
    kafka = _changed(config.kafka, change)
    with pytest.raises(KafkaException):
        AdminClient({**client_settings(kafka), "log_level": 0}).list_topics(timeout=2)
    with pytest.raises((OSError, ValueError)):
        disks(kafka, *address(kafka.bootstrap))


@pytest.mark.parametrize("change", [WRONG, {"user": ""}, {"tls": None}, {"user": "cassandra", **WRONG}])
def test_cassandra_refuses_who_does_not_prove_who_it_is(config: Config, change: dict[str, Any]) -> None:
    with pytest.raises(NoHostAvailable):
        connect(_changed(config.cassandra, change))


@pytest.mark.parametrize("change", [WRONG, {"user": "", "password_file": None}, {"user": ""}])
def test_redis_refuses_who_does_not_prove_who_it_is(config: Config, change: dict[str, Any]) -> None:
    client = redis.connect(_changed(config.redis, change))
    with pytest.raises(RedisError):
        client.get("anything")
    client.close()


def test_no_process_log_or_page_of_flink_shows_a_password(config: Config) -> None:
    passwords = {AWKWARD, config.redis.secret()}
    for process in psutil.process_iter(["cmdline"]):
        assert not any(
            password in argument for argument in process.info["cmdline"] or () for password in passwords
        )
    for file in HOME.glob("**/logs/*"):
        text = file.read_text(errors="replace")
        assert not any(password in text for password in passwords), file
    paths = ["jobmanager/config", "jobmanager/log"]
    for job in FlinkRest(config.flink.rest).states():
        paths += [f"jobs/{job}", f"jobs/{job}/config", f"jobs/{job}/plan", f"jobs/{job}/exceptions"]
    for path in paths:
        text = httpx.get(f"{config.flink.rest}/{path}", timeout=30).text
        assert not any(password in text for password in passwords), path


def _messages(config: Config, topic: str, partitions: int) -> int:
    return sum(len([*read_partition(config.kafka, topic, number)]) for number in range(partitions))


def _changed(section: Any, change: dict[str, Any]) -> Any:
    """A section with other values, also in sections in it."""
    values = {
        key: _changed(getattr(section, key), value) if isinstance(value, dict) else value
        for key, value in change.items()
    }
    return section.model_copy(update=values)
