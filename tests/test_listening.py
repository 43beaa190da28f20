"""An address has one listener: the second is told so, whenever it comes."""

import asyncio
import socket

import httpx
import pytest

from streamgauge.collect import command as collector
from streamgauge.config import Collector, Config, Gateway
from streamgauge.gateway import command as gateway
from streamgauge.listening import Address, NotListening


async def _app(scope, _, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_what_is_served_is_served_by_one_process_alone(host):
    async def run():
        port = _free_port()
        server = Address(f"{host}:{port}").server(_app)
        serving = asyncio.create_task(server.serve())
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                assert (await client.get(f"http://{host}:{port}/")).text == "served"
            with pytest.raises(NotListening, match=f":{port} is in use"):
                Address(f"{host}:{port}")
        finally:
            server.stop()
            await serving
        # and again, with connections of the first one in the kernel still
        Address(f"{host}:{port}").close()

    asyncio.run(run())


def test_of_two_that_start_at_once_the_second_is_told_when_it_is_to_serve():
    text = f"127.0.0.1:{_free_port()}"
    first, second = Address(text), Address(text)
    try:
        # nobody takes one that still starts for ready
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(text.rpartition(":")[2])), timeout=5)
        first.server(_app)
        with pytest.raises(NotListening, match=text):
            second.server(_app)
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("text", ["192.0.2.1:9480", "127.0.0.1:99999", "no.such.host.invalid:1"])
def test_what_is_no_address_of_this_machine_is_named(text):
    with pytest.raises(NotListening, match=text.replace(".", r"\.")):
        Address(text)


@pytest.mark.parametrize("process", [collector, gateway])
def test_a_second_process_refuses_before_it_does_anything(process, monkeypatch):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        config = Config(collector=Collector(listen=taken), gateway=Gateway(listen=taken))
        monkeypatch.setattr(process, "disable_created_metrics", lambda: pytest.fail("it goes on"))
        with pytest.raises(NotListening, match=taken):
            process.run(config)
