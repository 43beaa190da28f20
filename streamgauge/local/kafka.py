"""Kafka in KRaft mode: one node that is broker and controller."""

import base64
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamgauge.config import Config
from streamgauge.local import jars
from streamgauge.local.home import Home
from streamgauge.local.service import Service, address, listens

LOGGING = Path(__file__).parent / "logging" / "kafka.properties"


def service(config: Config, home: Home) -> Service:
    """The broker."""
    host, port = address(config.kafka.bootstrap)
    properties = home.conf / "kafka.properties"
    data = home.data / "kafka"

    def command() -> list[str]:
        settings = _settings(config, data)
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        if not (data / "meta.properties").exists():
            _format(home, properties)
        return [*_java("-Xms256m", "-Xmx512m", "-XX:+UseG1GC"), "kafka.Kafka", str(properties)]

    def ready() -> bool:
        return listens(host, port) and _answers(config.kafka.bootstrap)

    ports = {"kafka.bootstrap": port, "local.kafka_controller_port": config.local.kafka_controller_port}
    return Service("kafka", command, ready, ports=ports)


def _settings(config: Config, data: Path) -> dict[str, object]:
    host, port = address(config.kafka.bootstrap)
    controller = f"{host}:{config.local.kafka_controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
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


def _java(*options: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    return ["java", *options, logging, "-cp", jars.class_path("kafka")]


def _format(home: Home, properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [*_java("-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    with home.log("kafka").open("ab") as log:
        subprocess.run(tool, stdout=log, stderr=log, check=True)


def _answers(bootstrap: str) -> bool:
    try:
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=2)
    except KafkaException:
        return False
    return True
