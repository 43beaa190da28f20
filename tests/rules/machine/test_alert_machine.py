"""The state machine of alerts, tests named by the path that an alert takes. A tick is a minute."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rule_files import NoData
from streamgauge.rules.machine import alert_codec
from streamgauge.rules.machine.alert_codec import InvalidState, StateFault
from streamgauge.rules.machine.alerts import (
    Alert,
    AlertState,
    Failure,
    Observed,
    Result,
    RuleState,
    Terms,
    Transition,
    fingerprint,
    step,
)

MINUTE = 60_000
A, B = (("host", "a"),), (("host", "b"),)


def observed(series=A, value=1.0, note="") -> Observed:
    return Observed((("alertname", "X"), *series), (("note", note),), value, series)


TRUE = Result([observed()])
FALSE = Result(known=frozenset([A]))
GONE = Result(known=frozenset())
COLD = Result(resolving=[A], known=frozenset([A]))
ERROR = Failure("no store")
WORDS = {"true": TRUE, "false": FALSE, "gone": GONE, "cold": COLD, "error": ERROR}


def path(terms: Terms, ticks: str) -> str:
    """What happens to the alert and its rule, tick by tick, minutes apart; a dot is a tick without a change."""
    state, steps = RuleState(), []
    for number, word in enumerate(ticks.split()):
        state, transitions = step(terms, state, number * MINUTE, WORDS[word])
        steps.append("+".join(change.after.value for change in transitions) or ".")
    return " ".join(steps)


@pytest.mark.parametrize(
    ("terms", "ticks", "expected"),
    [
        pytest.param(Terms(), "true true", "firing .", id="inactive=>firing"),
        pytest.param(
            Terms(2 * MINUTE),
            "true true true false",
            "pending . firing resolved",
            id="inactive=>pending=>firing=>resolved",
        ),
        pytest.param(
            Terms(2 * MINUTE),
            "true true false true",
            "pending . inactive pending",
            id="pending=>inactive=>pending",
        ),
        pytest.param(Terms(), "true false true", "firing resolved firing", id="firing=>resolved=>firing"),
        pytest.param(
            Terms(MINUTE),
            "true true false true true",
            "pending firing resolved pending firing",
            id="resolved=>pending=>firing",
        ),
        pytest.param(Terms(), "true gone", "firing resolved", id="firing=>no-data=>ok"),
        pytest.param(Terms(MINUTE), "true gone", "pending inactive", id="pending=>no-data=>ok"),
        pytest.param(
            Terms(keep_firing_ms=2 * MINUTE),
            "true false false false",
            "firing . . resolved",
            id="firing=>kept=>resolved",
        ),
        pytest.param(
            Terms(keep_firing_ms=2 * MINUTE),
            "true false false true false false false",
            "firing . . . . . resolved",
            id="firing=>kept=>firing=>kept=>resolved",
        ),
        pytest.param(
            Terms(MINUTE, keep_firing_ms=MINUTE), "true false", "pending inactive", id="pending is not kept"
        ),
        pytest.param(
            Terms(has_resolve=True),
            "true false false cold",
            "firing . . resolved",
            id="firing=>hysteresis=>resolved",
        ),
        pytest.param(
            Terms(has_resolve=True),
            "true false true cold",
            "firing . . resolved",
            id="firing=>hysteresis=>firing=>resolved",
        ),
        pytest.param(
            Terms(has_resolve=True), "true gone", "firing resolved", id="hysteresis=>no-data=>resolved"
        ),
        pytest.param(
            Terms(keep_firing_ms=2 * MINUTE, has_resolve=True),
            "true cold cold cold",
            "firing . . resolved",
            id="hysteresis and keep_firing_for both hold",
        ),
        pytest.param(
            Terms(no_data=NoData.KEEP),
            "true gone gone gone false",
            "firing . . . resolved",
            id="firing=>no-data=>keep=>resolved",
        ),
        pytest.param(
            Terms(2 * MINUTE, no_data=NoData.KEEP),
            "true gone gone gone true",
            "pending . . . firing",
            id="pending=>no-data=>keep=>firing",
        ),
        pytest.param(
            Terms(2 * MINUTE, no_data=NoData.ALERT),
            "true gone gone",
            "pending . firing",
            id="pending=>no-data=>alert=>firing",
        ),
        pytest.param(
            Terms(no_data=NoData.ALERT),
            "true gone gone false",
            "firing . . resolved",
            id="firing=>no-data=>alert",
        ),
        pytest.param(Terms(), "true error error true", "firing error . inactive", id="firing=>error=>firing"),
        pytest.param(
            Terms(),
            "true error false",
            "firing error inactive+resolved",
            id="an error never resolves, what follows may",
        ),
        pytest.param(
            Terms(2 * MINUTE), "true error true", "pending error inactive+firing", id="pending=>error=>firing"
        ),
        pytest.param(Terms(), "error", "error", id="inactive=>error"),
    ],
)
def test_path(terms, ticks, expected):
    assert path(terms, ticks) == expected


def test_a_rule_that_finds_no_data_at_all_raises_an_alert_of_its_own():
    missing = observed((), math.nan)
    terms = Terms(MINUTE, no_data=NoData.ALERT)
    nothing = Result(known=frozenset(), missing=missing)
    state, transitions = step(terms, RuleState(), 0, nothing)
    assert [(one.after, one.alert.labels) for one in transitions] == [(AlertState.PENDING, missing.labels)]
    state, transitions = step(terms, state, MINUTE, nothing)
    assert [one.after for one in transitions] == [AlertState.FIRING]
    _, transitions = step(terms, state, 2 * MINUTE, Result(known=frozenset([A]), missing=missing))
    assert [one.after for one in transitions] == [AlertState.RESOLVED]


def test_firing_becomes_pending_again_when_for_has_grown():
    state, _ = step(Terms(), RuleState(), 0, TRUE)
    _, transitions = step(Terms(5 * MINUTE), state, MINUTE, TRUE)
    assert [(one.before, one.after) for one in transitions] == [(AlertState.FIRING, AlertState.PENDING)]


def test_a_resolved_alert_is_remembered_for_a_quarter_of_an_hour():
    state, _ = step(Terms(), RuleState(), 0, TRUE)
    state, _ = step(Terms(), state, MINUTE, FALSE)
    state, _ = step(Terms(), state, 16 * MINUTE, FALSE)
    assert [alert.resolved_at for alert in state.alerts.values()] == [MINUTE]
    state, transitions = step(Terms(), state, 16 * MINUTE + 1, FALSE)
    assert (dict(state.alerts), transitions) == ({}, [])


def test_value_and_annotations_follow_the_series_but_the_start_does_not():
    state, _ = step(Terms(), RuleState(), 0, Result([observed(value=1.0, note="one")]))
    state, transitions = step(Terms(), state, MINUTE, Result([observed(value=2.0, note="two")]))
    [alert] = state.active
    assert transitions == []
    assert (alert.value, alert.annotations, alert.active_at) == (2.0, (("note", "two"),), 0)


def test_hysteresis_compares_the_labels_that_resolve_has():
    terms = Terms(has_resolve=True)
    series = (("host", "a"), ("job", "x"))
    state, _ = step(terms, RuleState(), 0, Result([observed(series)], known=frozenset([series])))
    seen = frozenset([series])
    for resolving, count in (
        ([B], 0),
        ([(("host", "a"), ("job", "y"))], 0),
        ([(("job", "x"),)], 1),
        ([()], 1),
    ):
        _, transitions = step(terms, state, MINUTE, Result(resolving=resolving, known=seen))
        assert len(transitions) == count


def test_too_many_alerts_or_two_alike_are_an_error_and_resolve_nothing():
    state, _ = step(Terms(limit=1), RuleState(), 0, TRUE)
    two = Result([observed(), observed(B)])
    state, transitions = step(Terms(limit=1), state, MINUTE, two)
    assert [(one.after, one.detail) for one in transitions] == [
        (AlertState.ERROR, "exceeded limit of 1 with 2 alerts")
    ]
    assert len(state.active) == 1
    state, _ = step(Terms(), state, MINUTE, Result([observed(), observed()]))
    assert "same labelset" in state.error
    assert len(state.active) == 1


def test_a_transition_has_the_same_id_whenever_it_is_computed():
    ids = {step(Terms(), RuleState(), MINUTE, TRUE)[1][0].id for _ in range(2)}
    assert ids == {f"{fingerprint(observed().labels):016x}-60000-firing"}
    assert Transition(0, AlertState.INACTIVE, AlertState.ERROR).id.endswith("-0-error")


@dataclass
class Model:
    """Prometheus's rules for one alert, written down plainly."""

    hold: int
    keep: int
    state: str = "inactive"
    since: int = 0
    untrue_since: int | None = None
    changes: list[str] = field(default_factory=list)

    def tick(self, now: int, true: bool) -> None:
        before = self.state
        if true:
            self.untrue_since = None
            if self.state in ("inactive", "resolved"):
                self.state, self.since = "pending", now
            if self.state == "pending" and now - self.since >= self.hold:
                self.state = "firing"
        elif self.state == "pending":
            self.state = "inactive"
        elif self.state == "firing":
            self.untrue_since = now if self.untrue_since is None else self.untrue_since
            if now - self.untrue_since >= self.keep:
                self.state = "resolved"
        if self.state != before:
            self.changes.append(f"{now}:{self.state}")


@given(st.integers(0, 5), st.integers(0, 5), st.lists(st.sampled_from("TFE"), max_size=40))
def test_it_does_what_a_plain_model_does(hold, keep, ticks):
    model, state, changes = Model(hold, keep), RuleState(), []
    for now, tick in enumerate(ticks):
        result = {"T": Result([observed()]), "F": Result(), "E": ERROR}[tick]
        state, transitions = step(Terms(hold, keep), state, now, result)
        state = alert_codec.decode(alert_codec.encode(state))
        changes += [f"{now}:{one.after.value}" for one in transitions if one.alert]
        if tick != "E":
            model.tick(now, tick == "T")
    assert changes == model.changes


LABELS = st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), max_size=3).map(
    lambda labels: tuple(sorted(labels.items()))
)
TIMES = st.integers(0, 2**53)
ALERTS = st.builds(
    Alert,
    LABELS,
    LABELS,
    st.floats(allow_nan=False),
    LABELS,
    st.sampled_from(AlertState),
    TIMES,
    TIMES,
    TIMES,
    st.none() | TIMES,
)


@given(st.lists(ALERTS, max_size=3, unique_by=lambda alert: alert.labels), st.text(max_size=5))
def test_a_state_survives_its_bytes(alerts, error):
    state = RuleState({alert.labels: alert for alert in alerts}, error)
    assert alert_codec.decode(alert_codec.encode(state)) == state


def test_the_bytes_of_version_1_can_be_read(golden):
    state, _ = step(Terms(), RuleState(), 0, Result([observed(value=0.1), observed(B, math.inf)]))
    state, _ = step(Terms(), state, MINUTE, Result([observed(value=0.1, note="é")]))
    stored = golden("alert-state-v1.bin", alert_codec.encode(state))
    assert alert_codec.encode(state) == stored
    assert alert_codec.decode(stored) == state


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", StateFault.BAD_VERSION),
        (b"\x02{}", StateFault.BAD_VERSION),
        (b"\x01{", StateFault.MALFORMED),
        (b"\x01\xff", StateFault.MALFORMED),
        (b"\x01[]", StateFault.MALFORMED),
        (b'\x01{"alerts":[[]],"error":""}', StateFault.MALFORMED),
    ],
)
def test_bytes_that_are_no_state_are_refused(data, reason):
    with pytest.raises(InvalidState) as refusal:
        alert_codec.decode(data)
    assert refusal.value.reason is reason
