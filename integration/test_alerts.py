"""Rules on the stream, on the real stack."""

from integration.alerting import STEP_MS, await_changes, expected, rules, series, stream

__all__ = ["rules", "stream"]

THRESHOLD = """\
groups:
- name: {name}
  interval: 5s
  rules:
  - alert: Hot
    expr: {name}_temperature > 80
    labels: {{severity: page, room: "{{{{ $labels.room }}}}"}}
    annotations: {{summary: "{{{{ $value }}}} in {{{{ $labels.room }}}}"}}
  - alert: HotForLong
    expr: avg by (room) ({name}_temperature) > 80
    for: 20s
"""


def heat(name, number):
    """Ten series in three rooms, which are hot at different times."""
    return {
        series(f"{name}_temperature", room=f"r{host % 3}", host=f"h{host}"): 70.0
        + 20.0 * ((number // 6 + host % 3) % 3 == 1)
        + host
        for host in range(10)
    }


def test_alerts_are_raised_and_resolved_at_their_ticks(config, stream, rules):
    name = "simple"
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    for number in range(60):
        stream.step(heat(name, number), 0.02)
    stream.idle()
    key = f"{name}/{name}"
    wanted = expected(stream, rules, key, first, stream.now - 2 * STEP_MS)
    assert len(wanted) > 20
    found = await_changes(config, key, set(wanted))
    for one in found.values():
        change = wanted[one.id].transition
        assert (dict(change.alert.labels), dict(change.alert.annotations)) == (one.labels, one.annotations)
        assert (change.tick, change.before.value, change.after.value) == (one.tick, one.before, one.after)
        assert one.delay_ms > 0
