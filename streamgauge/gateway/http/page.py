"""The web page: its built files, served with a strict content security policy."""

import gzip
import hashlib
import secrets
from functools import cache
from importlib import resources
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

VIEWS = ("graph", "query", "alerts", "rules", "targets", "cardinality", "status")
"""Paths of the single-page application; `query` is Prometheus's name of `graph`."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Asset(NamedTuple):
    """A file of the page, as it is and packed with gzip."""

    content: bytes
    packed: bytes
    etag: str
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its name."""
    folder = resources.files("streamgauge.gateway") / "assets"
    return {file.name: _asset(file.name, file.read_bytes()) for file in folder.iterdir()}


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:32]
    packed = gzip.compress(content, 9, mtime=0)
    return Asset(content, packed, f'W/"{digest}"', TYPES["." + name.rpartition(".")[2]])


async def view(_: object, __: Request) -> Response:
    """The page itself; a nonce lets it add the styles that its editor makes."""
    nonce = secrets.token_urlsafe(16)
    content = assets()["index.html"].content.replace(b"{{nonce}}", nonce.encode())
    headers = HEADERS | {"Content-Security-Policy": POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
    return Response(content, headers=headers, media_type=TYPES[".html"])


async def asset(_: object, request: Request) -> Response:
    """Respond with a file of the page, or 304 if the browser has it."""
    found = assets().get(request.path_params["name"])
    if found is None:
        return Response("no such file\n", 404, media_type="text/plain")
    headers = HEADERS | {"ETag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            found.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=found.media_type
        )
    return Response(found.content, headers=headers, media_type=found.media_type)


PAGES = (("/", view), *((f"/{name}", view) for name in VIEWS), ("/assets/{name}", asset))
"""Paths and their handlers."""
