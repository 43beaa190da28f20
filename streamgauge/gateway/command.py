"""`streamgauge serve`: the gateway and its HTTP server in one process."""

import asyncio
import logging
import signal

import uvloop
from granian.constants import SSLProtocols
from prometheus_client import disable_created_metrics

from streamgauge.config import Config
from streamgauge.garbage import freeze_heap
from streamgauge.gateway.auth.accounts import Accounts
from streamgauge.gateway.formats import warm as answers
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.listening import Address
from streamgauge.promql import warm as queries
from streamgauge.rollup import warm as rollups
from streamgauge.store import schema
from streamgauge.store.audit import LOOK_BACK_MS, Audit
from streamgauge.store.reader import Reader
from streamgauge.store.session import connect
from streamgauge.times import now_ms

INDEX_FRESH_S = 1.0
"""Time that a new series may appear later than its samples."""

log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises InvalidFile: for a file of users that is none.
    :raises NotListening: if the address is in use.
    :raises SchemaMismatch: if the store was made with another layout.
    :raises cassandra.cluster.NoHostAvailable: without Cassandra.
    """
    address = Address(config.gateway.listen)
    try:
        _serve_from(config, address)
    finally:
        address.close()


def _serve_from(config: Config, address: Address) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    if config.gateway.users_file:
        # a fault in it is said before the store is waited for
        Accounts(config.gateway.users_file)
    session = connect(config.cassandra)
    try:
        schema.check(session, config)
        # so that no query waits for kernels
        for kernels in (rollups, queries, answers):
            kernels.warm()
        reader = Reader(session, config.shards, config.storage_classes, index_fresh_s=INDEX_FRESH_S)
        store = schema.identity(session, config) if config.gateway.cache else ""
        # the same cluster, so what is prepared for one is for both
        adhoc_session = session.cluster.connect(config.cassandra.keyspace)
        gateway = Gateway(config, reader, store, adhoc_session)
        gateway.board.start()
        audit = Audit(config, adhoc_session, now_ms() - LOOK_BACK_MS)
        gateway.metrics.registry.register(audit)
        audit.start()
        freeze_heap()
        try:
            uvloop.run(_serve(config, gateway, address))
        finally:
            audit.stop()
            gateway.board.stop()
            if gateway.kept is not None:
                gateway.kept.remote.close()
    finally:
        session.cluster.shutdown()


async def _serve(config: Config, gateway: Gateway, address: Address) -> None:
    tls = config.gateway.tls
    server = address.server(
        application(gateway),
        ssl_cert=tls.cert_file if tls else None,
        ssl_key=tls.key_file if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    log.info("gateway listening: address=%s", config.gateway.listen)
    await server.serve()
