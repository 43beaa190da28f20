"""A gateway process over a keyspace of its own, with samples of the last minutes, sealed and not."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from integration.support.commands import start
from integration.support.population import Population, series
from schemas.units import MINUTE_MS
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.stack import Stack
from streamgauge.series.labels import canonical, parse
from streamgauge.series.samples import STALE
from streamgauge.store import schema
from streamgauge.store.session import connect

MINUTES = 10
SEALED_MINUTES = 7


class Served:
    """A gateway process over a keyspace of its own, and what was written to it."""

    def __init__(self, config, folder, **client) -> None:
        self.session = connect(config.cassandra)
        self.lanes = config.layout.lanes
        self.start = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS - MINUTES * MINUTE_MS
        self.end = self.start + MINUTES * MINUTE_MS - 10_000
        self.population = Population(self.session, config.shards, config.storage_classes[-1])
        times = range(self.start, self.end + 1, 10_000)
        gone = canonical({"__name__": "gone"})
        self.sealed = dict.fromkeys(range(1, self.lanes), self.start + SEALED_MINUTES * MINUTE_MS)
        self.population.push(
            series(30, "temperature", times, job="mill", zone="été")
            | series(30, "pressure", times, job="mill")
            | {gone: {self.end - 60_000: 1.0, self.end - 30_000: STALE}},
            self.sealed,
        )
        self.log = folder / "gateway.log"
        self.http = httpx.Client(base_url=config.gateway.url, timeout=60, **client)
        document = config.model_dump(mode="json")
        self.process = start("serve", document, folder / "streamgauge.yml", self.log)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 90
        while True:
            try:
                if self.http.get("/-/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ask(self, path, **parameters):
        response = self.http.post(f"/api/v1/{path}", data=parameters)
        assert response.status_code == 200, response.text
        document = response.json()
        assert document["status"] == "success"
        assert "warnings" not in document
        return document["data"]

    def truth(self, metric):
        return {
            data: samples
            for data, samples in self.population.truth.items()
            if parse(data)["__name__"] == metric
        }

    def close(self) -> None:
        self.http.close()
        self.process.terminate()
        assert self.process.wait(30) == 0
        self.session.cluster.shutdown()


@contextmanager
def serve(
    stack: Stack, folder: Path, keyspace: str, client: Mapping[str, object] | None = None, **settings: object
) -> Iterator[Served]:
    """A gateway that serves, with the samples of the last minutes.

    client: what the client that asks it is made with. settings: of the gateway's configuration.
    """
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    config = stack.config.model_copy(
        update={
            "cassandra": stack.config.cassandra.model_copy(update={"keyspace": keyspace}),
            "gateway": stack.config.gateway.model_copy(update={"listen": listen, **settings}),
        }
    )
    admin = connect(config.cassandra, keyspace=False, timeout_s=60)
    admin.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
    admin.cluster.shutdown()
    schema.apply(config)
    running = Served(config, folder, **(client or {}))
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()
