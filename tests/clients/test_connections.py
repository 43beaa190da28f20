"""Credentials in the configuration: they are read, reach every client, and are never shown."""

import ast
import zipfile
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from streamgauge import config as configuration
from streamgauge.clients.kafka import LOGIN_MODULES, client_settings, table_options
from streamgauge.clients.tls import UnusableCertificate, client_context
from streamgauge.config import Cassandra, Config, Kafka, Local, Redis
from streamgauge.config.connections import ClientTls, Credentials, MissingPassword, Sasl
from streamgauge.gateway.api.status import Status
from streamgauge.local.servers import jars
from streamgauge.redaction import HIDDEN
from streamgauge.store.reading import ReadContext
from streamgauge.yaml_file import InvalidFile

ROOT = Path(__file__).parents[2]
PASSWORDS = ("hush-kafka", "hush-cassandra", "hush-redis")


def secured() -> Config:
    kafka, cassandra, redis = map(SecretStr, PASSWORDS)
    return Config(
        kafka=Kafka(sasl=Sasl(user="gauge", password=kafka)),
        cassandra=Cassandra(user="gauge", password=cassandra),
        redis=Redis(password=redis),
        local=Local(home=Path("/nowhere")),
    )


def test_passwords_are_shown_nowhere_but_in_the_file_for_our_own_processes(tmp_path: Path) -> None:
    config = secured()
    status = Status(config, lambda: 0)
    shown = [
        repr(config),
        str(config),
        config.model_dump_json(),
        repr(config.model_dump()),
        str(status.config({}, ReadContext()).data),
        str(status.flags({}, ReadContext()).data),
    ]
    for text in shown:
        assert not any(password in text for password in PASSWORDS)
    assert shown[-1].count(HIDDEN) == len(PASSWORDS)
    file = tmp_path / "streamgauge.yml"
    configuration.write(config, file)
    assert file.stat().st_mode & 0o077 == 0
    read = configuration.read(file)
    assert configuration.text(read) == file.read_text()
    assert [read.cassandra.secret(), read.redis.secret()] == list(PASSWORDS[1:])
    assert [*tmp_path.iterdir()] == [file]


FAULTS = {
    "kafka: {sasl: {user: gauge}}": "a user requires password or password_file",
    "kafka: {sasl: {password: hush}}": "kafka.sasl.user",
    "kafka: {sasl: {user: gauge, password: hush, password_file: file}}": "set only one of password and password_file",
    "kafka: {sasl: {user: gauge, password: hush, mechanism: GSSAPI}}": "kafka.sasl.mechanism",
    "kafka: {tls: {cert_file: file}}": "cert_file and key_file must be set together",
    "cassandra: {password: hush}": "a password requires a user",
    "cassandra: {user: gauge}": "a user requires password or password_file",
    "redis: {url: 'redis://:hush@localhost:6379', password: hush}": "set it only once",
    "redis: {url: 'redis://localhost:6379?password=hush'}": "redis.password or redis.password_file",
    "redis: {url: 'http://:hush@localhost:6379'}": "rediss:// or unix://",
    "redis: {tls: {}}": "rediss://",
    "redis: {password: [hush}": "not YAML",
    "redis: {password: [hush]}": "redis.password",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_names_its_place_and_no_password(text: str, tmp_path: Path) -> None:
    file = tmp_path / "streamgauge.yml"
    file.write_text(text)
    with pytest.raises(InvalidFile) as fault:
        configuration.read(file)
    assert FAULTS[text] in str(fault.value)
    assert "Value error" not in str(fault.value)
    assert str(fault.value).startswith(f"{file}:1:")
    assert "hush" not in str(fault.value)


def test_a_section_made_in_python_tells_no_password_either() -> None:
    with pytest.raises(ValidationError) as fault:
        Sasl.model_validate({"user": "gauge", "password": ["hush"]})
    assert "hush" not in str(fault.value)


def test_a_password_in_the_url_of_redis_is_taken_out_of_it() -> None:
    redis = Redis(url="rediss://gauge:hu%2Fsh@localhost:6379/0?db=1")
    assert redis.url == "rediss://localhost:6379/0?db=1"
    assert (redis.user, redis.secret()) == ("gauge", "hu/sh")


def test_files_are_found_from_the_folder_of_the_configuration_and_read_when_they_are_needed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "streamgauge.yml"
    document = {
        "kafka": {"sasl": {"user": "a", "password_file": "p"}, "tls": {"ca_file": "tls/ca.pem"}},
        "collector": {"disks": ["data"]},
    }
    file.write_text(yaml.safe_dump(document))
    config = configuration.read(file)
    assert config.kafka.sasl
    assert config.kafka.tls == ClientTls(ca_file=tmp_path / "tls" / "ca.pem")
    assert config.collector.disks == (tmp_path / "data",)
    for content in ("first\n", " second \r\n"):
        (tmp_path / "p").write_text(content)
        assert config.kafka.sasl.secret() == content.rstrip("\r\n")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff", b"x" * 100_000])
def test_a_file_without_a_password_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MissingPassword, match=str(file)):
        Credentials(user="gauge", password_file=file).secret()


@pytest.mark.parametrize(
    ("sasl", "tls", "protocol"),
    [(True, True, "SASL_SSL"), (True, False, "SASL_PLAINTEXT"), (False, True, "SSL"), (False, False, None)],
)
def test_clients_of_kafka_are_told_what_is_configured_and_no_more(
    sasl: bool, tls: bool, protocol: str | None, tmp_path: Path
) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text(name)
    files = ClientTls(ca_file=tmp_path / "ca", cert_file=tmp_path / "cert", key_file=tmp_path / "key")
    login = Sasl(user="gauge", password=SecretStr("""p'a"s\\s"""))
    kafka = Kafka(sasl=login if sasl else None, tls=files if tls else None)
    settings = client_settings(kafka)
    assert settings.get("security.protocol") == protocol
    assert settings.get("sasl.password") == ("""p'a"s\\s""" if sasl else None)
    assert settings.get("ssl.key.location") == (str(tmp_path / "key") if tls else None)
    options = table_options(kafka, {"topic": "it's"})
    assert "'topic' = 'it''s'" in options
    assert ("'properties.security.protocol'" in options) == (protocol is not None)
    # quoted for JAAS, and that for SQL
    assert ("""password="p''a\\"s\\\\s";'""" in options) == sasl
    assert ("'properties.ssl.keystore.key' = 'key'" in options) == tls


def test_every_login_module_is_in_the_connector() -> None:
    with zipfile.ZipFile(jars.connector()) as connector:
        there = set(connector.namelist())
    for module in LOGIN_MODULES.values():
        assert f"{module.replace('.', '/')}.class" in there


@pytest.mark.parametrize("part", ["ca_file", "cert_file"])
def test_a_certificate_that_cannot_be_used_is_named(part: str, tmp_path: Path) -> None:
    file = tmp_path / part
    file.write_text("no certificate")
    tls = ClientTls(**{part: file}, **({"key_file": file} if part == "cert_file" else {}))
    with pytest.raises(UnusableCertificate, match=str(file)):
        client_context(tls)
    with pytest.raises(UnusableCertificate, match="missing"):
        table_options(Kafka(tls=ClientTls(cert_file=tmp_path / "missing", key_file=file)), {})


KAFKA_CLIENTS = {"Producer", "Consumer", "AdminClient"}


def calls(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]


def called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_every_client_is_made_with_the_credentials() -> None:
    folders = ("streamgauge", "operators", "sinks", "jobs")
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    kafka_clients = 0
    for file in files:
        for call in calls(file):
            name = called(call)
            if name in KAFKA_CLIENTS:
                kafka_clients += 1
                assert "client_settings(" in ast.unparse(call), f"{file}: {ast.unparse(call)}"
            if name == "Cluster":
                assert file.name == "session.py"
            if name.startswith("Redis.") or "redis.Redis" in name:
                assert file == ROOT / "streamgauge" / "clients" / "redis.py", f"{file}: {name}"
        text = file.read_text()
        if "'connector'" in text or "bootstrap.servers" in text:
            assert file == ROOT / "streamgauge" / "clients" / "kafka.py", file
    assert kafka_clients > 8
