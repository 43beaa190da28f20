"""What a rule file says: groups of rules in Prometheus's format, and what this system adds to it.

groups:
  - name: interval: limit: query_offset: labels: rules:
      - record: expr: labels:
      - alert: expr: for: keep_firing_for: labels: annotations: and, beyond Prometheus, resolve: no_data:

A file of a rule in SQL is one SELECT, with a header in the comments above it: name: every: severity: no_data: and,
as above, for: keep_firing_for: labels: annotations:

All times in ms. Texts are as in the file: labels and annotations of alerts are templates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

FILE_KEYS = frozenset({"groups"})
GROUP_KEYS = frozenset({"name", "interval", "limit", "query_offset", "labels", "rules"})
RULE_KEYS = frozenset(
    {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "resolve", "no_data"}
)
SQL_KEYS = frozenset(
    {"name", "for", "keep_firing_for", "every", "no_data", "severity", "labels", "annotations"}
)
ALERT_ONLY_KEYS = ("for", "keep_firing_for", "annotations", "resolve", "no_data")
MIN_INTERVAL_MS = 1000
SEVERITIES = ("critical", "warning", "info", "page", "none")
"""What the label `severity` may be unless the configuration says otherwise."""


class RuleKind(StrEnum):
    """What a rule does with what its expression gives."""

    RECORD = "record"
    ALERT = "alert"


class NoData(StrEnum):
    """What an alert does while the series that it watches have no data.

    OK: nothing is wrong, as in Prometheus. KEEP: what was pending or firing stays so. ALERT: an alert that was
    pending or firing goes on as if it were true, and a rule that finds no series at all raises an alert.
    """

    OK = "ok"
    KEEP = "keep"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. name: of the series that it records, or of its alerts. line, column: where it stands in its file.

    expr: PromQL, or a SELECT. resolve: an expression; an alert that fires goes on until this gives a series whose
    labels its own has.
    """

    kind: RuleKind
    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    hold_ms: int = 0
    keep_firing_ms: int = 0
    resolve: str | None = None
    no_data: NoData = NoData.OK
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after another at the same ticks. limit: of series or alerts, 0 for none."""

    name: str
    rules: Sequence[Rule] = ()
    interval_ms: int | None = None
    limit: int = 0
    query_offset_ms: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The groups of one file."""

    groups: Sequence[Group] = ()
