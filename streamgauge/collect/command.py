"""`streamgauge collect`: a collector and its HTTP server in one process."""

import asyncio
import logging
import signal
import sys

import uvloop
from prometheus_client import disable_created_metrics

from streamgauge.collect.app import application
from streamgauge.collect.collector import Collector
from streamgauge.config import Config
from streamgauge.listening import Address

DRAIN_S = 15
"""Time for requests to finish after the signal to stop; longer than the delivery timeout of Kafka."""
SWITCH_S = 0.001
"""So soon the event loop has its turn while another thread decodes a body."""

log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Collect until SIGTERM or SIGINT.

    :raises InvalidFile: for a faulty scrape configuration. :raises NotListening: if the address is in use.
    """
    address = Address(config.collector.listen)
    try:
        logging.getLogger("httpx").setLevel(logging.WARNING)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        sys.setswitchinterval(SWITCH_S)
        uvloop.run(serve(Collector(config), address))
    finally:
        address.close()


async def serve(collector: Collector, address: Address) -> None:
    """Serve a collector at an address until SIGTERM or SIGINT: requests under way are answered first.

    Whatever ends its scraping or producing ends it too, with that error.
    """
    server = address.server(application(collector))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    async with collector.running(server.stop):
        log.info(
            "collector listening: address=%s targets=%d",
            collector.config.collector.listen,
            len(collector.scraper.loops),
        )
        await server.serve()
