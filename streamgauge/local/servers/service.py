"""What the supervisor knows about a process that it keeps running."""

import http.client
import os
import socket
import sys
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from streamgauge.clients.no_redirects import open_url
from streamgauge.config import ENVIRONMENT_VARIABLE
from streamgauge.local.supervision.home import Home
from streamgauge.redaction import redacted


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the stack.

    name: also of its log and pid file. command: prepares one start and gives its arguments. ready: whether
    it serves now; asked while it starts. after: services that must be ready first. ports: those it listens
    on, by configuration key. once: it is to end by itself with code 0. grace_s: from SIGTERM to SIGKILL.
    """

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[], bool]
    after: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    grace_s: float = 20.0


def environment(home: Home) -> dict[str, str]:
    """What every process has in its environment: one thread per kernel, caches, the configuration."""
    return os.environ | {
        ENVIRONMENT_VARIABLE: str(home.config),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_IO_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        # also in Flink's Python workers: a fatal signal leaves the stack of each thread in the log
        "PYTHONFAULTHANDLER": "1",
        # empty is unset: where modules are compiled anew at each start, a worker takes 3 CPU seconds more
        "PYTHONDONTWRITEBYTECODE": "",
    }


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or of a URL."""
    parts = urlsplit(text if "//" in text else f"//{text}")
    if parts.hostname is None or parts.port is None:
        raise ValueError(f"{redacted(text)!r} does not name a host and a port")
    return parts.hostname, parts.port


def listens(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether the URL answers over HTTP, in whatever words; another protocol's server does not."""
    try:
        open_url(url, 2).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True
