"""The one function that makes Cassandra sessions."""

import socket

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy, TokenAwarePolicy
from cassandra.query import named_tuple_factory, tuple_factory

from streamgauge.config import Cassandra

ROWS = "rows"
"""The execution profile for rows as plain tuples; by default the driver makes a class for each answer."""


def connect(cassandra: Cassandra, *, keyspace: bool = True, timeout_s: float = 10.0) -> Session:
    """Open a session at LOCAL_QUORUM.

    :param keyspace: whether to enter the keyspace, which must exist then.
    :param timeout_s: how long a request may take.
    :raises cassandra.cluster.NoHostAvailable: if no host answers.
    """
    named, rows = (
        ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(RoundRobinPolicy()),
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=timeout_s,
            row_factory=factory,
        )
        for factory in (named_tuple_factory, tuple_factory)
    )
    cluster = Cluster(
        contact_points=list(cassandra.hosts),
        port=cassandra.port,
        execution_profiles={EXEC_PROFILE_DEFAULT: named, ROWS: rows},
        # the driver leaves Nagle's algorithm on, and a write of 28 KB then takes 44 ms instead of 1.3
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        protocol_version=5,
        compression=False,
    )
    return cluster.connect(cassandra.keyspace if keyspace else None)
