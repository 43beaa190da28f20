"""`streamgauge serve`: the gateway and its HTTP server in one process."""

import asyncio
import logging
import signal
from typing import Any

import numpy as np
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from prometheus_client import disable_created_metrics

from schemas import blocks
from schemas.columns import decode_column, encode_column
from streamgauge.config import Config
from streamgauge.gateway.app import Gateway, application
from streamgauge.promql.warm import warm
from streamgauge.series.samples import Samples, concat
from streamgauge.store import schema
from streamgauge.store.reader import Reader
from streamgauge.store.session import connect

log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises SchemaMismatch: if the store was made with another layout.
    :raises cassandra.cluster.NoHostAvailable: without Cassandra.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    session = connect(config.cassandra)
    try:
        schema.check(session, config)
        _warm()
        uvloop.run(_serve(config, Gateway(config, Reader(session, config.shards, config.storage_classes))))
    finally:
        session.cluster.shutdown()


async def _serve(config: Config, gateway: Gateway) -> None:
    host, _, port = config.gateway.listen.rpartition(":")
    server: Any = Server(
        application(gateway),
        address=host,
        port=int(port),
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    log.info("gateway listens: address=%s", config.gateway.listen)
    await server.serve()


def _warm() -> None:
    """Compile or load the kernels, so that no query waits for it."""
    samples = Samples(
        np.array([[1, 1]], np.uint64), np.array([0, 1]), np.zeros(1, np.int64), np.zeros(1, np.float64)
    )
    concat([blocks.decode_raw(blocks.encode_raw(samples, 0), 0, 1, samples.ids), samples])
    decode_column("sum", encode_column("sum", np.arange(2.0)), 2)
    warm()
