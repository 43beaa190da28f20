"""Request handling: reads forms, maps errors to responses, counts and times every response."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from streamgauge.gateway.auth.enforcement import enforced
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import Body, InPieces
from streamgauge.gateway.metrics import Metrics
from streamgauge.gateway.query.queries import Answer
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.memory import NotEnoughMemory
from streamgauge.gateway.request.parameters import Form
from streamgauge.gateway.request.pools import RETRY_AFTER_S, retrieve

MAX_BODY_BYTES = 1024 * 1024
ON_LOOP_BYTES = 1024
"""Larger bodies are read in a thread, to keep the event loop responsive."""
API = "/api/v1/"
REMOTE_READ = "/api/v1/read"
"""Whose faults are plain text, as in Prometheus."""
_CLOSED = 499

T = TypeVar("T")

log = logging.getLogger(__name__)
Respond = Callable[[Request], Awaitable[Response]]


def counted(metrics: Metrics, path: str, respond: Respond) -> Respond:
    """Turn faults into answers; count and time every answer."""

    async def responded(request: Request) -> Response:
        began = time.monotonic()
        try:
            response = await respond(request)
        except InvalidRequest as fault:
            response = refused(metrics, path, fault)
        except ClientDisconnect:
            response = Response(status_code=_CLOSED)
        except Exception as error:
            log.exception("request failed: path=%s", path)
            detail = f"{type(error).__name__}: {error}"
            response = refused(metrics, path, InvalidRequest(ErrorType.INTERNAL, detail))
        metrics.seconds.labels(path).observe(time.monotonic() - began)
        metrics.requests.labels(path, response.status_code).inc()
        return response

    return responded


def refused(metrics: Metrics, path: str, fault: InvalidRequest) -> Response:
    """The answer to a request that is refused, in JSON; in plain text outside of the API."""
    metrics.refusals.labels(path, fault.reason.value).inc()
    status = fault.reason.status
    if not path.startswith(API) or path == REMOTE_READ:
        response: Response = PlainTextResponse(f"{fault}\n".encode(errors="replace"), status)
    else:
        response = json_response(answer.error(fault.reason.value, str(fault)), status)
    if fault.reason is ErrorType.TOO_MANY_REQUESTS or isinstance(fault, NotEnoughMemory):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


async def not_served(request: Request, error: Exception) -> Response:
    """Responds 404 or 405 where no route matches, in JSON below the API."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 405:
        reason, detail = ErrorType.BAD_DATA, f"method {request.method} is not allowed here"
    else:
        reason, detail = ErrorType.NOT_FOUND, "unknown path"
    if not request.url.path.startswith(API):
        return PlainTextResponse(f"{detail}\n", status, headers)
    return Response(
        answer.error(reason.value, detail).encode(), status, headers, media_type="application/json"
    )


def answered(found: Answer) -> Response:
    """The JSON of an answer; one without data has no content."""
    data = found.data
    if not data.size:
        return Response(status_code=204)
    before, after = map(_encoded, answer.success(found.warnings, found.infos, found.explain))
    if len(data.pieces) > 1:
        return InPieces(Body([before, *data.pieces, after], data), "application/json")
    return Response(b"".join([before, *data.pieces, after]), media_type="application/json")


def _encoded(text: str) -> bytes:
    # a label value that is not UTF-8 cannot be stored, but one in a parameter comes back in its refusal
    return text.encode(errors="replace")


def with_remarks(found: Answer, remarks: list[str]) -> Answer:
    """An answer with more warnings."""
    return found._replace(warnings=found.warnings + remarks)


async def while_connected(request: Request, answer: Awaitable[T]) -> T:
    """Await a response to a request whose body has been read; cancelled when the client disconnects.

    :raises ClientDisconnect: then.
    """
    work = asyncio.ensure_future(answer)
    work.add_done_callback(retrieve)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def body_of(request: Request, most: int = MAX_BODY_BYTES) -> bytes:
    """The whole body.

    :raises InvalidRequest: for one that is too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise InvalidRequest(ErrorType.BAD_DATA, f"body of more than {most} bytes")
    return bytes(body)


async def form_of(request: Request, reads_series: bool = True) -> Form:
    """The parameters of the URL and of a form, as the principal may ask them.

    :param reads_series: whether what is asked gets the matchers of principals who see only some series.
    :raises InvalidRequest: for a form that is too large, or not UTF-8, and by `enforced`.
    """
    no_store = "no-store" in request.headers.get("cache-control", "").lower()
    name, principal = request.path_params.get("name", ""), request.state.principal
    query, body = request.url.query, await body_of(request)
    content_type = request.headers.get("content-type", "")

    def read() -> Form:
        form = Form(query, body, name, no_store, principal, content_type)
        return enforced(form) if reads_series else form

    is_short = len(query) + len(body) <= ON_LOOP_BYTES and not principal.enforced
    return read() if is_short else await asyncio.to_thread(read)


def json_response(document: str, status: int = 200) -> Response:
    """A response of JSON."""
    return Response(_encoded(document), status, media_type="application/json")
