"""The gateway's HTTP interface."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from cassandra import DriverException, OperationTimedOut
from cassandra.cluster import NoHostAvailable
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamgauge import __version__
from streamgauge.config import Config
from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway.faults import ErrorType, InvalidRequest
from streamgauge.gateway.metrics import Looked, Metrics
from streamgauge.gateway.parameters import Form
from streamgauge.gateway.queries import Answer, Queries
from streamgauge.gateway.rules import Rules
from streamgauge.store.alert_board import AlertBoard
from streamgauge.store.reader import Reader, Reading
from streamgauge.store.reading import DeadlinePassed, TooManySamples, TooManySeries
from streamgauge.times import now_ms

MAX_SAMPLES = 20_000_000
MAX_BODY_BYTES = 1024 * 1024
CONCURRENT_QUERIES = 8
NAMED_DAMAGES = 5
FIRST_LOOK_S = 5.0
"""How long a request waits for rules and alerts to have been read once."""
PROMETHEUS_VERSION = "3.16.0"
"""Whose API this is: clients choose by it what they may ask."""

log = logging.getLogger(__name__)
Query = Callable[[Form, Reading], Answer]


class Gateway:
    """Answers queries in threads, within the configured limits."""

    def __init__(self, config: Config, reader: Reader) -> None:
        self.settings = config.gateway
        self.metrics = Metrics()
        self.queries = Queries(config.gateway, reader, now_ms)
        self.board = AlertBoard(config.kafka)
        self.rules = Rules(self.board, now_ms, FIRST_LOOK_S)
        self._threads = ThreadPoolExecutor(CONCURRENT_QUERIES, "query")
        self._looking = ThreadPoolExecutor(2, "look")
        self._reader = reader
        self.metrics.registry.register(Looked(self._lookups, self.rules.evaluation_seconds))

    async def look(self, look: Query, form: Form) -> Answer:
        """The answer of what reads no store; it never takes a thread from queries.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._looking, look, form, Reading())

    async def run(self, query: Query, form: Form) -> Answer:
        """The answer of a query, with a warning about rows that were damaged.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        timeout = form.timeout_s(self.settings.timeout_s)
        reading = Reading(time.monotonic() + timeout, self.settings.max_series, MAX_SAMPLES)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.run_in_executor(self._threads, query, form, reading)
        except (DeadlinePassed, TimeoutError, OperationTimedOut):
            raise InvalidRequest(ErrorType.TIMEOUT, "query timed out in expression evaluation") from None
        except TooManySeries:
            detail = "query would load too many series into memory in expression evaluation"
            raise InvalidRequest(ErrorType.COST_LIMIT, detail) from None
        except TooManySamples:
            detail = "query processing would load too many samples into memory in expression evaluation"
            raise InvalidRequest(ErrorType.EXECUTION, detail) from None
        except (DriverException, NoHostAvailable) as error:
            log.warning("store does not answer: error=%s", error)
            raise InvalidRequest(ErrorType.UNAVAILABLE, f"the store does not answer: {error}") from None
        self.metrics.samples.inc(reading.samples)
        return found._replace(warnings=found.warnings + self._damages(reading))

    def exposition(self) -> bytes:
        """The gateway's own metrics."""
        self.metrics.head_bytes.set(self._reader.head.size)
        return generate_latest(self.metrics.registry)

    def _lookups(self) -> dict[str, int]:
        cache = self._reader.blocks.cache
        return {"hit": cache.hits, "miss": cache.misses}

    def _damages(self, reading: Reading) -> list[str]:
        for damage in reading.damages:
            self.metrics.damaged.labels(damage.reason).inc()
        named = [
            f"left out a damaged row: {row}: {reason}" for reason, row in reading.damages[:NAMED_DAMAGES]
        ]
        more = len(reading.damages) - len(named)
        return [*named, *([f"left out {more} more damaged rows"] if more > 0 else [])]


def application(gateway: Gateway) -> Starlette:
    """The ASGI application."""
    queries = gateway.queries
    paths: list[tuple[str, Query]] = [
        ("/api/v1/query", queries.instant),
        ("/api/v1/query_range", queries.range),
        ("/api/v1/format_query", queries.formatted),
        ("/api/v1/series", queries.series),
        ("/api/v1/labels", queries.label_names),
        ("/api/v1/label/{name}/values", queries.label_values),
    ]
    looks: list[tuple[str, Query]] = [
        ("/api/v1/rules", gateway.rules.rules),
        ("/api/v1/alerts", gateway.rules.alerts),
    ]
    pages: list[tuple[str, Handler]] = [
        ("/api/v1/status/buildinfo", _buildinfo),
        ("/metrics", _metrics),
        ("/-/healthy", _healthy),
        ("/-/ready", _ready),
    ]
    return Starlette(
        routes=[
            *(
                Route(path, _counted(gateway, path, _queried(query)), methods=["GET", "POST"])
                for path, query in paths
            ),
            *(Route(path, _counted(gateway, path, _looked(look))) for path, look in looks),
            *(Route(path, _counted(gateway, path, page)) for path, page in pages),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1024, compresslevel=1)],
    )


Handler = Callable[[Gateway, Request], Awaitable[Response]]


def _counted(gateway: Gateway, path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn faults into answers; count and time every answer."""
    metrics = gateway.metrics

    async def respond(request: Request) -> Response:
        began = time.monotonic()
        try:
            response = await handler(gateway, request)
        except InvalidRequest as fault:
            response = _refusal(gateway, path, fault)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:
            log.exception("request failed: path=%s", path)
            detail = f"{type(error).__name__}: {error}"
            response = _refusal(gateway, path, InvalidRequest(ErrorType.INTERNAL, detail))
        metrics.seconds.labels(path).observe(time.monotonic() - began)
        metrics.requests.labels(path, response.status_code).inc()
        return response

    return respond


def _refusal(gateway: Gateway, path: str, fault: InvalidRequest) -> Response:
    gateway.metrics.refusals.labels(path, fault.reason.value).inc()
    return _json(answer.error(fault.reason.value, str(fault)), fault.reason.status)


def _queried(query: Query) -> Handler:
    async def respond(gateway: Gateway, request: Request) -> Response:
        found = await gateway.run(query, await _form(request))
        return _json(answer.success(found.data, found.warnings, found.infos))

    return respond


def _looked(look: Query) -> Handler:
    async def respond(gateway: Gateway, request: Request) -> Response:
        found = await gateway.look(look, await _form(request))
        return _json(answer.success(found.data, found.warnings, found.infos))

    return respond


async def _form(request: Request) -> Form:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequest(ErrorType.BAD_DATA, f"form of more than {MAX_BODY_BYTES} bytes")
    return Form(request.url.query, bytes(body), request.path_params.get("name", ""))


def _json(document: str, status: int = 200) -> Response:
    # a label value that is not UTF-8 cannot be stored, but one in a parameter comes back in its refusal
    return Response(document.encode(errors="replace"), status, media_type="application/json")


async def _buildinfo(_: Gateway, __: Request) -> Response:
    build = {
        "version": PROMETHEUS_VERSION,
        "revision": f"streamgauge-{__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }
    return _json(answer.success(answer.text(build)))


async def _metrics(gateway: Gateway, _: Request) -> Response:
    return Response(gateway.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})


async def _healthy(_: Gateway, __: Request) -> Response:
    return PlainTextResponse("Streamgauge gateway is healthy.\n")


async def _ready(gateway: Gateway, _: Request) -> Response:
    await gateway.run(lambda _, reading: gateway.queries.readable(reading), Form(""))
    return PlainTextResponse("Streamgauge gateway is ready.\n")
