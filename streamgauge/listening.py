"""An address that one process alone listens on, and the HTTP server there.

granian makes its sockets with SO_REUSEPORT: a second process on the same address would start without a word, and the
kernel would give each a part of the requests.
"""

import errno
import socket
from typing import Any

from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

BACKLOG = 128


class NotListening(Exception):
    """Nothing can listen on the address, which the message names."""


class Address:
    """An address that is held for this process.

    It accepts connections only from `server` on, so that nobody takes a process for ready that still starts.

    :param text: `HOST:PORT`, or `[HOST]:PORT` of IPv6.
    :raises NotListening: if another process listens there, or nothing can.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        host, _, port = text.rpartition(":")
        try:
            # getaddrinfo takes larger ones, for others
            if not 0 <= int(port) <= 65535:
                raise ValueError(f"invalid port {port}")
            family, kind, protocol, _, place = socket.getaddrinfo(
                host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, ValueError) as error:
            raise self._refusal(error) from None
        self._socket = socket.socket(family, kind, protocol)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setblocking(False)
            self._socket.bind(place)
        except OSError as error:
            self._socket.close()
            raise self._refusal(error) from None

    def server(self, app: Any, **options: Any) -> Granian:
        """The server of an ASGI application here; the address belongs to it from now on.

        :param options: granian's. :raises NotListening: if another process has begun to listen meanwhile.
        """
        host, port = self._socket.getsockname()[:2]
        try:
            self._socket.listen(BACKLOG)
        except OSError as error:
            raise self._refusal(error) from None
        return _Server(
            self._socket,
            app,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
            **options,
        )

    def close(self) -> None:
        """Give the address back, if no server has it."""
        self._socket.close()

    def _refusal(self, error: Exception) -> NotListening:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            return NotListening(f"{self._text} is in use: another process listens there")
        return NotListening(f"{self._text} is not an address to listen on: {error}")


class _Server(Granian):
    """granian with a socket that is there already."""

    def __init__(self, listener: socket.socket, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # its stubs do not know of the arguments: descriptor, whether it is a Unix socket, backlog
        holder: Any = SocketHolder
        self._shd = holder(self._listener.detach(), False, BACKLOG)
