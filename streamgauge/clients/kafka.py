"""How clients of Kafka are told where it is and who they are: librdkafka, and the Java client in Flink's connector."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamgauge.clients.tls import UnusableCertificate
from streamgauge.config.connections import Kafka, Sasl

_SECURITY = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security"
"""The connector brings its own copy of Kafka's classes, under names of its own."""
LOGIN_MODULES: Mapping[str, str] = {
    "PLAIN": f"{_SECURITY}.plain.PlainLoginModule",
    "SCRAM-SHA-256": f"{_SECURITY}.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_SECURITY}.scram.ScramLoginModule",
}
"""The class that logs in, by mechanism."""


def client_settings(kafka: Kafka) -> dict[str, Any]:
    """What every producer, consumer and admin client of confluent_kafka is made with, beside its own settings.

    :raises MissingPassword: if the file of the password cannot be used.
    """
    settings: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap}
    if kafka.sasl or kafka.tls:
        settings["security.protocol"] = kafka.security_protocol
    if sasl := kafka.sasl:
        settings["sasl.mechanism"] = sasl.mechanism
        settings["sasl.username"] = sasl.user
        settings["sasl.password"] = sasl.secret()
    if tls := kafka.tls:
        files = {
            "ssl.ca.location": tls.ca_file,
            "ssl.certificate.location": tls.cert_file,
            "ssl.key.location": tls.key_file,
        }
        settings |= {name: str(file) for name, file in files.items() if file}
    return settings


def table_options(kafka: Kafka, options: Mapping[str, str]) -> str:
    """The options of a table of Flink's Kafka connector as SQL, those of the connection and others.

    A client's own certificate and its key become part of the job, for the Java client wants both in one file.

    :raises MissingPassword: if the file of the password cannot be used.
    :raises UnusableCertificate: likewise one of a certificate.
    """
    found = {"connector": "kafka", **_java_properties(kafka), **options}
    return ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in found.items())


def _java_properties(kafka: Kafka) -> dict[str, str]:
    properties = {"bootstrap.servers": kafka.bootstrap}
    if kafka.sasl or kafka.tls:
        properties["security.protocol"] = kafka.security_protocol
    if kafka.sasl:
        properties["sasl.mechanism"] = kafka.sasl.mechanism
        properties["sasl.jaas.config"] = _jaas(kafka.sasl)
    if tls := kafka.tls:
        if tls.ca_file:
            properties["ssl.truststore.type"] = "PEM"
            properties["ssl.truststore.location"] = str(tls.ca_file)
        if tls.cert_file and tls.key_file:
            properties["ssl.keystore.type"] = "PEM"
            properties["ssl.keystore.certificate.chain"] = _content(tls.cert_file)
            properties["ssl.keystore.key"] = _content(tls.key_file)
    return {f"properties.{name}": value for name, value in properties.items()}


def _jaas(sasl: Sasl) -> str:
    module = LOGIN_MODULES[sasl.mechanism]
    return f"{module} required username={java_text(sasl.user)} password={java_text(sasl.secret())};"


def java_text(text: str) -> str:
    """Text in the quotes of JAAS, whose escapes are those of java.io.StreamTokenizer."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _quoted(text: str) -> str:
    """A text of SQL."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _content(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableCertificate(f"{file}: cannot be read: {error}") from None
