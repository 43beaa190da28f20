"""The gateway's HTTP interface."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from cassandra.cluster import Session
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamgauge.config import Config
from streamgauge.gateway.api import openapi
from streamgauge.gateway.api.cardinality import Cardinality
from streamgauge.gateway.api.collectors import Collectors, urls_of
from streamgauge.gateway.api.endpoints import Endpoint, Query, endpoints
from streamgauge.gateway.api.federation import Federation
from streamgauge.gateway.api.jobs import JobStatus
from streamgauge.gateway.api.remote_read import RemoteRead
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.api.status import Status
from streamgauge.gateway.auth.accounts import Accounts
from streamgauge.gateway.auth.authentication import Authentication
from streamgauge.gateway.auth.enforcement import refuse_restricted
from streamgauge.gateway.http.answering import (
    Respond,
    answered,
    counted,
    form_of,
    not_served,
    while_connected,
    with_remarks,
)
from streamgauge.gateway.http.compression import Compression
from streamgauge.gateway.http.cors import Cors
from streamgauge.gateway.http.page import assets
from streamgauge.gateway.http.pages import PAGES
from streamgauge.gateway.metrics import Looked, Metrics
from streamgauge.gateway.query.evaluation import Budget
from streamgauge.gateway.query.queries import Answer, Queries
from streamgauge.gateway.query.query_cache import QueryCache
from streamgauge.gateway.request.faults import translated
from streamgauge.gateway.request.memory import Memory, default_bytes
from streamgauge.gateway.request.parameters import Form
from streamgauge.gateway.request.pools import Limits, Pool, SingleFlight, TooManyAtOnce, UserConcurrency
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext
from streamgauge.times import now_ms
from streamgauge.topics.alert_board import AlertBoard

MAX_SAMPLES = 20_000_000
NAMED_DAMAGES = 5
FIRST_LOOK_S = 5.0
"""Time that a request waits for the first read of rules and alerts."""
READY_TIMEOUT_S = 5.0

Found = TypeVar("Found")


class Gateway:
    """Answers queries in threads, within the configured limits.

    :param store: its identity (`schema.identity`), with which answers are kept; without it they are not.
    :param adhoc_session: what ad-hoc queries read with, None for the reader's own.
    :raises InvalidFile: for a file of users that is none.
    """

    def __init__(
        self, config: Config, reader: Reader, store: str = "", adhoc_session: Session | None = None
    ) -> None:
        self.settings = settings = config.gateway
        self.metrics = Metrics()
        self.memory = Memory(settings.memory_bytes or default_bytes(), self.metrics.memory_refusals.inc)
        self.accounts = Accounts(settings.users_file) if settings.users_file else None
        self.kept = QueryCache(config, reader, store, now_ms, self.metrics) if store else None
        self.queries = Queries(settings, reader, now_ms, self.kept)
        self._flights: SingleFlight[Answer] = SingleFlight(self.metrics.shared.inc)
        self.board = AlertBoard(config.kafka)
        self.rules = Rules(self.board, now_ms, FIRST_LOOK_S)
        self.jobs = JobStatus(config.flink.rest, reader, now_ms)
        self.collectors = Collectors(urls_of(config))
        self.status = Status(config, now_ms)
        self.cardinality = Cardinality(reader, config.layout.lanes, now_ms)
        external = config.alerts.external_labels
        self.federation = Federation(reader, external, settings.lookback_s * 1000, now_ms)
        self.remote_read = RemoteRead(reader, external)
        self.description = openapi.document(endpoints(self))
        queries, others = self._limits(), self._limits()
        self._interactive = Pool("interactive", settings.interactive_queries, queries)
        self._adhoc = Pool("adhoc", settings.adhoc_queries, queries, adhoc_session)
        self._counting = Pool("counting", 1, queries, adhoc_session)
        # what waits for others holds up neither queries nor what is known here
        self._looking = Pool("looking", 2, others)
        self._asking = Pool("asking", 4, others)
        self._jobs = Pool("jobs", 1, others)
        self._reader = reader
        looked = Looked(self._lookups, self._is_paused, self.rules.evaluation_seconds, self._waiting)
        self.metrics.registry.register(looked)

    async def look(self, look: Query, form: Form) -> Answer:
        """Run an endpoint that reads no store, outside of the threads and limits of queries.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return with_remarks(*await self._read(self._looking, form, partial(look, form)))

    async def ask(self, query: Query, form: Form) -> Answer:
        """Run an endpoint that queries collectors.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return with_remarks(*await self._read(self._asking, form, partial(query, form)))

    async def job_status(self, form: Form) -> Answer:
        """/api/v1/status/jobs

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return with_remarks(*await self._read(self._jobs, form, partial(self.jobs.status, form)))

    async def count(self, query: Query, form: Form) -> Answer:
        """Run an endpoint that scans the whole index, one request after the other.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return with_remarks(*await self._read(self._counting, form, partial(query, form)))

    async def look_up(self, query: Query, form: Form) -> Answer:
        """Run an endpoint that looks up the index, for query editors.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return await self._shared(self._interactive, query, form)

    async def run(self, query: Query, form: Form) -> Answer:
        """The answer of a query, with warnings about rows that were damaged, and about its cost.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return await self._shared(self._pool(form), query, form)

    async def read(self, form: Form, look: Callable[[ReadContext], Found]) -> tuple[Found, list[str]]:
        """Run a function on the store; returns its result and warnings about damaged rows and its cost.

        :raises InvalidRequest: with the reason, whatever went wrong.
        """
        return await self._read(self._pool(form), form, look)

    def metadata(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/metadata, of the metrics that the principal may see."""
        return self.collectors.metadata(form, reading, self._shown(form, reading))

    def targets_metadata(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/targets/metadata, of the metrics that the principal may see."""
        return self.collectors.targets_metadata(form, reading, self._shown(form, reading))

    def _shown(self, form: Form, reading: ReadContext) -> set[str] | None:
        """The names of the series that a principal may see; None for one who may see all."""
        return self.queries.metrics(form, reading) if form.principal.enforced else None

    async def ready(self) -> None:
        """Whether the store answers, however many queries there are.

        :raises InvalidRequest: if it does not.
        """
        reading = ReadContext(time.monotonic() + READY_TIMEOUT_S)
        with translated():
            await asyncio.to_thread(self.queries.readable, reading)

    def _pool(self, form: Form) -> Pool:
        return self._interactive if form.principal.is_dashboard else self._adhoc

    async def _shared(self, pool: Pool, query: Query, form: Form) -> Answer:
        """The answer of a query; identical ones at the same time are run once, for the one who came first."""

        async def run() -> Answer:
            return with_remarks(*await self._read(pool, form, partial(query, form)))

        if form.identity is None:
            return await run()
        try:
            return await self._flights.run((query, form.identity), run)
        except TooManyAtOnce:
            # perhaps of somebody else, who asked first
            return await run()

    async def _read(
        self, pool: Pool, form: Form, look: Callable[[ReadContext], Found]
    ) -> tuple[Found, list[str]]:
        timeout = form.timeout_s(self.settings.timeout_s)
        reading = self._budget(timeout)
        with translated():
            async with asyncio.timeout(timeout):
                found = await pool.run(form.principal, lambda _: reading.run(look), reading)
        self.metrics.samples.inc(reading.samples)
        return found, [*reading.notes, *self._damages(reading)]

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            UserConcurrency(settings.user_queries, settings.user_patience_s),
            UserConcurrency(
                settings.source_queries, settings.user_patience_s, "from this account or address"
            ),
        )

    def _budget(self, timeout_s: float) -> Budget:
        settings = self.settings
        return Budget(
            time.monotonic() + timeout_s,
            settings.max_series,
            MAX_SAMPLES,
            warn_above=settings.warn_above,
            refuse_above=settings.refuse_above,
            interval_ms=round(settings.sample_interval_s * 1000),
            share=self.memory.share(),
        )

    def exposition(self) -> bytes:
        """The gateway's own metrics."""
        self.metrics.head_bytes.set(self._reader.head.size)
        self.metrics.memory.labels("taken").set(self.memory.taken)
        self.metrics.memory.labels("total").set(self.memory.total)
        return generate_latest(self.metrics.registry)

    def _lookups(self) -> dict[tuple[str, str], int]:
        cache = self._reader.blocks.cache
        blocks = {("blocks", "hit"): cache.hits, ("blocks", "miss"): cache.misses}
        return blocks | self.metrics.lookups.all()

    def _is_paused(self) -> bool:
        return self.kept is not None and self.kept.remote.is_paused

    def _waiting(self) -> dict[str, int]:
        queries = (self._interactive, self._adhoc, self._counting)
        others = (self._looking, self._asking, self._jobs)
        return {pool.name: pool.turns.waiting for pool in (*queries, *others)}

    def _damages(self, reading: ReadContext) -> list[str]:
        for damage in reading.damages:
            self.metrics.damaged.labels(damage.reason).inc()
        named = [f"skipped a damaged row: {row}: {reason}" for reason, row in reading.damages[:NAMED_DAMAGES]]
        more = len(reading.damages) - len(named)
        return [*named, *([f"skipped {more} more damaged rows"] if more > 0 else [])]


def application(gateway: Gateway) -> Starlette:
    """The ASGI application."""
    # packing the page's files takes longer than any request may wait
    assets()
    return Starlette(
        routes=[
            *(_route(gateway, each.path, each.methods, _api(each)) for each in endpoints(gateway)),
            *(_route(gateway, each.path, [each.method], partial(each.answer, gateway)) for each in PAGES),
        ],
        middleware=[
            Middleware(Cors, origins=gateway.settings.cors_origin),
            Middleware(Compression),
            Middleware(Authentication, accounts=gateway.accounts),
        ],
        exception_handlers={HTTPException: not_served},
    )


def _route(gateway: Gateway, path: str, methods: list[str], respond: Respond) -> Route:
    return Route(path, counted(gateway.metrics, path, respond), methods=methods)


def _api(endpoint: Endpoint) -> Respond:
    async def respond(request: Request) -> Response:
        if endpoint.is_about_all:
            refuse_restricted(request.state.principal)
        form = await form_of(request, endpoint.reads_series)
        return answered(await while_connected(request, endpoint.answer(form)))

    return respond
