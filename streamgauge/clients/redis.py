"""The one function that makes clients of Redis."""

from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streamgauge.clients.tls import client_context
from streamgauge.config.connections import Redis as Settings


def connect(settings: Settings) -> Redis:
    """A client that connects when it is first asked, and tries nothing twice.

    :raises streamgauge.config.connections.MissingPassword: if the file of the password cannot be used.
    :raises streamgauge.clients.tls.UnusableCertificate: likewise one of a certificate.
    """
    timeout = settings.timeout_ms / 1000
    options: dict[str, Any] = {}
    if settings.has_password:
        options["password"] = settings.secret()
    if settings.user:
        options["username"] = settings.user
    if tls := settings.tls:
        # a file that cannot be used is an error now, not a cache that is silently away
        client_context(tls)
        files = {
            "ssl_ca_certs": tls.ca_file,
            "ssl_certfile": tls.cert_file,
            "ssl_keyfile": tls.key_file,
        }
        options |= {name: str(file) for name, file in files.items() if file}
    if urlsplit(settings.url).scheme == "rediss":
        options["ssl_check_hostname"] = True
    return Redis.from_url(
        settings.url,
        **options,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
