"""Kafka in KRaft mode: one node that is broker and controller."""

import base64
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streamgauge.clients.kafka import client_settings, java_text
from streamgauge.config import Config, Kafka
from streamgauge.local.servers import jars
from streamgauge.local.servers.credentials import authority, server_pem, write_secret
from streamgauge.local.servers.service import Service, address, listens
from streamgauge.local.supervision.home import Home

PLAIN = "PLAIN"
"""The mechanism in which the broker speaks to itself, and is told of the passwords of the others."""
SCRAM_ROUNDS = 4096
LISTENERS = ("clients", "controller")
"""As the names of settings have them."""
_SECURITY = "org.apache.kafka.common.security"
LOGGING = Path(__file__).parents[1] / "logging" / "kafka.properties"


def service(config: Config, home: Home) -> Service:
    """The broker."""
    host, port = address(config.kafka.bootstrap)
    properties = home.conf / "kafka.properties"
    data = home.data / "kafka"

    def command() -> list[str]:
        settings = _settings(config, data) | _security(config.kafka, home)
        write_secret(
            properties, "".join(f"{key}={_escaped(str(value))}\n" for key, value in settings.items())
        )
        if not (data / "meta.properties").exists():
            _format(home, properties)
        return [*_java("-Xms256m", "-Xmx512m", "-XX:+UseG1GC"), "kafka.Kafka", str(properties)]

    def ready() -> bool:
        return listens(host, port) and _enrolled(config.kafka) and _answers(config.kafka)

    ports = {"kafka.bootstrap": port, "local.kafka_controller_port": config.local.kafka_controller_port}
    return Service("kafka", command, ready, ports=ports)


def _settings(config: Config, data: Path) -> dict[str, object]:
    host, port = address(config.kafka.bootstrap)
    controller = f"{host}:{config.local.kafka_controller_port}"
    protocol = config.kafka.security_protocol
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"CLIENTS://{host}:{port},CONTROLLER://{controller}",
        "advertised.listeners": f"CLIENTS://{host}:{port}",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": f"CLIENTS:{protocol},CONTROLLER:{protocol}",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "log.segment.bytes": 128 * 1024 * 1024,
        "log.retention.check.interval.ms": 60_000,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }


def _security(kafka: Kafka, home: Home) -> dict[str, object]:
    """What the broker demands of clients, which is what they are configured to give."""
    found: dict[str, object] = {}
    if kafka.tls:
        found |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": server_pem(home),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": authority(home),
        }
        for listener in LISTENERS:
            # without the listener's name it does not count beside SASL (KIP-684)
            wanted = "required" if kafka.tls.cert_file else "none"
            found[f"listener.name.{listener}.ssl.client.auth"] = wanted
    if kafka.sasl:
        user, password = java_text(kafka.sasl.user), java_text(kafka.sasl.secret())
        plain = f"{_SECURITY}.plain.PlainLoginModule required username={user} password={password}"
        mechanisms = dict.fromkeys([PLAIN, kafka.sasl.mechanism])
        found |= {
            "sasl.enabled.mechanisms": ",".join(mechanisms),
            "sasl.mechanism.inter.broker.protocol": PLAIN,
            "sasl.mechanism.controller.protocol": PLAIN,
            "listener.name.controller.sasl.enabled.mechanisms": PLAIN,
        }
        for listener in LISTENERS:
            login = f"{plain} user_{kafka.sasl.user}={password};"
            found[f"listener.name.{listener}.plain.sasl.jaas.config"] = login
        if kafka.sasl.mechanism != PLAIN:
            mechanism = kafka.sasl.mechanism.lower()
            found[f"listener.name.clients.{mechanism}.sasl.jaas.config"] = (
                f"{_SECURITY}.scram.ScramLoginModule required;"
            )
    return found


def _escaped(value: str) -> str:
    """A value in a file of Java's properties."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    units = escaped.encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def _enrolled(kafka: Kafka) -> bool:
    """Whether the broker knows the password as the mechanism wants it; those of SCRAM are stored in Kafka itself."""
    if kafka.sasl is None or kafka.sasl.mechanism == PLAIN:
        return True
    sasl = kafka.sasl
    admin = AdminClient({**client_settings(kafka), "sasl.mechanism": PLAIN, "log_level": 0})
    mechanism = ScramMechanism[sasl.mechanism.replace("-", "_")]
    secret = UserScramCredentialUpsertion(
        sasl.user, ScramCredentialInfo(mechanism, SCRAM_ROUNDS), sasl.secret().encode()
    )
    try:
        admin.alter_user_scram_credentials([secret], request_timeout=2)[sasl.user].result(2)
    except (KafkaException, TimeoutError):
        return False
    return True


def _java(*options: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    return ["java", *options, logging, "-cp", jars.class_path("kafka")]


def _format(home: Home, properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [*_java("-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    with home.log("kafka").open("ab") as log:
        subprocess.run(tool, stdout=log, stderr=log, check=True)


def _answers(kafka: Kafka) -> bool:
    try:
        AdminClient({**client_settings(kafka), "log_level": 0}).list_topics(timeout=2)
    except KafkaException:
        return False
    return True
