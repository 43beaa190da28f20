"""What a group's ticks say to the topics alerts.triggered and alerts.state. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote_plus

from schemas.alert_messages import ActiveAlert, RuleHealth, Triggered
from streamgauge.rules.alerts import Labels, RuleState, fingerprint
from streamgauge.rules.group_state import Change
from streamgauge.series.labels import NAME


@dataclass(frozen=True, slots=True)
class About:
    """What all changes of a group's tick share. group: its key. delay_ms: see Triggered. external_url: of the page."""

    group: str
    rule_set: str
    interval_ms: int
    delay_ms: int
    external_url: str


def key_of(change: Change) -> bytes:
    """The key of a change: the fingerprint of the alert, or that of the rule's name."""
    alert = change.transition.alert
    labels = alert.labels if alert else ((NAME, change.origin.name),)
    return f"{fingerprint(labels):016x}".encode()


def triggered(change: Change, about: About) -> Triggered:
    """A change as a message."""
    transition, alert = change.transition, change.transition.alert
    labels: Labels = alert.labels if alert else ()
    return Triggered(
        id=change.id,
        group=about.group,
        rule=change.origin.name,
        rule_set=about.rule_set,
        before=transition.before.value,
        after=transition.after.value,
        labels=dict(labels),
        annotations=dict(alert.annotations) if alert else {},
        value=value_text(alert.value) if alert else "",
        active_at=alert.active_at if alert else 0,
        starts_at=alert.fired_at if alert else 0,
        ends_at=alert.resolved_at if alert else 0,
        tick=transition.tick,
        delay_ms=about.delay_ms,
        interval_ms=about.interval_ms,
        generator_url=generator_url(about.external_url, change.origin.expr),
        detail=transition.detail,
    )


def generator_url(external_url: str, expr: str) -> str:
    """Where an expression is shown, in Prometheus's form."""
    return f"{external_url.rstrip('/')}/graph?g0.expr={quote_plus(expr)}&g0.tab=1"


def active_alerts(state: RuleState) -> list[ActiveAlert]:
    """The pending and firing alerts of a rule."""
    return [
        ActiveAlert(
            dict(alert.labels),
            dict(alert.annotations),
            alert.state.value,
            alert.active_at,
            value_text(alert.value),
            alert.fired_at,
            alert.keep_since or 0,
        )
        for alert in state.active
    ]


def health(errors: Sequence[str], series: Sequence[int], seconds: Sequence[float]) -> list[RuleHealth]:
    """How each rule of a group did at a tick."""
    return [
        RuleHealth("err" if error else "ok", error, round(cost, 6), count)
        for error, count, cost in zip(errors, series, seconds, strict=True)
    ]


def value_text(value: float) -> str:
    """A value as Prometheus shows that of an alert: 8.05e+01, NaN, +Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent) if value else 0
    return f"{'-' if sign else ''}{text[0]}{'.' if text[1:] else ''}{text[1:]}e{power:+03d}"
