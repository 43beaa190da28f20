"""Creating topics and tables, and holding every process to the layout they were created with."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from cassandra.cluster import Session
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from schemas.tables import ddl
from schemas.topics import Topic, topics
from schemas.units import HOUR_MS
from streamgauge.clients.kafka import client_settings
from streamgauge.config import Config
from streamgauge.store.session import connected

TIMEOUT_S = 30.0
Report = Callable[[str], None]


class SchemaMismatch(ValueError):
    """What is stored was made with another layout than the configuration's; nothing was changed."""


def apply(config: Config, report: Report = lambda _: None) -> None:
    """Create what is missing and correct topic settings that differ; running it again changes nothing.

    :param report: called with a line for everything that was changed.
    :raises SchemaMismatch: if lanes, groups or slices differ from those stored, or partitions cannot fit.
    :raises cassandra.cluster.NoHostAvailable: without Cassandra.
    :raises confluent_kafka.KafkaException: without Kafka.
    """
    with connected(config.cassandra, keyspace=False, timeout_s=TIMEOUT_S) as session:
        for statement in ddl(config.cassandra.keyspace, config.cassandra.replication, config.storage_classes):
            session.execute(statement)
        session.set_keyspace(config.cassandra.keyspace)
        _store_layout(session, config, report)
        check(session, config)
    _apply_topics(config, report)


def check(session: Session, config: Config) -> None:
    """Compare the configured layout with the stored one; every process calls this at its start.

    :raises SchemaMismatch: naming each value that differs or is not stored yet.
    """
    stored = {row.name: row.value for row in session.execute("SELECT name, value FROM settings")}
    faults = []
    for name, configured in config.layout.model_dump().items():
        if name not in stored:
            faults.append(f"layout.{name} is not stored: run `streamgauge schema apply`")
        elif stored[name] != configured:
            faults.append(
                f"layout.{name} is {configured} in the configuration and {stored[name]} in the keyspace"
                f" {config.cassandra.keyspace}, where it cannot change"
            )
    if faults:
        raise SchemaMismatch("; ".join(faults))


def identity(session: Session, config: Config) -> str:
    """What tells this keyspace from all others, also from one of the same name that was dropped."""
    select = "SELECT id FROM system_schema.tables WHERE keyspace_name = %s AND table_name = 'generations'"
    return str(session.execute(select, (config.cassandra.keyspace,)).one().id)


def _store_layout(session: Session, config: Config, report: Report) -> None:
    # a lightweight transaction, so that of two first starts one decides
    insert = session.prepare("INSERT INTO settings (name, value) VALUES (?, ?) IF NOT EXISTS")
    for name, value in config.layout.model_dump().items():
        if session.execute(insert, (name, value)).was_applied:
            report(f"layout.{name} = {value}")


def _apply_topics(config: Config, report: Report) -> None:
    admin = AdminClient(client_settings(config.kafka))
    kafka = config.kafka
    for topic in topics(kafka.partitions, kafka.replication, kafka.retention_hours * HOUR_MS):
        if _create(admin, topic):
            report(f"topic {topic.name} created with {topic.partitions} partitions")
            continue
        _grow(admin, topic, config.layout.lanes, report)
        _correct(admin, topic, report)


def _create(admin: AdminClient, topic: Topic) -> bool:
    """Whether the topic was not there before."""
    wanted = NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication,
        config=topic.settings,
    )
    try:
        _wait(admin.create_topics([wanted]))
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _grow(admin: AdminClient, topic: Topic, lanes: int, report: Report) -> None:
    there = len(admin.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name].partitions)
    if there < topic.partitions:
        _wait(admin.create_partitions([NewPartitions(topic.name, topic.partitions)]))
        report(f"topic {topic.name} grown from {there} to {topic.partitions} partitions")
    elif lanes % there:
        raise SchemaMismatch(
            f"topic {topic.name} has {there} partitions, which do not divide layout.lanes = {lanes}"
        )


def _correct(admin: AdminClient, topic: Topic, report: Report) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    there = _wait(admin.describe_configs([resource]))[0]
    differ = {name: value for name, value in topic.settings.items() if there[name].value != value}
    if not differ:
        return
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in differ.items()
    ]
    _wait(
        admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)]
        )
    )
    for name, value in differ.items():
        report(f"topic {topic.name}: {name} changed from {there[name].value} to {value}")


def _wait(futures: dict[Any, Future[Any]]) -> list[Any]:
    return [future.result(timeout=TIMEOUT_S) for future in futures.values()]
