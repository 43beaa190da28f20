"""Fetching the page of a target."""

import asyncio
import zlib
from enum import StrEnum

import httpx

from streamgauge import __version__
from streamgauge.collect.scraping.targets import Target

HEADERS = {
    "Accept": "text/plain;version=0.0.4;q=1,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "User-Agent": f"streamgauge/{__version__}",
}
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class ScrapeFault(StrEnum):
    """Reason for which a scrape failed; `up` is 0 then."""

    TIMEOUT = "timeout"
    NO_ANSWER = "no_answer"
    BAD_STATUS = "bad_status"
    TOO_LARGE = "too_large"
    BAD_PAGE = "bad_page"
    UNEXPECTED = "unexpected"


class FailedScrape(Exception):
    """A scrape without a usable page.

    :param reason: counted, and shown as the target's last error.
    """

    def __init__(self, reason: ScrapeFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


def client() -> httpx.AsyncClient:
    """A client for any number of targets; it keeps connections open."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(headers=HEADERS, limits=limits, timeout=None, trust_env=False)


async def fetch(http: httpx.AsyncClient, target: Target, max_bytes: int) -> bytes:
    """The page, unpacked; of where a target redirects to, unless its URL has a password, which is for itself alone.

    :param max_bytes: the most that is read, after unpacking.
    :raises FailedScrape: when there is none within the target's timeout.
    """
    seconds = target.timeout / 1000
    page = bytearray()
    try:
        async with (
            asyncio.timeout(seconds),
            http.stream(
                "GET",
                target.url,
                headers={"X-Prometheus-Scrape-Timeout-Seconds": f"{seconds:g}"},
                follow_redirects=not httpx.URL(target.url).userinfo,
            ) as response,
        ):
            if response.is_redirect:
                detail = f"HTTP status {response.status_code}: a target with a password must not redirect"
                raise FailedScrape(ScrapeFault.BAD_STATUS, detail)
            if response.status_code != 200:
                raise FailedScrape(ScrapeFault.BAD_STATUS, f"HTTP status {response.status_code}")
            encoding = response.headers.get("content-encoding", "identity")
            async for part in response.aiter_raw():
                page += part
                if len(page) > max_bytes:
                    raise FailedScrape(ScrapeFault.TOO_LARGE, f"more than {max_bytes} bytes")
    except TimeoutError:
        raise FailedScrape(ScrapeFault.TIMEOUT, f"no response within {seconds:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FailedScrape(ScrapeFault.NO_ANSWER, f"{type(error).__name__}: {error}") from None
    return await asyncio.to_thread(_unpacked, bytes(page), encoding, max_bytes)


def _unpacked(page: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding == "identity":
        return page
    if encoding not in _PACKED:
        raise FailedScrape(ScrapeFault.BAD_PAGE, f"content encoding {encoding[:50]!r} is not supported")
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        found = unpacking.decompress(page, max_bytes + 1)
    except zlib.error as error:
        raise FailedScrape(ScrapeFault.BAD_PAGE, str(error)) from None
    if len(found) > max_bytes:
        raise FailedScrape(ScrapeFault.TOO_LARGE, f"more than {max_bytes} bytes decompressed")
    if not unpacking.eof:
        raise FailedScrape(ScrapeFault.BAD_PAGE, "the compressed page is truncated")
    return found
