"""A connection to a broker in Kafka's own protocol, for requests that the client library does not have."""

import contextlib
import socket
import struct
from collections.abc import Iterator

from streamgauge.clients.tls import client_context
from streamgauge.collect.producing.scram import Scram
from streamgauge.config.connections import Kafka, Sasl

CLIENT = b"streamgauge"
CORRELATION = 1
TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 1024 * 1024
_SASL_HANDSHAKE, _SASL_AUTHENTICATE = (17, 1), (36, 0)
"""Keys and versions of the requests that log in."""


class BrokerConnection:
    """Sends one request after the other, each answered before the next. Connected by `connect`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def ask(self, key: int, version: int, body: bytes, *, flexible: bool = False) -> bytes:
        """The body of the answer to a request.

        :param flexible: whether this version of the request has headers with tags (KIP-482).
        :raises OSError: if there is none in time. :raises ValueError: for one that cannot be read.
        """
        header = struct.pack(f">hhih{len(CLIENT)}s", key, version, CORRELATION, len(CLIENT), CLIENT)
        request = header + (b"\0" if flexible else b"") + body
        self._connection.sendall(struct.pack(">i", len(request)) + request)
        answer = Cursor(self._read(self._length()))
        if (correlation := answer.number(">i")) != CORRELATION:
            raise ValueError(f"answer to another request, {correlation}")
        if flexible:
            answer.tags()
        return answer.rest()

    def log_in(self, sasl: Sasl) -> None:
        """Prove to the broker who this client is.

        :raises OSError: if it does not answer. :raises ValueError: if it refuses, or cannot prove who it is itself.
        """
        mechanism = sasl.mechanism.encode()
        answer = Cursor(self.ask(*_SASL_HANDSHAKE, struct.pack(">h", len(mechanism)) + mechanism))
        if code := answer.number(">h"):
            raise ValueError(f"the broker does not take {sasl.mechanism}: Kafka's error {code}")
        password = sasl.secret()
        if sasl.mechanism == "PLAIN":
            self._prove(f"\0{sasl.user}\0{password}".encode())
            return
        scram = Scram(sasl.mechanism, sasl.user, password)
        scram.check(self._prove(scram.final(self._prove(scram.first()))))

    def _prove(self, message: bytes) -> bytes:
        answer = Cursor(self.ask(*_SASL_AUTHENTICATE, struct.pack(">i", len(message)) + message))
        code = answer.number(">h")
        text = answer.take(max(answer.number(">h"), 0)).decode(errors="replace")
        if code:
            raise ValueError(f"login refused: {text or f'Kafka error {code}'}")
        return answer.take(max(answer.number(">i"), 0))

    def _length(self) -> int:
        length = Cursor(self._read(4)).number(">i")
        if not 0 < length <= MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {length} bytes")
        return length

    def _read(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            if not (more := self._connection.recv(count - len(found))):
                raise ConnectionError("the broker has closed the connection")
            found += more
        return bytes(found)


@contextlib.contextmanager
def connect(kafka: Kafka, host: str, port: int) -> Iterator[BrokerConnection]:
    """A connection as the configuration wants it, with TLS and logged in.

    :raises OSError: if the broker does not answer. :raises ValueError: if it refuses, or answers what cannot be read.
    """
    with contextlib.ExitStack() as held:
        plain = held.enter_context(socket.create_connection((host, port), timeout=TIMEOUT_S))
        secured = plain
        if kafka.tls:
            context = client_context(kafka.tls)
            secured = held.enter_context(context.wrap_socket(plain, server_hostname=host))
        connection = BrokerConnection(secured)
        if kafka.sasl:
            connection.log_in(kafka.sasl)
        yield connection


class Cursor:
    """Reads the types of Kafka's protocol from bytes. Each read raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count < 0 or self._at + count > len(self._data):
            raise ValueError("the answer ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """All that has not been read."""
        return self.take(len(self._data) - self._at)

    def number(self, form: str) -> int:
        """A number of a fixed size, in the form of `struct`."""
        [found] = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(found)

    def varint(self) -> int:
        """A number of up to five bytes."""
        found = 0
        for shift in range(0, 35, 7):
            [byte] = self.take(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
        raise ValueError("a number without an end")

    def length(self) -> int:
        """Of a compact array or text: one more is written, 0 for none."""
        return max(self.varint() - 1, 0)

    def text(self) -> str:
        """A compact text."""
        return self.take(self.length()).decode(errors="replace")

    def tags(self) -> None:
        """Pass over tagged fields."""
        for _ in range(self.varint()):
            self.varint()
            self.take(self.varint())
