"""Kafka's protocol with a broker that answers what a test has written before it is asked."""

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from streamgauge.collect.producing.broker_connection import CORRELATION, MAX_ANSWER_BYTES, BrokerConnection
from streamgauge.config.connections import Sasl

PLAIN = Sasl(user="gauge", password=SecretStr("hush"), mechanism="PLAIN")
TAKEN = struct.pack(">hih", 0, 1, 5) + b"PLAIN"
"""The answer to a handshake: no error, and the broker's mechanisms."""
WELCOME = struct.pack(">hhi", 0, -1, 0)
SHOWN = b"no such user"


def framed(body: bytes, correlation: int = CORRELATION) -> bytes:
    return struct.pack(">ii", len(body) + 4, correlation) + body


def sent(received: bytes) -> list[tuple[int, int, bytes]]:
    """Key, version and body of each request."""
    found = []
    while received:
        (length,) = struct.unpack_from(">i", received)
        key, version, _, name = struct.unpack_from(">hhih", received, 4)
        found.append((key, version, received[14 + name : 4 + length]))
        received = received[4 + length :]
    return found


@pytest.fixture
def ends() -> Iterator[tuple[BrokerConnection, socket.socket]]:
    own, broker = socket.socketpair()
    with own, broker:
        own.settimeout(5)
        yield BrokerConnection(own), broker


def answered(ends: tuple[BrokerConnection, socket.socket], answers: bytes) -> BrokerConnection:
    """A connection to a broker that says this and no more."""
    connection, broker = ends
    broker.sendall(answers)
    broker.shutdown(socket.SHUT_WR)
    return connection


def test_a_password_is_sent_once_the_broker_takes_the_mechanism(
    ends: tuple[BrokerConnection, socket.socket],
) -> None:
    answered(ends, framed(TAKEN) + framed(WELCOME)).log_in(PLAIN)
    assert sent(ends[1].recv(4096)) == [
        (17, 1, struct.pack(">h", 5) + b"PLAIN"),
        (36, 0, struct.pack(">i", 11) + b"\0gauge\0hush"),
    ]


def test_no_password_is_sent_to_a_broker_that_does_not_take_the_mechanism(
    ends: tuple[BrokerConnection, socket.socket],
) -> None:
    connection = answered(ends, framed(struct.pack(">hi", 33, 0)))
    with pytest.raises(ValueError, match="does not support PLAIN: Kafka error 33"):
        connection.log_in(PLAIN)
    assert b"hush" not in ends[1].recv(4096)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (framed(TAKEN) + framed(struct.pack(">hh", 58, len(SHOWN)) + SHOWN), "login refused: no such user"),
        (framed(TAKEN, CORRELATION + 1), "another request"),
        (struct.pack(">i", MAX_ANSWER_BYTES + 1), "response length of"),
        (struct.pack(">i", -1), "response length of -1"),
        (framed(b""), "truncated"),
        (framed(TAKEN)[:-1], "closed"),
        (b"", "closed"),
    ],
)
def test_a_refusal_says_why(ends: tuple[BrokerConnection, socket.socket], answers: bytes, why: str) -> None:
    connection = answered(ends, answers)
    with pytest.raises((ValueError, ConnectionError), match=why):
        connection.log_in(PLAIN)


@given(st.binary(max_size=80), st.sampled_from(["PLAIN", "SCRAM-SHA-512"]))
def test_whatever_a_broker_says_ends_in_a_login_or_a_refusal(data: bytes, mechanism: str) -> None:
    sasl = PLAIN.model_copy(update={"mechanism": mechanism})
    for answers in (data, framed(data), framed(TAKEN) + framed(data), framed(TAKEN) + framed(WELCOME + data)):
        own, broker = socket.socketpair()
        with own, broker:
            connection = answered((BrokerConnection(own), broker), answers)
            try:
                connection.log_in(sasl)
            except (OSError, ValueError):
                continue
            assert mechanism == "PLAIN"
