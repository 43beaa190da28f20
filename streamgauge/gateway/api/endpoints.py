"""Every endpoint below /api/v1/ that answers in Prometheus's JSON, with what it takes."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from streamgauge.gateway.api import expressions
from streamgauge.gateway.query.queries import Answer
from streamgauge.gateway.request.parameters import Form
from streamgauge.store.reading import Reading

if TYPE_CHECKING:
    from streamgauge.gateway.http.app import Gateway

Query = Callable[[Form, Reading], Answer]


class Kind(StrEnum):
    """What the value of a parameter is."""

    TEXT = "text"
    PROMQL = "PromQL"
    SELECTORS = "series selectors"
    TEXTS = "texts"
    TIME = "Unix seconds or RFC 3339"
    DURATION = "seconds, or a duration as in PromQL"
    NUMBER = "a whole number"
    FLAG = "true or false"


class Parameter(NamedTuple):
    """A parameter of the URL or of a form."""

    name: str
    kind: Kind
    summary: str
    is_needed: bool = False


class Endpoint(NamedTuple):
    """A path and what answers there.

    takes_forms: whether by POST with a form, too. reads_series: whether what is asked gets the matchers of askers who
    see only some series; where it does not, nothing is read, or what is found is chosen by them. is_about_all: whether
    such askers are refused.
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
        """The HTTP methods it takes."""
        return ["GET", "POST"] if self.takes_forms else ["GET"]


_QUERY = Parameter("query", Kind.PROMQL, "the expression", is_needed=True)
_LIMIT = Parameter("limit", Kind.NUMBER, "the most results, 0 for all")
_START = Parameter("start", Kind.TIME, "the earliest time; a day before the end if not given")
_END = Parameter("end", Kind.TIME, "the latest time; now if not given")
_MATCH = Parameter("match[]", Kind.SELECTORS, "series that any of them selects")
_EXPLAIN = Parameter("explain", Kind.FLAG, "say how the answer came about")
_EVALUATION = (
    Parameter("timeout", Kind.DURATION, "a shorter time than the configured one"),
    Parameter("lookback_delta", Kind.DURATION, "how long a sample counts"),
    _EXPLAIN,
    _LIMIT,
)
_INSTANT = (_QUERY, Parameter("time", Kind.TIME, "now if not given"), *_EVALUATION)
_RANGE = (
    _QUERY,
    Parameter("start", Kind.TIME, "of the first step", is_needed=True),
    Parameter("end", Kind.TIME, "after which there is no step", is_needed=True),
    Parameter("step", Kind.DURATION, "between two steps", is_needed=True),
    *_EVALUATION,
)
_LISTED = (_MATCH, _START, _END, _LIMIT)
_RULES = (
    Parameter("type", Kind.TEXT, "alert or record"),
    Parameter("rule_name[]", Kind.TEXTS, "names of rules"),
    Parameter("rule_group[]", Kind.TEXTS, "names of groups"),
    Parameter("file[]", Kind.TEXTS, "names of files"),
    Parameter("match[]", Kind.SELECTORS, "by the labels of rules"),
    Parameter("exclude_alerts", Kind.FLAG, "leave the alerts out"),
    Parameter("group_limit", Kind.NUMBER, "the most groups of an answer"),
    Parameter("group_next_token", Kind.TEXT, "from the answer before"),
)
_TARGETS = (
    Parameter("scrapePool", Kind.TEXT, "the job"),
    Parameter("state", Kind.TEXT, "active, dropped or any"),
)
_TARGETS_METADATA = (
    Parameter("match_target", Kind.TEXT, "a selector of the labels of targets"),
    Parameter("metric", Kind.TEXT, "the only one wanted"),
    Parameter("limit", Kind.NUMBER, "stop after the target that reaches this many entries"),
)
_METADATA = (
    Parameter("metric", Kind.TEXT, "the only one wanted"),
    Parameter("limit", Kind.NUMBER, "the most metrics"),
    Parameter("limit_per_metric", Kind.NUMBER, "the most entries of each"),
)


def endpoints(gateway: "Gateway") -> list[Endpoint]:
    """All of them, for one gateway."""
    return [*_queries(gateway), *_lists(gateway), *_others(gateway), *_statuses(gateway)]


def _queries(gateway: "Gateway") -> list[Endpoint]:
    queries, run, look = gateway.queries, gateway.run, gateway.look
    exemplars = (_QUERY, _START, _END)
    return [
        Endpoint("/api/v1/query", "A query at one time", partial(run, queries.instant), _INSTANT, True),
        Endpoint("/api/v1/query_range", "A query at steps", partial(run, queries.range), _RANGE, True),
        Endpoint(
            "/api/v1/query_cost", "What a query costs", partial(run, queries.instant_cost), _INSTANT, True
        ),
        Endpoint(
            "/api/v1/query_range_cost",
            "What a query at steps costs",
            partial(run, queries.range_cost),
            _RANGE,
            True,
        ),
        Endpoint(
            "/api/v1/query_exemplars",
            "No exemplars",
            partial(look, expressions.exemplars),
            exemplars,
            takes_forms=True,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/format_query",
            "A query laid out",
            partial(look, queries.formatted),
            (_QUERY,),
            takes_forms=True,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/parse_query",
            "A query's tree",
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
        Endpoint("/api/v1/series", "Label sets of series", partial(look_up, queries.series), selected, True),
        Endpoint("/api/v1/labels", "Names of labels", partial(look_up, queries.label_names), _LISTED, True),
        Endpoint(
            "/api/v1/label/{name}/values",
            "Values of a label",
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
            "The rules and how they do",
            partial(look, rules.rules),
            _RULES,
            reads_series=False,
        ),
        Endpoint("/api/v1/alerts", "The active alerts", partial(look, rules.alerts), reads_series=False),
        Endpoint(
            "/api/v1/targets",
            "What is scraped",
            partial(ask, collectors.targets),
            _TARGETS,
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/scrape_pools",
            "The jobs of targets",
            partial(ask, collectors.scrape_pools),
            reads_series=False,
        ),
        Endpoint(
            "/api/v1/targets/metadata",
            "Type and help of the metrics of each target",
            partial(ask, gateway.targets_metadata),
            _TARGETS_METADATA,
        ),
        Endpoint("/api/v1/metadata", "Type and help of metrics", partial(ask, gateway.metadata), _METADATA),
        Endpoint(
            "/api/v1/status/tsdb",
            "Which metrics, labels and values have many series",
            partial(gateway.count, gateway.cardinality.status),
            (Parameter("limit", Kind.NUMBER, "how many of each, 10 if not given"),),
        ),
    ]


def _statuses(gateway: "Gateway") -> list[Endpoint]:
    status = gateway.status
    answers: list[tuple[str, str, Query, bool]] = [
        ("/api/v1/status/buildinfo", "The version of the API", status.buildinfo, False),
        ("/api/v1/status/config", "The configuration", status.config, True),
        ("/api/v1/status/flags", "The configuration's keys", status.flags, True),
        ("/api/v1/status/runtimeinfo", "About the process", status.runtimeinfo, True),
        ("/api/v1/alertmanagers", "Who is told of alerts", status.alertmanagers, True),
    ]
    return [
        Endpoint("/api/v1/status/jobs", "The jobs on Flink", gateway.job_status, is_about_all=True),
        *(
            Endpoint(path, summary, partial(gateway.look, answer), is_about_all=is_about_all)
            for path, summary, answer, is_about_all in answers
        ),
    ]
