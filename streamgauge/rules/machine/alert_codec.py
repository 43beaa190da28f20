"""The state of a rule's alerts as bytes: a version, then JSON; floats as hexadecimal, so that no digit is lost."""

import json
from enum import StrEnum
from typing import Any

from schemas.cut_texts import cut_all
from schemas.limits import MAX_ANNOTATIONS_BYTES
from streamgauge.rules.machine.alerts import Alert, AlertState, Labels, RuleState

VERSION = b"\x01"


class StateFault(StrEnum):
    """Why bytes were refused."""

    BAD_VERSION = "bad_version"
    MALFORMED = "malformed"


class InvalidState(ValueError):
    """Bytes that are no state.

    :param reason: the kind of fault, for counters. :param detail: what was found, for people.
    """

    def __init__(self, reason: StateFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def encode(state: RuleState) -> bytes:
    """The same bytes for the same state."""
    alerts = [_packed(state.alerts[labels]) for labels in sorted(state.alerts)]
    content = {"alerts": alerts, "error": state.error}
    return VERSION + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def decode(data: bytes) -> RuleState:
    """The state that `encode` wrote.

    :raises InvalidState: for anything else.
    """
    if data[:1] != VERSION:
        raise InvalidState(StateFault.BAD_VERSION, f"version {data[:1]!r}, this reads {VERSION!r}")
    try:
        content = json.loads(data[1:])
        alerts = [_unpacked(row) for row in content["alerts"]]
        return RuleState({alert.labels: alert for alert in alerts}, str(content["error"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidState(StateFault.MALFORMED, str(error)[:200]) from None


def _packed(alert: Alert) -> list[Any]:
    return [
        alert.labels,
        alert.annotations,
        alert.value.hex(),
        alert.series,
        alert.state.value,
        alert.active_at,
        alert.fired_at,
        alert.resolved_at,
        alert.keep_since,
    ]


def _unpacked(row: list[Any]) -> Alert:
    labels, annotations, value, series, state, *times = row
    return Alert(
        _labels(labels),
        # an earlier version kept them whole
        tuple(cut_all(dict(_labels(annotations)), MAX_ANNOTATIONS_BYTES).items()),
        float.fromhex(value),
        _labels(series),
        AlertState(state),
        *times,
    )


def _labels(pairs: list[list[str]]) -> Labels:
    return tuple((str(name), str(value)) for name, value in pairs)
