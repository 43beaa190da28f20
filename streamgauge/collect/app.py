"""The collector's HTTP interface."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streamgauge.collect.collector import Collector
from streamgauge.collect.incoming.faults import InvalidRequest, Outage, RequestFault, SampleFault, Unavailable
from streamgauge.collect.incoming.metadata import MAX_ENTRIES, by_family, by_target
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.intake import Decode
from streamgauge.collect.page import page
from streamgauge.collect.receive import push, remote_write
from streamgauge.collect.receive.content import check_origin, check_pushed, check_written
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import any_selector
from streamgauge.series.matchers import all_match

RETRY_AFTER_S = 5
_STATUS = {
    RequestFault.TOO_LARGE: 413,
    RequestFault.UNSUPPORTED_VERSION: 415,
    RequestFault.UNSUPPORTED_TYPE: 415,
    RequestFault.UNSUPPORTED_ENCODING: 415,
    RequestFault.FOREIGN_ORIGIN: 403,
}


def application(collector: Collector) -> Starlette:
    """The ASGI application of a collector that runs."""
    return Starlette(
        routes=[
            Route("/api/v1/write", _counted(collector, _write), methods=["POST"]),
            Route("/api/v1/push", _counted(collector, _push), methods=["POST"]),
            Route("/api/v1/targets", _counted(collector, _targets)),
            Route("/api/v1/targets/metadata", _counted(collector, _targets_metadata)),
            Route("/api/v1/metadata", _counted(collector, _metadata)),
            Route("/metrics", _counted(collector, _metrics)),
            Route("/-/healthy", _counted(collector, _healthy)),
            Route("/-/ready", _counted(collector, _ready)),
            Route("/", _counted(collector, _page)),
        ]
    )


Handler = Callable[[Collector, Request], Awaitable[Response]]


def _counted(collector: Collector, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Turn faults into answers, and count every answer."""
    metrics = collector.metrics

    async def answer(request: Request) -> Response:
        try:
            response = await handler(collector, request)
        except InvalidRequest as error:
            metrics.request_faults.labels(error.reason).inc()
            response = PlainTextResponse(f"{error}\n", _STATUS.get(error.reason, 400))
        except Unavailable as error:
            metrics.outages.labels(error.reason).inc()
            response = PlainTextResponse(f"{error}\n", 503, {"Retry-After": str(RETRY_AFTER_S)})
        except ClientDisconnect:
            response = Response(status_code=499)
        metrics.requests.labels(request.url.path, response.status_code).inc()
        return response

    return answer


async def _write(collector: Collector, request: Request) -> Response:
    check_origin(request.headers)
    check_written(request.headers)
    async with _Body(collector, request) as parts:

        def decode(table: SeriesTable) -> tuple[Rows, Refusals]:
            decompressed = remote_write.decompress(b"".join(parts), collector.config.collector.max_body_bytes)
            written = remote_write.decode(decompressed, table)
            collector.metrics.refused.labels(SampleFault.HISTOGRAM).inc(written.histograms)
            collector.metrics.refused.labels(SampleFault.EXEMPLAR).inc(written.exemplars)
            collector.metrics.metadata_refused.inc(written.invalid_metadata)
            collector.written_metadata.take(written.metadata)
            return written.rows, written.refused

        return await _store(collector, decode, "remote_write")


async def _push(collector: Collector, request: Request) -> Response:
    check_origin(request.headers)
    check_pushed(request.headers)
    async with _Body(collector, request) as parts:
        now = collector.clock()

        def decode(table: SeriesTable) -> tuple[Rows, Refusals]:
            pushed = push.decode(b"".join(parts), table, now)
            return pushed.rows, pushed.refused

        return await _store(collector, decode, "push")


async def _store(collector: Collector, decode: Decode, source: str) -> Response:
    """Wait until Kafka has the samples; 400 where some were refused, as Prometheus answers such requests.

    :raises Unavailable: if it has not within `max_wait_s`; samples that were not decoded by then never are.
    """
    wait_s = collector.config.collector.max_wait_s
    try:
        async with asyncio.timeout(wait_s):
            taken = await collector.intake.take(decode, source)
            await taken.delivery.wait()
    except TimeoutError:
        raise Unavailable(Outage.TOO_SLOW, f"not acknowledged by Kafka within {wait_s:g} s") from None
    if not taken.refusals:
        return Response(status_code=204)
    lines = [f"{refused}\n" for refused in taken.refusals]
    return PlainTextResponse("".join(lines) + "all other samples were written\n", 400)


class _Body:
    """A request's body in parts, counted against what may be held at once until the request is answered."""

    def __init__(self, collector: Collector, request: Request) -> None:
        self._collector = collector
        self._request = request
        self._held = 0
        self._parts: list[bytes] = []

    async def __aenter__(self) -> list[bytes]:
        limits = self._collector.config.collector
        declared = self._request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limits.max_body_bytes:
            raise InvalidRequest(
                RequestFault.TOO_LARGE, f"body of {declared} bytes, at most {limits.max_body_bytes}"
            )
        parts = self._parts
        try:
            async for part in self._request.stream():
                parts.append(part)
                self._hold(len(part))
                if self._held > limits.max_body_bytes:
                    raise InvalidRequest(
                        RequestFault.TOO_LARGE, f"body of more than {limits.max_body_bytes} bytes"
                    )
                if self._collector.held_bytes > limits.max_queue_bytes:
                    raise Unavailable(Outage.QUEUE_FULL, "too many requests at once")
        except BaseException:
            self._hold(-self._held)
            raise
        return parts

    async def __aexit__(self, *_: object) -> None:
        # what was given up may still have its turn to come
        self._parts.clear()
        self._hold(-self._held)

    def _hold(self, size: int) -> None:
        self._held += size
        self._collector.held_bytes += size


async def _targets(collector: Collector, _: Request) -> Response:
    def answer() -> Response:
        active = [target.state() for target in collector.scraper.loops]
        content = {"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}}
        return JSONResponse({"status": "success", "data": content})

    return await asyncio.to_thread(answer)


async def _targets_metadata(collector: Collector, request: Request) -> Response:
    """The metadata of the targets that `match_target` selects; `metric` and `limit` as in Prometheus."""
    metric, limit = request.query_params.get("metric", ""), request.query_params.get("limit", "")
    most = int(limit) if limit.isascii() and limit.isdecimal() and len(limit) < 10 else None

    def answer() -> Response:
        try:
            conditions = any_selector(request.query_params.get("match_target") or "{}").conditions
        except InvalidExpression as error:
            return PlainTextResponse(f"match_target: {error}\n", 400)
        chosen = [loop for loop in collector.scraper.loops if all_match(loop.target.labels, conditions)]
        content = by_target(((loop.target.labels, loop.metadata) for loop in chosen), metric, most)
        if content is None:
            return PlainTextResponse(
                f"more than {MAX_ENTRIES:,} entries: filter by match_target or metric\n", 400
            )
        return JSONResponse({"status": "success", "data": content})

    return await asyncio.to_thread(answer)


async def _metadata(collector: Collector, request: Request) -> Response:
    # where remote write's metadata comes in, so that none does meanwhile
    known = await collector.intake.run(collector.metadata)

    def answer() -> Response:
        content = by_family(known, request.query_params.get("metric", ""))
        return JSONResponse({"status": "success", "data": content})

    return await asyncio.to_thread(answer)


async def _metrics(collector: Collector, _: Request) -> Response:
    content = await asyncio.to_thread(generate_latest, collector.metrics.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


async def _healthy(_: Collector, __: Request) -> Response:
    return PlainTextResponse("healthy\n")


async def _ready(collector: Collector, _: Request) -> Response:
    if collector.outage is not None:
        raise Unavailable(collector.outage)
    return PlainTextResponse("ready\n")


async def _page(collector: Collector, _: Request) -> Response:
    name, loops = collector.config.collector.name, collector.scraper.loops
    return HTMLResponse(await asyncio.to_thread(page, name, loops))
