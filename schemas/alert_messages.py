"""The messages of the topics alerts.triggered and alerts.state, version 1.

alerts.triggered: a change of one alert, or of a rule that began or ceased to fail. It is sent at once and at least
once; the same change has the same `id`, whoever computes it again. Key: the alert's fingerprint, or that of the rule's
name for a change of the rule itself; 16 hexadecimal digits.

alerts.state, compacted: what readers show. Key GROUP# for what is known of a group's rules, key GROUP#N for the
active alerts of its rule number N, from 0, none if there are none; GROUP is a key of alerts.rules. Where one message
cannot hold the alerts, GROUP#N names their parts, and the parts are under the keys GROUP#N.P, P from 0. The parts that
changed come first, then the names: so a reader that has exactly the parts that are named has the alerts of one tick.

Header of all: `format` (1). Values are JSON. Times are ms since the epoch, 0 for never, values of alerts are texts
as in Prometheus's API ("NaN" and "+Inf" among them).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from schemas.rule_messages import InvalidMessage, MessageFault

Content = TypeVar("Content")

FORMAT = 1
HEADERS = {"format": str(FORMAT)}
_KEY = re.compile(r"(.*)#(?:(\d{1,9})(?:\.(\d{1,9}))?)?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Triggered:
    """A change. group, rule_set: key of the group, version of the rule set. rule: the alert's name.

    before, after: inactive, pending, firing, resolved or error, which is a state of the rule. labels, annotations,
    value: of the alert, empty for a change of the rule. active_at: since when its condition is fulfilled. starts_at,
    ends_at: since when it fires, and when that ended. tick: when it was found. delay_ms: by the clock, from the newest
    sample that could have decided to the message. detail: the error. interval_ms: of the group.
    """

    id: str
    group: str
    rule: str
    rule_set: str
    before: str
    after: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: str
    active_at: int
    starts_at: int
    ends_at: int
    tick: int
    delay_ms: int
    interval_ms: int
    generator_url: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RuleHealth:
    """How a rule does. health: ok, err or unknown. seconds: what its last evaluation took. series: that it gave.

    samples: that it looked at, of all shards.
    """

    health: str = "unknown"
    last_error: str = ""
    seconds: float = 0.0
    series: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How a group does. last_tick: the last that was evaluated. gap_ms: of time before it without any collector.

    state_bytes: of the samples that are kept for it. rules: in the order of the group. definition: the group as
    `rule_messages.encode_group` writes it, if no message of alerts.rules has it.
    """

    rule_set: str
    last_tick: int
    seconds: float
    gap_ms: int
    state_bytes: int
    rules: Sequence[RuleHealth]
    definition: str = ""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """A pending or firing alert. keep_since: since when it fires only by keep_firing_for or no_data, 0 if not."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    active_at: int
    value: str
    starts_at: int = 0
    keep_since: int = 0


@dataclass(frozen=True, slots=True)
class AlertParts:
    """Where the active alerts of a rule are. digests: of the values under the keys of the parts, "" for one of none."""

    digests: Sequence[str]


class StateKey(NamedTuple):
    """What a key of alerts.state is of. number: of the rule, None for the group's own. part: None for all parts."""

    group: str
    number: int | None = None
    part: int | None = None


def state_key(group: str, number: int | None = None, part: int | None = None) -> str:
    """The key of what is known of a group, of the active alerts of its rule with a number, or of a part of these."""
    return f"{group}#{'' if number is None else number}{'' if part is None else f'.{part}'}"


def parse_state_key(key: str) -> StateKey:
    """What a key of alerts.state is of.

    :raises InvalidMessage: for what is no such key.
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise InvalidMessage(MessageFault.MALFORMED, f"key {key[:200]!r}")
    group, number, part = found.groups()
    return StateKey(group, int(number) if number else None, int(part) if part else None)


def encode(content: Triggered | GroupStatus | AlertParts | Sequence[ActiveAlert]) -> bytes:
    """The value of a message; the same bytes for the same content."""
    if isinstance(content, GroupStatus):
        return _json({**fields_of(content), "rules": [fields_of(rule) for rule in content.rules]})
    if isinstance(content, Triggered | AlertParts):
        return _json(fields_of(content))
    return _json([fields_of(alert) for alert in content])


def fields_of(content: Triggered | GroupStatus | RuleHealth | AlertParts | ActiveAlert) -> dict[str, Any]:
    """Values by the names of their fields; asdict takes ten times as long, for it copies every label."""
    return {name: getattr(content, name) for name in content.__slots__}


def decode_triggered(value: bytes) -> Triggered:
    """The change of a value.

    :raises InvalidMessage: for what is none.
    """
    return _decoded(value, lambda content: Triggered(**content))


def decode_status(value: bytes) -> GroupStatus:
    """What a value says about a group.

    :raises InvalidMessage: for what says nothing of the kind.
    """
    return _decoded(
        value,
        lambda content: GroupStatus(
            **{**content, "rules": [RuleHealth(**rule) for rule in content["rules"]]}
        ),
    )


def decode_alerts(value: bytes) -> list[ActiveAlert] | AlertParts:
    """The active alerts of a value, or where they are.

    :raises InvalidMessage: for what is neither.
    """
    return _decoded(value, _alerts)


def _alerts(content: Any) -> list[ActiveAlert] | AlertParts:
    if isinstance(content, dict):
        return AlertParts([str(each) for each in content["digests"]])
    return [ActiveAlert(**alert) for alert in content]


def _decoded(value: bytes, build: Callable[[Any], Content]) -> Content:
    try:
        return build(json.loads(value))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        errors="replace"
    )
