"""Changes of alerts in the format of Alertmanager's API v2. Pure: times are arguments."""

from collections.abc import Mapping
from typing import Any

from schemas.alert_messages import Triggered
from streamgauge.notify.entry import RESOLVED
from streamgauge.times import rfc3339

MISSED = 4
"""Resend delays after which a receiver resolves an alert that is no longer sent, as with Prometheus."""


def post(change: Triggered, now: int, resend_ms: int, external_labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the alert as JSON. A firing one ends some time after `now` unless it is resent.

    :param external_labels: are added where the alert has no label of that name. :param now, resend_ms: ms.
    """
    is_resolved = change.after == RESOLVED
    ends = change.ends_at if is_resolved else now + MISSED * max(change.interval_ms, resend_ms)
    own = {name: value for name, value in change.labels.items() if value}
    alert = {
        "labels": {**external_labels, **own},
        "annotations": dict(change.annotations),
        # an alert without a begin would begin when it arrives, and one that ends before it begins is refused
        "startsAt": rfc3339(min(change.starts_at or change.active_at or change.tick, ends)),
        "endsAt": rfc3339(ends),
    }
    return alert | ({"generatorURL": change.generator_url} if change.generator_url else {})


def title(change: Triggered) -> str:
    """The alert's name and labels, for people."""
    return named(change.rule, change.labels)


def named(alert: str, labels: Mapping[str, str]) -> str:
    """The name of an alert and its other labels, for people."""
    others = (f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "alertname")
    return f"{alert}{{{', '.join(others)}}}"
