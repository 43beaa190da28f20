"""The messages of a group's ticks for alerts.triggered and alerts.state. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from schemas.alert_messages import ActiveAlert, RuleHealth, Triggered
from schemas.cut_texts import cut
from schemas.limits import MAX_ERROR_BYTES, MAX_ERRORS_BYTES, MAX_URL_BYTES
from streamgauge.rules.machine.alerts import Labels, RuleState, fingerprint
from streamgauge.rules.machine.group_state import Change
from streamgauge.rules.templates.formatting import exponential
from streamgauge.series.labels import NAME

MIN_ERROR_BYTES = 64
"""Of an error that is told, however many rules fail."""
UNTOLD = "more errors than are shown"
NO_EXTERNAL_URL = (
    "alerts.external_url is not set: links in alerts are paths, /graph?..., which do not work elsewhere"
)
"""What who makes and who sends links says of them, once, when it starts."""


@dataclass(frozen=True, slots=True)
class About:
    """What all changes of a group's tick share. group: its key. delay_ms: see Triggered. external_url: of the page."""

    group: str
    rule_set: str
    interval_ms: int
    delay_ms: int
    external_url: str


def key_of(change: Change) -> str:
    """The key of a change: the fingerprint of the alert, or that of the rule's name."""
    alert = change.transition.alert
    labels = alert.labels if alert else ((NAME, change.origin.name),)
    return f"{fingerprint(labels):016x}"


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
        value=exponential(alert.value) if alert else "",
        active_at=alert.active_at if alert else 0,
        starts_at=alert.fired_at if alert else 0,
        ends_at=alert.resolved_at if alert else 0,
        tick=transition.tick,
        delay_ms=about.delay_ms,
        interval_ms=about.interval_ms,
        generator_url=generator_url(about.external_url, change.origin.queries),
        detail=transition.detail,
    )


def generator_url(external_url: str, queries: Sequence[str]) -> str:
    """Where queries are shown, each by itself, in Prometheus's form; the page alone for what no URL can hold."""
    page = f"{external_url.rstrip('/')}/graph"
    shown = [
        f"g{at}.expr={quote_plus(query, errors='replace')}&g{at}.tab=1" for at, query in enumerate(queries)
    ]
    url = f"{page}?{'&'.join(shown)}"
    return url if len(url) <= MAX_URL_BYTES else page


def active_alerts(state: RuleState) -> list[ActiveAlert]:
    """The pending and firing alerts of a rule."""
    return [
        ActiveAlert(
            dict(alert.labels),
            dict(alert.annotations),
            alert.state.value,
            alert.active_at,
            exponential(alert.value),
            alert.fired_at,
            alert.keep_since or 0,
        )
        for alert in state.active
    ]


def health(
    errors: Sequence[str], series: Sequence[int], seconds: Sequence[float], samples: Sequence[int]
) -> list[RuleHealth]:
    """How each rule of a group did at a tick; long errors are cut, and where very many fail, not all are told."""
    failed = [at for at, error in enumerate(errors) if error]
    most = max(MIN_ERROR_BYTES, min(MAX_ERROR_BYTES, MAX_ERRORS_BYTES // max(1, len(failed))))
    told = set(failed[: MAX_ERRORS_BYTES // most])
    texts = [cut(error, most) if at in told else UNTOLD if error else "" for at, error in enumerate(errors)]
    return [
        RuleHealth("err" if error else "ok", error, round(cost, 6), count, read)
        for error, count, cost, read in zip(texts, series, seconds, samples, strict=True)
    ]
