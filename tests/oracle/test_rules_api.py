"""/api/v1/rules and /api/v1/alerts of our gateway and of real Prometheus, of the same rules in the same state."""

import time
from pathlib import Path

import pytest
import yaml

from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth, encode, state_key
from streamgauge.rules.applied.board import Board
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.rules.files.reader import read
from tests.oracle.prometheus_server import Prometheus
from tests.support.rules_client import KnownBoard, RulesClient

FILE = """\
groups:
- name: first
  interval: 1s
  limit: 7
  labels: {team: core}
  rules:
  - {record: "one:sum", expr: "sum( vector(1) )", labels: {kept: "yes"}}
  - alert: Fires
    expr: vector(1234567.25) > 0
    keep_firing_for: 90s
    labels: {severity: page, of: "{{ $value }}"}
    annotations: {summary: "it is {{ $value }}", about: x}
  - {alert: Waits, expr: "vector(0.5)", for: 1h, labels: {severity: info}}
  - {alert: Rests, expr: "vector(1) > 2", for: 1500ms}
- name: second
  interval: 1s
  rules:
  - alert: Fails
    expr: label_replace(vector(1), "a", "1", "", "") or label_replace(vector(1), "a", "2", "", "")
    labels: {a: same}
  - {record: "two", expr: "1"}
- name: third
  interval: 1h
  rules:
  - {alert: Fires, expr: "vector(NaN)", labels: {severity: none}}
- {name: empty, rules: []}
"""
PATHS = [
    "/api/v1/alerts",
    "/api/v1/rules",
    "/api/v1/rules?type=alert",
    "/api/v1/rules?type=RECORD",
    "/api/v1/rules?rule_name[]=Fires&rule_name[]=two",
    "/api/v1/rules?rule_group[]=second",
    "/api/v1/rules?rule_group[]=nothing",
    "/api/v1/rules?file[]=nothing",
    "/api/v1/rules?exclude_alerts=true",
    "/api/v1/rules?exclude_alerts=T&type=alert&rule_group[]=first",
    '/api/v1/rules?match[]={severity="page"}',
    '/api/v1/rules?match[]={severity=~"p.*"}&match[]={kept="yes"}',
    '/api/v1/rules?match[]={severity!="page",team="core"}',
    "/api/v1/rules?group_limit=1",
    "/api/v1/rules?group_limit=2",
    "/api/v1/rules?group_limit=3",
    "/api/v1/rules?group_limit=1&type=record&rule_name[]=two",
    "/api/v1/rules?type=other",
    "/api/v1/rules?exclude_alerts=perhaps",
    "/api/v1/rules?group_limit=0",
    "/api/v1/rules?group_limit=-1",
    "/api/v1/rules?group_limit=many",
    "/api/v1/rules?group_limit=99999999999",
    "/api/v1/rules?group_next_token=abc",
    "/api/v1/rules?group_limit=1&group_next_token=abc",
    "/api/v1/rules?match[]=up{",
    "/api/v1/rules?match[]=",
    "/api/v1/rules?match[]={}",
    '/api/v1/rules?match[]={severity=~".*"}',
    '/api/v1/rules?match[]={severity="page"}&match[]=',
    '/api/v1/rules?match[]=up{severity="page"}',
    *(f"/api/v1/rules?type={each}" for each in ("", "Alert", "alerts", "recording", "record ")),
    *(f"/api/v1/rules?exclude_alerts={each}" for each in ("", "1", "t", "TRUE", "tRue", "yes", "0", "F")),
    *(f"/api/v1/rules?group_limit={each}" for each in ("", "%2B1", "01", "0x1", "1_0", "1.0", "1e0")),
    *(f"/api/v1/rules?group_limit={each}" for each in ("9223372036854775807", "9223372036854775808")),
    *(f"/api/v1/rules?{each}" for each in ("rule_name[]=", "rule_group[]=", "file[]=", "group_next_token=")),
    "/api/v1/rules?group_limit=1&group_next_token=",
    "/api/v1/alerts?type=other",
]
TIMES = ("lastEvaluation", "activeAt", "evaluationTime", "groupNextToken")


@pytest.fixture(scope="module")
def both(oracle, tmp_path_factory):
    """Real Prometheus once all rules that are due have been evaluated, and ours told what it says."""
    folder = tmp_path_factory.mktemp("rules")
    file = folder / "web.yml"
    file.write_text(FILE)
    with Prometheus(oracle, folder, config=yaml.safe_dump({"rule_files": [str(file)]})) as prometheus:
        deadline = time.monotonic() + 30
        while not is_evaluated(said := prometheus.get("/api/v1/rules")[1]["data"]["groups"]):
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        yield prometheus, RulesClient(KnownBoard(told(file, said)), int(time.time() * 1000) + 120_000), file


def is_evaluated(groups) -> bool:
    return all(rule["health"] != "unknown" for group in groups[:2] for rule in group["rules"])


def told(file: Path, said) -> Board:
    """A board that has been told by a job what Prometheus says."""
    board = Board()
    groups = read(file).rules.groups
    planned = publication(RuleSets(), {file.stem: groups}, 1_000_000)
    for message in planned.messages:
        board.take_rules(message)
    for group in said:
        if group["name"] == "third":
            continue
        key = f"{file.stem}/{group['name']}"
        healths = []
        for number, rule in enumerate(group["rules"]):
            healths.append(RuleHealth(rule["health"], rule.get("lastError", ""), 0.25, 1))
            alerts = [
                ActiveAlert(one["labels"], one["annotations"], one["state"], 1_500_000, one["value"])
                for one in rule.get("alerts", [])
            ]
            board.take_state(state_key(key, number), encode(alerts))
        status = GroupStatus(planned.rules.version, 1_500_123, 0.5, 0, 0, healths)
        board.take_state(state_key(key), encode(status))
    return board


def compared(content, file: Path):
    """An answer without times; the file as ours names it."""
    if isinstance(content, dict):
        return {
            key: type(value).__name__.replace("int", "float") if key in TIMES else compared(value, file)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [compared(each, file) for each in content]
    return file.stem if content == str(file) else content


@pytest.mark.parametrize("path", PATHS)
def test_the_same_question_has_the_same_answer(both, path):
    prometheus, ours, file = both
    theirs = prometheus.get(path.replace(" ", "%20").replace('"', "%22"))
    found = ours.get(path)
    assert (found[0], compared(found[1], file)) == (theirs[0], compared(theirs[1], file))


def test_tokens_lead_through_all_groups(both):
    _, ours, _ = both
    token, names = "", []
    while True:
        found = ours.get(f"/api/v1/rules?group_limit=1&group_next_token={token}")[1]["data"]
        names += [group["name"] for group in found["groups"]]
        token = found.get("groupNextToken", "")
        if not token:
            break
    assert names == ["first", "second", "third"]


def test_times_are_written_as_by_prometheus(both):
    prometheus, ours, _ = both
    path = "/api/v1/rules?rule_group[]=third"
    times = [one.get(path)[1]["data"]["groups"][0]["lastEvaluation"] for one in (prometheus, ours)]
    assert times == ["0001-01-01T00:00:00Z"] * 2
    own = ours.get("/api/v1/rules?rule_group[]=first")[1]["data"]["groups"][0]
    assert own["lastEvaluation"] == "1970-01-01T00:25:00.123Z"
    assert ours.get("/api/v1/alerts")[1]["data"]["alerts"][0]["activeAt"] == "1970-01-01T00:25:00Z"
