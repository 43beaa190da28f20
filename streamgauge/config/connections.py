"""Connections to other servers: addresses and credentials.

Passwords are never shown: a section gives `<secret>` for one unless it is dumped with the context REVEALED. One in a
file is read each time that a client connects, so the file may come later than the configuration, and may change.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import (
    Field,
    SecretStr,
    SerializationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from streamgauge.redaction import HIDDEN
from streamgauge.yaml_file import Section

REVEALED: Mapping[str, bool] = {"revealed": True}
"""The context in which a dump has passwords."""
MAX_PASSWORD_BYTES = 64 * 1024


class MissingPassword(ValueError):
    """An unusable password file; the message names it."""


class ClientTls(Section):
    """Verification of a server's certificate, and the client's own certificate. All files are PEM."""

    ca_file: Path | None = None
    """Trusted authorities; by default those of the system."""
    cert_file: Path | None = None
    """The client certificate, if the server requires one."""
    key_file: Path | None = None
    """Key of the certificate, as PKCS #8 without a passphrase."""

    @model_validator(mode="after")
    def _a_certificate_has_a_key(self) -> "ClientTls":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file must be set together")
        return self


class Credentials(Section):
    """User name, and either the password or a file that contains it."""

    user: str = ""
    """The user name; empty for none."""
    password: SecretStr | None = None
    """The password itself."""
    password_file: Path | None = None
    """A file with the password, read whenever a client is created."""

    @model_validator(mode="after")
    def _one_password(self) -> "Credentials":
        if self.password is not None and self.password_file is not None:
            raise ValueError("set only one of password and password_file")
        if self.user and not self.has_password:
            raise ValueError("a user requires password or password_file")
        return self

    @field_serializer("password", when_used="json-unless-none")
    def _dump_password(self, password: SecretStr, how: SerializationInfo) -> str:
        return password.get_secret_value() if how.context == REVEALED else HIDDEN

    @property
    def has_password(self) -> bool:
        """Whether a password is configured."""
        return self.password is not None or self.password_file is not None

    def secret(self) -> str:
        """The password, without the end of its file's last line; empty if there is none.

        :raises MissingPassword: if its file cannot be read, or is empty.
        """
        if self.password_file is None:
            return "" if self.password is None else self.password.get_secret_value()
        try:
            with self.password_file.open("rb") as file:
                content = file.read(MAX_PASSWORD_BYTES + 1)
            found = content.decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise MissingPassword(f"{self.password_file}: cannot read the password: {reason}") from None
        if not found or len(content) > MAX_PASSWORD_BYTES:
            raise MissingPassword(f"{self.password_file}: holds no password")
        return found


class Sasl(Credentials):
    """SASL login to Kafka. PLAIN sends the password itself, so use it with TLS."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """The SASL mechanism."""
    user: str = Field(min_length=1)
    """The user name."""


class Kafka(Section):
    """Address of Kafka, and settings of the topics."""

    bootstrap: str = "127.0.0.1:9092"
    """Bootstrap servers, HOST:PORT separated by commas."""
    partitions: int = Field(4, ge=1)
    """Partitions of metrics.raw; must divide `layout.lanes`. May grow, never shrink."""
    replication: int = Field(1, ge=1)
    """Replication factor of all topics."""
    retention_hours: int = Field(24, ge=1)
    """Retention of metrics.raw, by the newest sample of a message: the range of a backfill."""
    sasl: Sasl | None = None
    tls: ClientTls | None = None

    @property
    def security_protocol(self) -> str:
        """In Kafka's words."""
        return ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT")


class Cassandra(Credentials):
    """Addresses of Cassandra, and settings of the keyspace."""

    hosts: tuple[str, ...] = ("127.0.0.1",)
    """Contact points."""
    port: int = 9042
    """The CQL port of all nodes."""
    keyspace: str = Field("streamgauge", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    """The keyspace with all tables."""
    replication: int = Field(1, ge=1)
    """Replication factor of the keyspace."""
    datacenter: str = ""
    """Datacenter whose nodes are used; by default all nodes."""
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _a_password_is_somebodys(self) -> "Cassandra":
        if self.has_password and not self.user:
            raise ValueError("a password requires a user")
        return self


class Redis(Credentials):
    """Address of Redis. A password without a user is that of the user `default`."""

    url: str = "redis://127.0.0.1:6379/0"
    """rediss:// means TLS."""
    timeout_ms: int = Field(50, ge=1)
    """Timeout of a request to Redis."""
    pause_s: float = Field(5.0, gt=0)
    """Time for which the gateway bypasses Redis after a failure."""
    tls: ClientTls | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_the_password_out_of_the_url(cls, values: Any) -> Any:
        """Into a field that is never shown."""
        if not isinstance(values, dict) or not isinstance(url := values.get("url"), str):
            return values
        parts = urlsplit(url)
        if "password" in parse_qs(parts.query):
            raise ValueError("set the password with redis.password or redis.password_file")
        if parts.password is None:
            return values
        if values.keys() & {"user", "password", "password_file"}:
            raise ValueError("redis.url already has a password: set it only once")
        place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        password = SecretStr(unquote(parts.password))
        return values | {"url": place, "user": unquote(parts.username or ""), "password": password}

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("the URL must begin with redis://, rediss:// or unix://")
        return url

    @model_validator(mode="after")
    def _tls_is_used(self) -> "Redis":
        if self.tls and urlsplit(self.url).scheme != "rediss":
            raise ValueError("tls requires a URL that begins with rediss://")
        return self


class Flink(Section):
    """Address of Flink, and settings of the jobs."""

    rest: str = "http://127.0.0.1:8081"
    """The URL of the JobManager's REST API."""
    parallelism: int = Field(2, ge=1)
    """Parallel instances of each operator, and slots of each job."""
    checkpoint_interval_s: int = Field(10, ge=1)
    """Interval between checkpoints, in seconds."""
