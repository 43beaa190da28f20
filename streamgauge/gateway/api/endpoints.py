"""The endpoints below /api/v1/ that respond with Prometheus's JSON, with their parameters."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from streamgauge.gateway.api import expressions
from streamgauge.gateway.query.queries import Answer
from streamgauge.gateway.request.parameters import Form
from streamgauge.store.reading import ReadContext

if TYPE_CHECKING:
    from streamgauge.gateway.http.app import Gateway

Query = Callable[[Form, ReadContext], Answer]


class Kind(StrEnum):
    """Type of a parameter's value."""

    TEXT = "text"
    PROMQL = "PromQL"
    SELECTORS = "series selectors"
    TEXTS = "texts"
    TIME = "Unix seconds or RFC 3339"
    DURATION = "seconds, or a duration as in PromQL"
    NUMBER = "a whole number"
    FLAG = "true or false"


class Parameter(NamedTuple):
    """A parameter in the query string or in a form."""

    name: str
    kind: Kind
    summary: str
    is_needed: bool = False


class Endpoint(NamedTuple):
    """A path and its handler.

    takes_forms: whether POST with a form is accepted too. reads_series: whether the matchers of restricted users are
    added to the request; otherwise the endpoint reads no series, or filters its result by them. is_about_all: whether
    restricted users are refused.
    """

    path: str
    summary: str
    answer: Callable[[Form], Awaitable[Answer]]
    parameters: tuple[Parameter, ...] = ()
    takes_forms: bool = False
    reads_series: bool = True
    is_about_all: bool = False

    @property
    def methods(self) -> list[str]:
        """Accepted HTTP methods."""
        return ["GET", "POST"] if self.takes_forms else ["GET"]


_QUERY = Parameter("query", Kind.PROMQL, "the expression", is_needed=True)
_LIMIT = Parameter("limit", Kind.NUMBER, "maximum number of results, 0 for all")
_START = Parameter("start", Kind.TIME, "start of the time range, by default a day before its end")
_END = Parameter("end", Kind.TIME, "end of the time range, by default now")
_MATCH = Parameter("match[]", Kind.SELECTORS, "selectors, of which a series must match at least one")
_EXPLAIN = Parameter("explain", Kind.FLAG, "explain how the result was computed")
_EVALUATION = (
    Parameter("timeout", Kind.DURATION, "query timeout, at most the configured one"),
    Parameter("lookback_delta", Kind.DURATION, "lookback delta"),
    _EXPLAIN,
    _LIMIT,
)
_INSTANT = (_QUERY, Parameter("time", Kind.TIME, "evaluation time, by default now"), *_EVALUATION)
_RANGE = (
    _QUERY,
    Parameter("start", Kind.TIME, "time of the first step", is_needed=True),
    Parameter("end", Kind.TIME, "end of the range, inclusive", is_needed=True),
    Parameter("step", Kind.DURATION, "interval between steps", is_needed=True),
    *_EVALUATION,
)
_LISTED = (_MATCH, _START, _END, _LIMIT)
_RULES = (
    Parameter("type", Kind.TEXT, "alert or record"),
    Parameter("rule_name[]", Kind.TEXTS, "names of rules"),
    Parameter("rule_group[]", Kind.TEXTS, "names of groups"),
    Parameter("file[]", Kind.TEXTS, "names of files"),
    Parameter("match[]", Kind.SELECTORS, "selectors matched against the labels of rules"),
    Parameter("exclude_alerts", Kind.FLAG, "omit the alerts"),
    Parameter("group_limit", Kind.NUMBER, "maximum number of groups per page"),
    Parameter("group_next_token", Kind.TEXT, "token from the previous page"),
)
_TARGETS = (
    Parameter("scrapePool", Kind.TEXT, "the job"),
    Parameter("state", Kind.TEXT, "active, dropped or any"),
)
_TARGETS_METADATA = (
    Parameter("match_target", Kind.TEXT, "selector matched against the labels of targets"),
    Parameter("metric", Kind.TEXT, "metric name, by default all metrics"),
    Parameter("limit", Kind.NUMBER, "stop after the target that reaches this many entries"),
)
_METADATA = (
    Parameter("metric", Kind.TEXT, "metric name, by default all metrics"),
    Parameter("limit", Kind.NUMBER, "maximum number of metrics"),
    Parameter("limit_per_metric", Kind.NUMBER, "maximum number of entries per metric"),
)


def endpoints(gateway: "Gateway") -> list[Endpoint]:
    """Return all endpoints of a gateway."""
    return [*_queries(gateway), *_lists(gateway), *_others(gateway), *_statuses(gateway)]


def _queries(gateway: "Gateway") -> list[Endpoint]:
    queries, run, look = gateway.queries, gateway.run, gateway.look
    exemplars = (_QUERY, _START, _END)
    return [
        Endpoint("/api/v1/query", "Instant query", partial(run, queries.instant), _INSTANT, True),
        Endpoint("/api/v1/query_range", "Range query", partial(run, queries.range), _RANGE, True),
        Endpoint(
            "/api/v1/query_cost",
            "Estimated cost of an instant query",
            partial(run, queries.instant_cost),
            _INSTANT,
            True,
        ),
        Endpoint(
            "/api/v1/query_range_cost",
            "Estimated cost of a range query",
            partial(run, queries.range_cost),
            _RANGE,
            True,
        ),
        Endpoint(
            "/api/v1/query_exemplars",
            "Exemplars (none are stored)",
            partial(look, expressions.exemplars),
            exemplars,
            takes_forms=True,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/format_query",
            "Format a query",
            partial(look, queries.formatted),
            (_QUERY,),
            takes_forms=True,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/parse_query",
            "Parse a query into its syntax tree",
            partial(look, expressions.parsed),
            (_QUERY,),
            takes_forms=True,
            reads_series=False,
        ),
    ]


def _lists(gateway: "Gateway") -> list[Endpoint]:
    queries, look_up = gateway.queries, gateway.look_up
    selected = (_MATCH._replace(is_needed=True), _START, _END, _LIMIT)
    return [
        Endpoint(
            "/api/v1/series", "Find series by selectors", partial(look_up, queries.series), selected, True
        ),
        Endpoint("/api/v1/labels", "Label names", partial(look_up, queries.label_names), _LISTED, True),
        Endpoint(
            "/api/v1/label/{name}/values",
            "Label values",
            partial(look_up, queries.label_values),
            _LISTED,
            True,
        ),
    ]


def _others(gateway: "Gateway") -> list[Endpoint]:
    look, ask, rules, collectors = gateway.look, gateway.ask, gateway.rules, gateway.collectors
    return [
        Endpoint(
            "/api/v1/rules",
            "Rules, their health and their alerts",
            partial(look, rules.rules),
            _RULES,
            reads_series=False,
        ),
        Endpoint("/api/v1/alerts", "Active alerts", partial(look, rules.alerts), reads_series=False),
        Endpoint(
            "/api/v1/targets",
            "Scrape targets",
            partial(ask, collectors.targets),
            _TARGETS,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/scrape_pools",
            "Scrape pools",
            partial(ask, collectors.scrape_pools),
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/targets/metadata",
            "Metric metadata by target",
            partial(ask, gateway.targets_metadata),
            _TARGETS_METADATA,
        ),
        Endpoint("/api/v1/metadata", "Metric metadata", partial(ask, gateway.metadata), _METADATA),
        Endpoint(
            "/api/v1/status/tsdb",
            "Cardinality statistics",
            partial(gateway.count, gateway.cardinality.status),
            (Parameter("limit", Kind.NUMBER, "number of entries per list, by default 10"),),
        ),
    ]


def _statuses(gateway: "Gateway") -> list[Endpoint]:
    status = gateway.status
    answers: list[tuple[str, str, Query, bool]] = [
        ("/api/v1/status/buildinfo", "Build information", status.buildinfo, False),
        ("/api/v1/status/config", "Configuration", status.config, True),
        ("/api/v1/status/flags", "Configuration as flags", status.flags, True),
        ("/api/v1/status/runtimeinfo", "Runtime information", status.runtimeinfo, True),
        ("/api/v1/alertmanagers", "Alertmanagers", status.alertmanagers, True),
    ]
    return [
        Endpoint("/api/v1/status/jobs", "Flink jobs", gateway.job_status, is_about_all=True),
        *(
            Endpoint(path, summary, partial(gateway.look, answer), is_about_all=is_about_all)
            for path, summary, answer, is_about_all in answers
        ),
    ]
