"""What the collectors know: targets and the metadata of metrics. They are asked each time, all at once."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from streamgauge import __version__
from streamgauge.config import Config
from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway.askers import Asker
from streamgauge.gateway.faults import ErrorType, InvalidRequest
from streamgauge.gateway.parameters import Form
from streamgauge.gateway.queries import Answer
from streamgauge.redaction import redacted
from streamgauge.series.labels import NAME

TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024 * 1024
ENDINGS = ("_bucket", "_count", "_sum", "_total", "_created", "_info")
"""What the names of series have after that of their metric."""
_LIMITS = re.compile(r"[-+]?\d{1,18}", re.ASCII)
UP = "up"
"""The series of a target: who may see it may see the target."""
_STATES = {"", "any", "active"}

Families = dict[str, list[dict[str, str]]]


class Said(NamedTuple):
    """The `data` of each collector that answered, and warnings that name the others."""

    data: Sequence[Any]
    warnings: list[str]


class Collectors:
    """Asks collectors for what the gateway then answers.

    :param urls: of their roots.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._timeout_s = timeout_s
        # made once: it takes ten times as long as a request
        self._tls = httpx.create_ssl_context()

    async def targets(self, form: Form) -> Answer:
        """/api/v1/targets: those of all collectors, by pool and URL.

        :raises InvalidRequest: if no collector answers.
        """
        said = await self._ask("/api/v1/targets")
        pool, state = form.get("scrapePool"), form.get("state").lower()
        is_active = state in _STATES

        def chosen() -> Answer:
            found = [
                one for one in _targets(said, form.asker) if is_active and pool in ("", one["scrapePool"])
            ]
            content = {"activeTargets": found, "droppedTargets": [], "droppedTargetCounts": {}}
            return Answer(answer.text(content), said.warnings)

        return await asyncio.to_thread(chosen)

    async def scrape_pools(self, form: Form) -> Answer:
        """/api/v1/scrape_pools: the jobs of all targets.

        :raises InvalidRequest: if no collector answers.
        """
        said = await self._ask("/api/v1/targets")

        def pools() -> Answer:
            found = sorted({one["scrapePool"] for one in _targets(said, form.asker)})
            return Answer(answer.text({"scrapePools": found}), said.warnings)

        return await asyncio.to_thread(pools)

    async def metadata(self, form: Form, takes: Callable[[str], bool]) -> Answer:
        """/api/v1/metadata: type, help and unit of metrics, as every collector knows them.

        :param takes: which metrics are shown, by their names. :raises InvalidRequest: if no collector answers, and
            for limits that are no numbers.
        """
        most, most_each = _limit(form, "limit"), _limit(form, "limit_per_metric")
        metric = form.get("metric")
        said = await self._ask("/api/v1/metadata", {"metric": metric} if metric else {})

        def chosen() -> Answer:
            merged = {family: entries for family, entries in _merged(said.data).items() if takes(family)}
            families = list(merged)[: most if most >= 0 else None]
            content = {family: merged[family][: most_each if most_each > 0 else None] for family in families}
            return Answer(answer.text(content), said.warnings)

        return await asyncio.to_thread(chosen)

    async def _ask(self, path: str, parameters: Mapping[str, str] | None = None) -> Said:
        async with httpx.AsyncClient(
            timeout=self._timeout_s,
            trust_env=False,
            verify=self._tls,
            follow_redirects=False,
            headers={"User-Agent": f"streamgauge/{__version__}"},
        ) as http:
            found = await asyncio.gather(*(_one(http, url + path, parameters or {}) for url in self._urls))
        warnings = [
            redacted(f"collector {url} does not answer: {each}")
            for url, each in zip(self._urls, found, strict=True)
            if isinstance(each, str)
        ]
        said = [each["data"] for each in found if not isinstance(each, str)]
        if not said and warnings:
            raise InvalidRequest(ErrorType.UNAVAILABLE, "; ".join(warnings))
        return Said(said, warnings)


def urls_of(config: Config) -> tuple[str, ...]:
    """The collectors that are asked: those that the gateway is told of, else the one of the same file."""
    own = config.collector.listen.replace("0.0.0.0", "127.0.0.1")
    return config.gateway.collectors or (f"http://{own}",)


async def _one(http: httpx.AsyncClient, url: str, parameters: Mapping[str, str]) -> dict[str, Any] | str:
    """The document of a collector, or why there is none."""
    body = bytearray()
    try:
        async with http.stream("GET", url, params=parameters) as response:
            if response.is_redirect:
                return f"HTTP status {response.status_code}, and no redirect is followed"
            if response.status_code != 200:
                return f"HTTP status {response.status_code}"
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    return f"more than {MAX_BYTES} bytes"
        document: dict[str, Any] = await asyncio.to_thread(json.loads, bytes(body))
    except (httpx.HTTPError, ValueError) as error:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    return document


def _targets(said: Said, asker: Asker) -> list[dict[str, Any]]:
    found = [
        one for data in said.data for one in data["activeTargets"] if asker.sees({**one["labels"], NAME: UP})
    ]
    return sorted(found, key=lambda one: (one["scrapePool"], one["scrapeUrl"]))


def _merged(said: Iterable[Families]) -> Families:
    """Every metric with all that is said of it, each once, in the order of names."""
    found: dict[str, dict[tuple[str, str, str], None]] = {}
    for families in said:
        for family, entries in families.items():
            known = found.setdefault(family, {})
            known.update(dict.fromkeys((each["type"], each["help"], each["unit"]) for each in entries))
    return {
        family: [{"type": kind, "unit": unit, "help": explained} for kind, explained, unit in found[family]]
        for family in sorted(found)
    }


def _limit(form: Form, name: str) -> int:
    given = form.get(name)
    if not given:
        return -1
    if not _LIMITS.fullmatch(given):
        raise InvalidRequest(ErrorType.BAD_DATA, f"{name} must be a number")
    return int(given)
