"""The messages of the topics alerts.triggered and alerts.state, version 1.

alerts.triggered: a change of one alert, or of a rule that began or ceased to fail. It is sent at once and at least
once; the same change has the same `id`, whoever computes it again. Key: the alert's fingerprint, or that of the rule's
name for a change of the rule itself; 16 hexadecimal digits.

alerts.state, compacted: what readers show. Key GROUP# for what is known of a group's rules, key GROUP#N for the
active alerts of its rule number N, from 0, none if there are none; GROUP is a key of alerts.rules.

Header of all: `format` (1). Values are JSON. Times are ms since the epoch, 0 for never, values of alerts are texts
as in Prometheus's API ("NaN" and "+Inf" among them).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from schemas.rule_messages import InvalidMessage, MessageFault

Content = TypeVar("Content")

FORMAT = 1
HEADERS = {"format": str(FORMAT)}


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


def state_key(group: str, number: int | None = None) -> str:
    """The key of what is known of a group, or of the active alerts of its rule with a number."""
    return f"{group}#{'' if number is None else number}"


def place_of(key: str) -> tuple[str, int | None]:
    """Group and number of the rule of a key of alerts.state; no number for a group's own.

    :raises InvalidMessage: for what is no such key.
    """
    group, mark, number = key.rpartition("#")
    if not mark or (number and not (number.isascii() and number.isdecimal())):
        raise InvalidMessage(MessageFault.MALFORMED, f"key {key!r}")
    return group, int(number) if number else None


def encode(content: Triggered | GroupStatus | Sequence[ActiveAlert]) -> bytes:
    """The value of a message; the same bytes for the same content."""
    if isinstance(content, Triggered | GroupStatus):
        return _json(asdict(content))
    return _json([asdict(alert) for alert in content])


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


def decode_alerts(value: bytes) -> list[ActiveAlert]:
    """The active alerts of a value.

    :raises InvalidMessage: for what is none.
    """
    return _decoded(value, lambda content: [ActiveAlert(**alert) for alert in content])


def _decoded(value: bytes, build: Callable[[Any], Content]) -> Content:
    try:
        return build(json.loads(value))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
