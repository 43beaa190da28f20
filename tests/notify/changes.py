"""Changes of alerts for tests."""

from schemas.alert_messages import Triggered

GROUP = "hosts/up"


def change(tick, after, name="a", *, before="", starts_at=None, **more) -> Triggered:
    """A change of an alert; the same arguments give the same id."""
    fields = {
        "group": GROUP,
        "rule": "Down",
        "rule_set": "1",
        "annotations": {"summary": f"{name} is down"},
        "value": "0",
        "active_at": tick,
        "delay_ms": 0,
        "interval_ms": 1000,
    } | more
    labels = {"alertname": "Down", "instance": name}
    starts = tick if starts_at is None else starts_at
    ends = tick if after == "resolved" else 0
    return Triggered(
        id=f"{name}-{tick}-{after}",
        before=before,
        after=after,
        labels=fields.pop("labels", labels),
        starts_at=starts,
        ends_at=ends,
        tick=tick,
        **fields,
    )
