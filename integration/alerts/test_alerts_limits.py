"""Labels that rules make are held against the limits of every way in: nothing stops, and all others are stored."""

import httpx
import pytest
import yaml

from integration.support.alerting import every_change, series, state
from integration.support.stored import wait_for
from schemas.alert_messages import decode_status
from streamgauge.rules.machine.evaluation import ALERTS, FOR_STATE
from streamgauge.series.ids import split, to_bytes
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.reader import Reader
from streamgauge.store.session import connect
from tests.support.limit_cases import LIMITS, labels_of

RULES = """\
groups:
- name: {name}
  interval: 5s
  rules:
  - record: {name}:plain
    expr: {name}_pair
  - record: {name}:joined
    expr: label_join({name}_pair, "big", "-", "v", "v")
  - alert: Templated
    expr: {name}_pair > 0
    labels: {{big: "{{{{ $labels.v }}}}{{{{ $labels.v }}}}", v: ""}}
  - alert: Plain
    expr: {name}_pair > 0
"""
"""Of two series one beyond a limit."""

TEMPLATE = '{{ "" }}'
"""Makes nothing, and a template of what comes after it."""


def alerts_at_the_limits(name, way, shown):
    """Rules of alerts, and the series that they are to give. shown: how a label of a rule is written."""
    rules, expected, refused = [], set(), {}
    for number, (reason, size) in enumerate(sizes("metric_name_too_long")):
        alert = f"{way}{number}"
        given = {"job": name, "instance": "i", "alertname": alert}
        # an alert is held against the limits as it is stored with most labels
        stored = labels_of(reason, size, **given, __name__=FOR_STATE, alertstate="pending")
        own = {each: text for each, text in stored.items() if each not in (*given, "__name__", "alertstate")}
        labels = {each: shown(text) for each, text in own.items()}
        rules.append({"alert": alert, "expr": f"{name}_input > 0", "labels": labels})
        if size > LIMITS[reason]:
            refused[alert] = reason
        else:
            expected.add(canonical({**given, **own, "__name__": FOR_STATE}))
            expected.add(canonical({**given, **own, "__name__": ALERTS, "alertstate": "firing"}))
    return rules, expected, refused


def recorded_at_the_limits(name):
    """Rules that record, and the series that they are to give."""
    rules, expected, refused = [], set(), {}
    for number, (reason, size) in enumerate(sizes()):
        labels = labels_of(reason, size, job=name, instance="i", __name__=f"{name}:{number}")
        if reason == "metric_name_too_long":
            labels["__name__"] = "m" * size
        metric = labels["__name__"]
        own = {each: text for each, text in labels.items() if each not in ("__name__", "job", "instance")}
        rules.append({"record": metric, "expr": f"{name}_input", "labels": own})
        if size > LIMITS[reason]:
            refused[metric] = reason
        else:
            expected.add(canonical(labels))
    return rules, expected, refused


def sizes(*without):
    """Each limit, and sizes around it."""
    for reason, limit in LIMITS.items():
        if reason not in without:
            yield from ((reason, size) for size in (limit - 1, limit, limit + 1, 10 * limit))


def ways(name):
    """The groups of the ways by which rules make labels, the series they are to give, and why others are left out."""
    return {
        "labels": alerts_at_the_limits(name, "labels", str),
        "template": alerts_at_the_limits(name, "template", lambda text: TEMPLATE + text),
        "recorded": recorded_at_the_limits(name),
    }


def file_of(name):
    """The rule file of all ways, with a rule beside them in each group, and of the pair."""
    beside = {"record": f"{name}:beside", "expr": f"{name}_input"}
    groups = [
        {"name": way, "interval": "5s", "rules": [*own, {**beside, "labels": {"way": way}}]}
        for way, (own, _, _) in ways(name).items()
    ]
    return yaml.safe_dump({"groups": groups + yaml.safe_load(RULES.format(name=name))["groups"]})


def expected_of(name):
    """The series that are to be stored."""
    given = {"job": name, "instance": "i"}
    beside = [{**given, "__name__": f"{name}:beside", "way": way} for way in ways(name)]
    inputs = canonical({**given, "__name__": f"{name}_input"})
    return {inputs, *map(canonical, beside)}.union(*(expected for _, expected, _ in ways(name).values()))


def inputs_of(name):
    """Series for the rules to read."""
    size = LIMITS["label_value_too_long"] // 2
    return {
        series(f"{name}_input", job=name, instance="i"): 1.0,
        series(f"{name}_pair", host="large", v="v" * (size + 1)): 1.0,
        series(f"{name}_pair", host="small", v="v" * (size - 1)): 2.0,
    }


@pytest.mark.usefixtures("undisturbed")
def test_labels_of_rules_at_a_limit_are_stored_and_those_beyond_stop_nothing(
    stack, config, stream, rules, name
):
    stack.wait_ready({"gateway"})
    stream.idle()
    begin = stream.now
    rules.apply(name, file_of(name))
    stream.run(lambda _: inputs_of(name), 8)
    stream.idle()
    at, wanted = stream.now - 30_000, expected_of(name)
    session = connect(config.cassandra)
    try:
        reader = Reader(session, config.shards, config.storage_classes)
        wait_for(
            lambda: _stored(reader, name, begin, at) == wanted,
            60,
            lambda: _difference(_stored(reader, name, begin, at), wanted),
        )
    finally:
        session.cluster.shutdown()
    for query, hosts in (
        (f"count by (host) ({name}:plain)", {"large", "small"}),
        (f"count by (host) ({name}:joined)", {"small"}),
        ('count by (host) (ALERTS{alertname="Templated",host=~".+",big=~"v+"})', {"small"}),
        (
            f'count by (host) (ALERTS{{alertname="Plain",v=~"v+"}} and on (host) {name}:plain)',
            {"large", "small"},
        ),
    ):
        wait_for(
            lambda query=query, hosts=hosts: _hosts(config, query, at) == hosts,
            60,
            lambda query=query: query,
        )
    told = {(one.group, one.rule) for one in every_change(config, name)}
    for way, (own, _, refused) in ways(name).items():
        key = f"{name}/{way}"
        *health, beside = decode_status(state(config)[f"{key}#"]).rules
        assert not beside.last_error
        for rule, one in zip(own, health, strict=True):
            known = rule.get("alert") or rule["record"]
            reason = refused.get(known)
            words = f"1 of 1 series left out: {reason}: " if reason else ""
            assert one.last_error.startswith(words), known[:80]
            assert bool(one.last_error) == bool(reason), known[:80]
            assert ((key, known) in told) == ("alert" in rule and not reason), known[:80]


def _stored(reader, job, start, end):
    """The labels of the series of a job that have samples in these times (ms)."""
    selection = reader.select([Matcher("job", MatchOp.EQUAL, job)], start, end)
    there = set(split(to_bytes(reader.raw(selection, start, end).ids)))
    found = zip(split(to_bytes(selection.ids)), selection.labels, strict=True)
    return {data for identity, data in found if identity in there}


def _hosts(config, query, time):
    response = httpx.get(
        f"http://{config.gateway.listen}/api/v1/query", params={"query": query, "time": time / 1000}
    )
    return {one["metric"]["host"] for one in response.json()["data"]["result"]}


def _difference(found, wanted):
    missing, more = ([one[:150] for one in several][:9] for several in (wanted - found, found - wanted))
    return f"missing {missing}, more {more}"
