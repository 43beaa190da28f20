"""What the local stack makes for its servers and clients, and Redis behind it."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import RedisError

from streamgauge.clients.redis import connect
from streamgauge.config import Cassandra, Config, Kafka, Local, Redis
from streamgauge.config.connections import ClientTls, Sasl
from streamgauge.local.servers import credentials, redis
from streamgauge.local.servers.credentials import CannotSecure
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.servers.service import address
from streamgauge.local.supervision.home import Home


def files(home: Home) -> ClientTls:
    return ClientTls(
        ca_file=home.tls / "ca.pem", cert_file=home.tls / "client.pem", key_file=home.tls / "client-key.pem"
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.make()
    return found


@pytest.fixture
def config(home: Home) -> Config:
    return Config(
        kafka=Kafka(sasl=Sasl(user="gauge", password_file=home.path / "kafka"), tls=files(home)),
        cassandra=Cassandra(
            hosts=("node.test",), user="gauge", password_file=home.path / "secrets" / "cassandra"
        ),
        redis=Redis(password_file=home.path / "redis"),
        local=Local(home=home.path),
    )


def test_passwords_and_the_authority_are_made_once_and_are_their_owners_alone(
    config: Config, home: Home
) -> None:
    assert config.kafka.sasl
    sections = (config.kafka.sasl, config.cassandra, config.redis)
    credentials.make(config, home)
    secrets = [section.secret() for section in sections]
    assert len(set(secrets)) == 3
    assert min(map(len, secrets)) > 30
    ca = (home.tls / "ca.pem").read_text()
    credentials.make(config, home)
    assert [section.secret() for section in sections] == secrets
    assert (home.tls / "ca.pem").read_text() == ca
    for file in (*home.tls.iterdir(), *(section.password_file for section in sections)):
        assert file
        if "key" in file.name or file.name == "server.pem" or file.parent != home.tls:
            assert file.stat().st_mode & 0o077 == 0, file
    assert home.tls.stat().st_mode & 0o077 == 0


def test_the_certificates_are_of_the_authority_and_name_the_servers(config: Config, home: Home) -> None:
    credentials.make(config, home)
    for file in ("server.pem", "client.pem"):
        command = ["openssl", "verify", "-CAfile", str(home.tls / "ca.pem"), str(home.tls / file)]
        assert subprocess.run(command, capture_output=True).returncode == 0
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(home.tls / "server.pem"), "-noout", "-ext", "subjectAltName"],
        capture_output=True,
        text=True,
    ).stdout
    for name in ("DNS:node.test", "DNS:localhost", "IP Address:127.0.0.1"):
        assert name in shown


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_is_not_the_stacks_own_is_refused(name: str, config: Config, home: Home) -> None:
    tls = files(home).model_copy(update={name: Path("/elsewhere.pem")})
    wrong = config.model_copy(update={"kafka": config.kafka.model_copy(update={"tls": tls})})
    with pytest.raises(CannotSecure, match=rf"kafka.tls.{name}: .*{home.tls}"):
        credentials.make(wrong, home)


def test_a_local_redis_with_tls_is_refused(home: Home) -> None:
    with pytest.raises(CannotSecure, match=r"redis\.url"):
        credentials.make(Config(redis=Redis(url="rediss://127.0.0.1:6379/0")), home)


@pytest.fixture(params=["", "gauge"])
def server(request: pytest.FixtureRequest, home: Home) -> Iterator[Redis]:
    """A Redis that demands a password, of the default user or of another; its settings."""
    [port] = free_ports(1)
    settings = Redis(
        url=f"redis://127.0.0.1:{port}/0", user=request.param, password=SecretStr('h"u s\\h'), timeout_ms=5000
    )
    service = redis.service(Config(redis=settings, local=Local(home=home.path)), home)
    with subprocess.Popen(service.command(), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while not service.ready():
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)
        yield settings
        process.kill()


def answers(settings: Redis) -> bool:
    with contextlib.closing(connect(settings)) as client:
        return bool(client.ping())


def test_redis_takes_the_password_and_nothing_else(server: Redis, home: Home) -> None:
    assert answers(server)
    assert server.secret() not in (home.conf / "redis.conf").read_text()
    for change in ({"password": SecretStr("wrong")}, {"password": None, "user": ""}, {"user": "nobody"}):
        with pytest.raises(RedisError):
            answers(server.model_copy(update=change))


class TlsPort:
    """Speaks TLS before a server that does not, and demands a certificate of clients."""

    def __init__(self, behind: int, home: Home, host: str) -> None:
        self._behind = behind
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=home.tls / "ca.pem")
        self._context.load_cert_chain(home.tls / "server.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server((host, 0))
        self.url = f"rediss://{host}:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            plain,
            self._context.wrap_socket(plain, server_side=True) as outside,
            socket.create_connection(("127.0.0.1", self._behind)) as inside,
        ):
            # one request, one answer at a time
            while data := outside.recv(65536):
                inside.sendall(data)
                outside.sendall(inside.recv(65536))

    def close(self) -> None:
        self._listener.close()


NAMED, UNNAMED = "127.0.0.1", "127.0.0.2"
"""Hosts, one that the server's certificate names and one that it does not."""


@pytest.mark.parametrize(
    ("host", "change", "fits"),
    [
        (NAMED, {}, True),
        (UNNAMED, {}, False),
        (NAMED, {"ca_file": None}, False),
        (NAMED, {"cert_file": None, "key_file": None}, False),
    ],
)
def test_redis_is_spoken_to_over_tls(
    server: Redis, home: Home, config: Config, host: str, change: dict[str, None], fits: bool
) -> None:
    credentials.make(config, home)
    tls = files(home).model_copy(update=change)
    with contextlib.closing(TlsPort(address(server.url)[1], home, host)) as port:
        settings = server.model_copy(update={"url": port.url, "tls": tls})
        if fits:
            assert answers(settings)
        else:
            with pytest.raises(RedisError):
                answers(settings)
