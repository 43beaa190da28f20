"""The one function that makes Cassandra sessions."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    LoadBalancingPolicy,
    RoundRobinPolicy,
    TokenAwarePolicy,
)
from cassandra.query import named_tuple_factory, tuple_factory

from streamgauge.clients.tls import client_context
from streamgauge.config import Cassandra

ROWS = "rows"
"""The execution profile for rows as plain tuples; by default the driver makes a class for each answer."""


def connect(cassandra: Cassandra, *, keyspace: bool = True, timeout_s: float = 10.0) -> Session:
    """Open a session at LOCAL_QUORUM.

    :param keyspace: whether to enter the keyspace, which must exist then.
    :param timeout_s: how long a request may take.
    :raises cassandra.cluster.NoHostAvailable: if no host answers, or none lets the user in.
    :raises streamgauge.config.connections.MissingPassword: if the file of the password cannot be used.
    :raises streamgauge.clients.tls.UnusableCertificate: likewise one of a certificate.
    """
    named, rows = (
        ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(_nodes(cassandra)),
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=timeout_s,
            row_factory=factory,
        )
        for factory in (named_tuple_factory, tuple_factory)
    )
    cluster = Cluster(
        contact_points=list(cassandra.hosts),
        port=cassandra.port,
        auth_provider=PlainTextAuthProvider(cassandra.user, cassandra.secret()) if cassandra.user else None,
        ssl_context=client_context(cassandra.tls) if cassandra.tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: named, ROWS: rows},
        # the driver leaves Nagle's algorithm on, and a write of 28 KB then takes 44 ms instead of 1.3
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        protocol_version=5,
        compression=False,
    )
    return cluster.connect(cassandra.keyspace if keyspace else None)


@contextmanager
def connected(cassandra: Cassandra, *, keyspace: bool = True, timeout_s: float = 10.0) -> Iterator[Session]:
    """Open a session as `connect` does, and close it in the end."""
    session = connect(cassandra, keyspace=keyspace, timeout_s=timeout_s)
    try:
        yield session
    finally:
        session.cluster.shutdown()


def _nodes(cassandra: Cassandra) -> LoadBalancingPolicy:
    """Of one datacenter, or all: LOCAL_QUORUM is that of the node that is asked."""
    if cassandra.datacenter:
        return DCAwareRoundRobinPolicy(local_dc=cassandra.datacenter)
    return RoundRobinPolicy()
