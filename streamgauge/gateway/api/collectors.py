"""Targets and metric metadata, fetched from all collectors in parallel for each request."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import httpx

from streamgauge import __version__
from streamgauge.config import Config
from streamgauge.gateway.query.queries import Answer, document
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.request.parameters import Form
from streamgauge.gateway.request.principals import Principal
from streamgauge.go_numbers import InvalidNumber, integer
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import any_selector
from streamgauge.redaction import redacted
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, all_match
from streamgauge.store.reading import ReadContext

TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024 * 1024
DECODED_BYTES = 25
"""Memory per byte of JSON when decoded and merged; empty objects take the most."""
NAME_BYTES = 1024
"""Of a name, with those that it may have as a part of a metric."""
ENDINGS = ("_bucket", "_count", "_sum", "_total", "_created", "_info")
"""Suffixes that series names add to the name of their metric."""
UP = "up"
"""The series that represents a target: users who may see it may see the target."""
_STATES = {"", "any", "active"}

Families = dict[str, list[dict[str, str]]]


class Said(NamedTuple):
    """The `data` of each collector that answered, and warnings that name the others. size: bytes that it takes."""

    data: Sequence[Any]
    warnings: list[str]
    size: int = 0


class Collectors:
    """Fetches and merges the responses of collectors.

    :param urls: of their roots.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._timeout_s = timeout_s
        # made once: it takes ten times as long as a request
        self._tls = httpx.create_ssl_context()

    def targets(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/targets: those of all collectors, by pool and URL.

        :raises InvalidRequest: if no collector answers.
        """
        said = self._ask("/api/v1/targets", {}, reading)
        pool, state = form.get("scrapePool"), form.get("state").lower()
        is_active = state in _STATES
        found = [
            one for one in _targets(said, form.principal) if is_active and pool in ("", one["scrapePool"])
        ]
        content = {"activeTargets": found, "droppedTargets": [], "droppedTargetCounts": {}}
        return document(content, reading, said.warnings, said.size)

    def scrape_pools(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/scrape_pools: the jobs of all targets.

        :raises InvalidRequest: if no collector answers.
        """
        said = self._ask("/api/v1/targets", {}, reading)
        found = sorted({one["scrapePool"] for one in _targets(said, form.principal)})
        return document({"scrapePools": found}, reading, said.warnings, said.size)

    def metadata(self, form: Form, reading: ReadContext, shown: Set[str] | None = None) -> Answer:
        """/api/v1/metadata: type, help and unit of metrics, as every collector knows them.

        :param shown: the names of the series whose metrics are shown, None for all. :raises InvalidRequest: if no
            collector answers, and for limits that are no numbers.
        """
        most, most_each = _limit(form, "limit"), _limit(form, "limit_per_metric")
        metric = form.get("metric")
        held = 0 if shown is None else len(shown) * NAME_BYTES
        said = self._ask("/api/v1/metadata", {"metric": metric} if metric else {}, reading, held)
        merged = _merged(said.data)
        if shown is not None:
            seen = _with_metrics(shown)
            merged = {family: entries for family, entries in merged.items() if family in seen}
        families = list(merged)[: most if most >= 0 else None]
        content = {family: merged[family][: most_each if most_each > 0 else None] for family in families}
        return document(content, reading, said.warnings, said.size)

    def targets_metadata(self, form: Form, reading: ReadContext, shown: Set[str] | None = None) -> Answer:
        """/api/v1/targets/metadata: the metadata of each target's metrics, as its last page had it.

        :param shown: as for `metadata`. :raises InvalidRequest: if no collector answers, for a limit that is no number,
            and for a `match_target` that is no selector.
        """
        most = _limit(form, "limit")
        conditions = _conditions(form)
        metric = form.get("metric")
        asked = {name: form.get(name) for name in ("metric", "match_target") if form.get(name)}
        if most >= 0 and shown is None:
            asked["limit"] = str(most)
        held = 0 if shown is None else len(shown) * NAME_BYTES
        said = self._ask("/api/v1/targets/metadata", asked, reading, held)
        seen = None if shown is None else _with_metrics(shown)
        found: list[dict[str, Any]] = []
        # as in Prometheus, a limit ends the list with the target that reaches it
        for _, own in groupby((one for data in said.data for one in data), key=itemgetter("target")):
            if 0 <= most <= len(found):
                break
            entries = list(own)
            labels = entries[0]["target"]
            if form.principal.sees({**labels, NAME: UP}) and all_match(labels, conditions):
                found += [each for each in entries if seen is None or each.get("metric", metric) in seen]
        return document(found, reading, said.warnings, said.size)

    def _ask(self, path: str, parameters: Mapping[str, str], reading: ReadContext, held: int = 0) -> Said:
        """What all collectors say. It is held before it is decoded.

        :param held: bytes that are held already. :raises InvalidRequest: if none answers; by `hold`.
        """
        received = 0

        def receive(size: int) -> None:
            nonlocal received
            reading.left_s()
            received += size
            reading.hold(held + received * DECODED_BYTES)

        found = list(map(_document, asyncio.run(self._asked(path, parameters, receive))))
        warnings = [
            redacted(f"collector {url} does not answer: {each}")
            for url, each in zip(self._urls, found, strict=True)
            if isinstance(each, str)
        ]
        said = [each["data"] for each in found if not isinstance(each, str)]
        if not said and warnings:
            raise InvalidRequest(ErrorType.UNAVAILABLE, "; ".join(warnings))
        return Said(said, warnings, held + received * DECODED_BYTES)

    async def _asked(
        self, path: str, parameters: Mapping[str, str], receive: Callable[[int], None]
    ) -> list[bytearray | str]:
        async with httpx.AsyncClient(
            timeout=self._timeout_s,
            trust_env=False,
            verify=self._tls,
            follow_redirects=False,
            headers={"User-Agent": f"streamgauge/{__version__}"},
        ) as http:
            asked = (_one(http, url + path, parameters, self._timeout_s, receive) for url in self._urls)
            return await asyncio.gather(*asked)


def urls_of(config: Config) -> tuple[str, ...]:
    """Return the URLs of the collectors: the configured ones, else that of the same configuration file."""
    own = config.collector.listen.replace("0.0.0.0", "127.0.0.1")
    return config.gateway.collectors or (f"http://{own}",)


async def _one(
    http: httpx.AsyncClient,
    url: str,
    parameters: Mapping[str, str],
    timeout_s: float,
    receive: Callable[[int], None],
) -> bytearray | str:
    """What is said by a collector, or why there is none. receive: is told of bytes that came."""
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s), http.stream("GET", url, params=parameters) as response:
            if response.is_redirect:
                return f"HTTP status {response.status_code}: redirects are not followed"
            if response.status_code != 200:
                return f"HTTP status {response.status_code}"
            async for part in response.aiter_bytes():
                receive(len(part))
                body += part
                if len(body) > MAX_BYTES:
                    return f"more than {MAX_BYTES} bytes"
    except (httpx.HTTPError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    return body


def _document(body: bytearray | str) -> dict[str, Any] | str:
    """What a collector said, or why it is none."""
    if isinstance(body, str):
        return body
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return found if isinstance(found, dict) and "data" in found else "not a response of the API"


def _targets(said: Said, principal: Principal) -> list[dict[str, Any]]:
    found = [
        one
        for data in said.data
        for one in data["activeTargets"]
        if principal.sees({**one["labels"], NAME: UP})
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


def _with_metrics(names: Set[str]) -> Set[str]:
    """Names of series, and those of the metrics that they may be of."""
    return names | {name.removesuffix(ending) for name in names for ending in ENDINGS}


def _conditions(form: Form) -> tuple[Matcher, ...]:
    given = form.get("match_target")
    if not given:
        return ()
    try:
        return any_selector(given).conditions
    except InvalidExpression as error:
        raise invalid_parameter("match_target", str(error)) from None


def _limit(form: Form, name: str) -> int:
    given = form.get(name)
    if not given:
        return -1
    try:
        return integer(given)
    except InvalidNumber:
        raise InvalidRequest(ErrorType.BAD_DATA, f"{name} must be a number") from None
