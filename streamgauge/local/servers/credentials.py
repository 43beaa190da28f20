"""Certificates and passwords of the local stack's servers and clients, created once.

The servers demand what the configuration has clients give: with `kafka.sasl` Kafka wants this user and password, with
`kafka.tls` it has a certificate of the stack's own authority, and so on.
"""

import ipaddress
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from streamgauge.config import Config
from streamgauge.config.connections import ClientTls, Credentials
from streamgauge.local.servers.service import address
from streamgauge.local.supervision.home import Home

DAYS = 3650
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class CannotSecure(ValueError):
    """The stack cannot be secured as the configuration wants it; the message says why."""


def make(config: Config, home: Home) -> None:
    """Make the password files that are missing, and all certificates if there is TLS.

    :raises CannotSecure: without openssl, and for files that are not the stack's own.
    """
    for credentials in _credentials(config):
        if credentials.password_file and not credentials.password_file.exists():
            write_secret(credentials.password_file, secrets.token_urlsafe(24))
    if urlsplit(config.redis.url).scheme != "redis":
        raise CannotSecure(
            "redis.url: the local stack's Redis has no TLS, so the URL must begin with redis://"
        )
    used = {"kafka.tls": config.kafka.tls, "cassandra.tls": config.cassandra.tls}
    wanted = {key: tls for key, tls in used.items() if tls}
    for key, tls in wanted.items():
        _check(key, tls, home)
    if wanted:
        _certify(config, home)


def server_pem(home: Home) -> Path:
    """The servers' key, their certificate, and that of the authority."""
    return home.tls / "server.pem"


def authority(home: Home) -> Path:
    """The certificate of the stack's own authority."""
    return home.tls / "ca.pem"


def _credentials(config: Config) -> Iterator[Credentials]:
    yield from (config.cassandra, config.redis)
    if config.kafka.sasl:
        yield config.kafka.sasl


def _check(key: str, tls: ClientTls, home: Home) -> None:
    own = {
        "ca_file": authority(home),
        "cert_file": home.tls / "client.pem",
        "key_file": home.tls / "client-key.pem",
    }
    for name, path in own.items():
        given = getattr(tls, name)
        if given != path and not (given is None and name != "ca_file"):
            raise CannotSecure(f"{key}.{name}: the local stack creates this file itself, as {path}")


def _certify(config: Config, home: Home) -> None:
    """An authority, unless there is one, and new certificates for the servers and for clients."""
    if shutil.which("openssl") is None:
        raise CannotSecure("openssl is not on the PATH: the local stack creates its certificates with it")
    home.tls.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, ca_key = authority(home), home.tls / "ca-key.pem"
    if not (ca.exists() and ca_key.exists()):
        subject = ("-subj", "/CN=authority of a local stack", "-days", str(DAYS))
        _openssl("req", "-x509", *NEW_KEY, *subject, "-keyout", str(ca_key), "-out", str(ca))
    hosts = {address(config.kafka.bootstrap)[0], config.cassandra.hosts[0], "localhost", "127.0.0.1"}
    key, certificate = _sign(home, "server", f"subjectAltName={','.join(sorted(map(_name, hosts)))}")
    write_secret(home.tls / "server.pem", key + certificate + ca.read_text())
    key, certificate = _sign(home, "client", "subjectAltName=DNS:client")
    write_secret(home.tls / "client-key.pem", key)
    write_secret(home.tls / "client.pem", certificate)


def _sign(home: Home, name: str, extension: str) -> tuple[str, str]:
    """A new key, and its certificate with one extension, as PEM."""
    with tempfile.TemporaryDirectory(dir=home.tls) as folder:
        files = ("key", "request", "extensions", "certificate")
        key, request, extensions, certificate = (Path(folder) / file for file in files)
        extensions.write_text(f"{extension}\n")
        _openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        signer = ("-CA", str(authority(home)), "-CAkey", str(home.tls / "ca-key.pem"))
        serial = ("-set_serial", str(secrets.randbits(63)), "-days", str(DAYS), "-extfile", str(extensions))
        _openssl("x509", "-req", "-in", str(request), *signer, *serial, "-out", str(certificate))
        return key.read_text(), certificate.read_text()


def _openssl(*arguments: str) -> None:
    ran = subprocess.run(["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise CannotSecure(f"openssl {arguments[0]} failed: {ran.stderr.strip()}")


def _name(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"


def write_secret(path: Path, content: str) -> None:
    """Write a file anew that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
