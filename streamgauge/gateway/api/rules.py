"""/api/v1/rules and /api/v1/alerts in Prometheus's JSON, from a board."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.alert_messages import ActiveAlert
from schemas.rule_files import Group, RuleKind
from streamgauge.gateway.query.queries import Answer, document, selector
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.request.parameters import Form, quoted
from streamgauge.gateway.request.principals import Principal
from streamgauge.go_numbers import InvalidNumber, integer
from streamgauge.promql.syntax import parser, printer
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.rules.applied.board import GroupView, RuleView
from streamgauge.rules.machine.evaluation import ALERTS
from streamgauge.rules.machine.intervals import interval_of
from streamgauge.rules.sql.statement import parse as parse_sql
from streamgauge.rules.sql.tokens import InvalidSql
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, all_match
from streamgauge.series.regexes import RegexAllowance
from streamgauge.store.reading import ReadContext
from streamgauge.topics.alert_board import AlertBoard

_TRUE, _FALSE = ("1", "t", "true"), ("", "0", "f", "false")
_NEVER = "0001-01-01T00:00:00Z"
VIEW_BYTES = 1024
"""Of a rule, with its part of its group's, while rules are looked through."""
ALERT_BYTES = 32
"""Of one of its alerts: it is in two lists when some are chosen."""


class Wanted(NamedTuple):
    """Filters of a request for rules; an empty set filters nothing. most: maximum number of groups, 0 for all."""

    kinds: frozenset[RuleKind]
    names: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]
    selectors: Sequence[Sequence[Matcher]]
    with_alerts: bool
    most: int
    token: str

    @staticmethod
    def of(form: Form) -> "Wanted":
        """Read the filters of a request.

        :raises InvalidRequest: in Prometheus's words.
        """
        kind, regexes = form.get("type").lower(), RegexAllowance()
        if kind not in ("", *RuleKind):
            raise invalid_parameter("type", f"not supported value {quoted(kind)}")
        return Wanted(
            frozenset(each for each in RuleKind if kind in ("", each)),
            frozenset(form.all("rule_name[]")),
            frozenset(form.all("rule_group[]")),
            frozenset(form.all("file[]")),
            [selector(text, regexes) for text in form.selectors()],
            not _flag(form, "exclude_alerts"),
            _group_limit(form),
            form.get("group_next_token"),
        )

    def takes(self, rule: RuleView, group: Group) -> bool:
        """Whether a rule of a group passes the filters."""
        labels = {**group.labels, **rule.rule.labels}
        return (
            rule.rule.kind in self.kinds
            and (not self.names or rule.rule.name in self.names)
            and (not self.selectors or any(all_match(labels, each) for each in self.selectors))
        )


class Rules:
    """The two endpoints over a board. clock: gives the time in ms. wait_s: for the first look at Kafka."""

    def __init__(self, board: AlertBoard, clock: Callable[[], int], wait_s: float) -> None:
        self._board = board
        self._clock = clock
        self._wait_s = wait_s

    def rules(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/rules"""
        wanted = Wanted.of(form)
        groups, warnings = self._groups(form.principal, reading)
        return document(discovery(groups, wanted), reading, warnings, _size(groups))

    def alerts(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/alerts"""
        groups, warnings = self._groups(form.principal, reading)
        found = (_alert(one) for group in groups for rule in group.rules for one in rule.alerts)
        return document({"alerts": found}, reading, warnings, _size(groups))

    def evaluation_seconds(self) -> dict[str, float]:
        """Duration of the last evaluation of each group, where known."""
        groups = self._board.see(lambda board: board.groups(self._clock()))
        return {view.key: view.status.seconds for view in groups if view.status}

    def _groups(self, principal: Principal, reading: ReadContext) -> tuple[list[GroupView], list[str]]:
        if not self._board.wait(self._wait_s):
            trouble = self._board.trouble or "not read in time"
            raise InvalidRequest(
                ErrorType.UNAVAILABLE, f"rules and alerts are not known yet: Kafka: {trouble}"
            )
        now = self._clock()
        groups, broken = self._board.see(lambda board: (board.groups(now), board.broken()))
        reading.hold(_size(groups))
        if principal.enforced:
            groups = [seen_by(principal, view) for view in reading.watched(groups)]
        trouble = self._board.trouble
        warnings = [f"rules and alerts may be out of date: Kafka: {trouble}"] if trouble else []
        seen = {view.key for view in groups if view.rules}
        warnings += [
            f"alerts of {key} may be out of date: parts of them are missing" for key in broken if key in seen
        ]
        return groups, warnings


def seen_by(principal: Principal, view: GroupView) -> GroupView:
    """A group with the alerts that a principal may see, and the rules that have their labels or such alerts.

    An alert has the labels of its series of ALERTS, a rule those of what it records.
    """
    rules = []
    for rule in view.rules:
        alerts = [alert for alert in rule.alerts if principal.sees({**alert.labels, NAME: ALERTS})]
        name = rule.rule.name if rule.rule.kind is RuleKind.RECORD else ALERTS
        if alerts or principal.sees({**view.group.labels, **rule.rule.labels, NAME: name}):
            rules.append(replace(rule, alerts=alerts))
    return replace(view, rules=rules)


def discovery(groups: Sequence[GroupView], wanted: Wanted) -> dict[str, Any]:
    """The groups and rules that are wanted, with a token for the next page if there is one.

    Lists of rules and alerts are iterators.

    :raises InvalidRequest: for a token of no group.
    """
    found: list[dict[str, Any]] = []
    is_reached = not wanted.token
    for view in groups:
        is_reached = is_reached or _token(view) == wanted.token
        if not is_reached or not _is_place_wanted(view, wanted):
            continue
        rules = [each for each in view.rules if wanted.takes(each, view.group)]
        if not rules:
            continue
        if wanted.most and len(found) == wanted.most:
            return {"groups": found, "groupNextToken": _token(view)}
        found.append(_group(view, rules, wanted.with_alerts))
    if not is_reached:
        detail = f"invalid group_next_token '{wanted.token}'. were rule groups changed?"
        raise invalid_parameter("group_next_token", detail)
    return {"groups": found}


def _size(groups: Sequence[GroupView]) -> int:
    """Bytes of what is looked through: labels and texts are those of the board."""
    return sum(VIEW_BYTES + ALERT_BYTES * len(rule.alerts) for view in groups for rule in view.rules)


def _is_place_wanted(view: GroupView, wanted: Wanted) -> bool:
    in_groups = not wanted.groups or view.group.name in wanted.groups
    return in_groups and (not wanted.files or view.file in wanted.files)


def _group(view: GroupView, rules: Sequence[RuleView], with_alerts: bool) -> dict[str, Any]:
    return {
        "name": view.group.name,
        "file": view.file,
        "rules": (_rule(each, view, with_alerts) for each in rules),
        "interval": _seconds(interval_of(view.group)),
        "limit": view.group.limit,
        "evaluationTime": view.status.seconds if view.status else 0,
        "lastEvaluation": _time(view.status.last_tick if view.status else 0),
    }


def _rule(view: RuleView, group: GroupView, with_alerts: bool) -> dict[str, Any]:
    rule, health = view.rule, view.health
    shared: dict[str, Any] = {
        "name": rule.name,
        "query": rule.expr if group.is_sql else _canonical(rule.expr),
        **({"samples": _selectors(rule.expr)} if group.is_sql else {}),
        "labels": _sorted({**group.group.labels, **rule.labels}),
        "health": health.health,
        "evaluationTime": health.seconds,
        "lastEvaluation": _time(group.status.last_tick if group.status else 0),
    }
    shared |= {"lastError": health.last_error} if health.last_error else {}
    if rule.kind is RuleKind.RECORD:
        return shared | {"type": "recording"}
    return shared | {
        "state": _state(view, group),
        "duration": _seconds(rule.hold_ms),
        "keepFiringFor": _seconds(rule.keep_firing_ms),
        "annotations": _sorted(rule.annotations),
        "alerts": map(_alert, view.alerts) if with_alerts else None,
        "type": "alerting",
    }


def _canonical(expression: str) -> str:
    """An expression as it is printed; as it was written, if it was applied when other limits held."""
    try:
        return printer.canonical(parser.parse(expression))
    except InvalidExpression:
        return expression


def _selectors(select: str) -> Sequence[str]:
    """What a rule in SQL reads, as PromQL; nothing if a job of another build took the rule."""
    try:
        return parse_sql(select).queries
    except InvalidSql:
        return ()


def _state(view: RuleView, group: GroupView) -> str:
    if group.status is None:
        return "unknown"
    states = {alert.state for alert in view.alerts}
    return next((state for state in ("firing", "pending") if state in states), "inactive")


def _alert(alert: ActiveAlert) -> dict[str, Any]:
    kept = {"keepFiringSince": _time(alert.keep_since)} if alert.keep_since else {}
    return {
        "labels": _sorted(alert.labels),
        "annotations": _sorted(alert.annotations),
        "state": alert.state,
        "activeAt": _time(alert.active_at),
        **kept,
        "value": alert.value,
    }


def _flag(form: Form, name: str) -> bool:
    given = form.get(name).lower()
    if given not in (*_TRUE, *_FALSE):
        detail = f"error converting {name}: strconv.ParseBool: parsing {quoted(given)}: invalid syntax"
        raise invalid_parameter(name, detail)
    return given in _TRUE


def _group_limit(form: Form) -> int:
    given = form.get("group_limit")
    if not given:
        if form.get("group_next_token"):
            detail = "group_limit needs to be present in order to paginate over the groups"
            raise invalid_parameter("group_next_token", detail)
        return 0
    try:
        limit = integer(given, 32)
    except InvalidNumber as fault:
        detail = f"group_limit needs to be a valid number: strconv.ParseInt: parsing {quoted(given)}: {fault}"
        raise invalid_parameter("group_limit", detail) from None
    if limit <= 0:
        raise invalid_parameter("group_limit", "group_limit needs to be greater than 0")
    return limit


def _token(view: GroupView) -> str:
    return hashlib.sha256(f"{view.file};{view.group.name}".encode()).hexdigest()


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def _seconds(milliseconds: int) -> float:
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _time(milliseconds: int) -> str:
    """As Go writes it: UTC, without zeros at the end."""
    if not milliseconds:
        return _NEVER
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = milliseconds % 1000
    return f"{text}.{rest:03}".rstrip("0") + "Z" if rest else f"{text}Z"
