"""Who may ask, and what tenants see: their own series, and nothing that tells of others'."""

import time

import cramjam
import pytest
import yaml

from schemas.alert_messages import ActiveAlert, GroupStatus, RuleHealth, encode, state_key
from schemas.protobuf import field, fields, varint
from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.api.collectors import Said
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.auth.secrets import PasswordHash, new_token, token_hash
from streamgauge.gateway.http.app import Gateway
from streamgauge.rules.applied.board import Board
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from streamgauge.rules.files.reader import read
from streamgauge.times import now_ms
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader
from tests.support.rules_client import KnownBoard

NOW_S = int(time.time())
DAY_S = 86_400
"""The lookback: the time of these tests is that at which they were collected, minutes before they run."""
SERIES = [
    ({"__name__": name, "tenant": tenant, "host": f"{tenant}-{name}"}, [(NOW_S * 1000 - 20_000, 1.0)])
    for name in ("up", "requests_total")
    for tenant in "ab"
] + [({"__name__": "secret", "tenant": "b"}, [(NOW_S * 1000 - 20_000, 2.0)])]
RULES = """\
groups:
- name: one
  rules:
  - {record: "a:sum", expr: "sum(up)", labels: {tenant: a}}
  - {record: "b:sum", expr: "sum(up)", labels: {tenant: b}}
  - {alert: Down, expr: "up == 0", labels: {severity: page}}
  - {alert: Slow, expr: "slow > 0", labels: {severity: page, tenant: b}}
"""


@pytest.fixture(scope="module")
def tenants(tmp_path_factory):
    """A gateway for a tenant, for one who may see all, and for a Grafana; and what they show."""
    folder = tmp_path_factory.mktemp("tenants")
    shown = {name: new_token() for name in ("tenant", "admin")}
    entries = {
        "tenant": {"tokens": [token_hash(shown["tenant"])], "match": '{tenant="a"}'},
        "admin": {"tokens": [token_hash(shown["admin"])], "password": PasswordHash.of("pass:word").text},
    }
    users = folder / "users.yml"
    users.write_text(yaml.safe_dump({"users": entries}))
    gateway = Gateway(Config(gateway=Settings(users_file=users, lookback_s=DAY_S)), MemoryReader(SERIES))
    gateway.rules = Rules(KnownBoard(_board(folder)), now_ms, 0)
    gateway.collectors._ask = _collectors
    return Client(gateway), {name: {"authorization": f"Bearer {token}"} for name, token in shown.items()}


def _board(folder):
    file = folder / "rules.yml"
    file.write_text(RULES)
    planned = publication(RuleSets(), {"rules": read(file).rules.groups}, 1_000_000)
    board = Board()
    for message in planned.messages:
        board.take_rules(message)
    alerts = [
        ActiveAlert({"alertname": "Down", "tenant": tenant, "severity": "page"}, {}, "firing", 1_500_000, "0")
        for tenant in "ab"
    ]
    board.take_state(state_key("rules/one", 2), encode(alerts))
    health = RuleHealth("ok", "", 0.25, 1)
    board.take_state(
        state_key("rules/one"), encode(GroupStatus(planned.rules.version, 1_500_000, 0, 0, 0, [health] * 4))
    )
    return board


def _collectors(path, *_):
    if path.endswith("targets/metadata"):
        entry = {"type": "counter", "help": "", "unit": ""}
        names = ("up", "secret", "requests")
        return Said(
            [[{"target": {"tenant": each}, "metric": name, **entry} for each in "ab" for name in names]], []
        )
    if path.endswith("metadata"):
        entry = [{"type": "counter", "help": "", "unit": ""}]
        return Said([{"requests": entry, "secret": entry, "up": entry}], [])
    targets = [{"scrapePool": f"pool-{each}", "scrapeUrl": each, "labels": {"tenant": each}} for each in "ab"]
    return Said([{"activeTargets": targets}], [])


def test_a_tenant_sees_the_own_series_only(tenants):
    client, shown = tenants

    def data(path, who="tenant", **parameters):
        found = client.get(f"/api/v1/{path}", params=parameters, headers=shown[who])
        assert found.status_code == 200, found.text
        return found.json()["data"]

    assert len(data("query", "admin", query="up")["result"]) == 2
    assert [one["metric"]["tenant"] for one in data("query", query="up")["result"]] == ["a"]
    assert data("query", query='up{tenant="b"}')["result"] == []
    assert data("query", query='sum({tenant=~".+"})')["result"][0]["value"][1] == "2"
    steps = {"start": NOW_S - 60, "end": NOW_S, "step": 10}
    assert len(data("query_range", query="up", **steps)["result"]) == 1
    assert data("query_cost", query='{__name__=~".+"}')["estimate"]["seriesTouched"] == 2
    assert [one["tenant"] for one in data("series", **{"match[]": ["secret", "up"]})] == ["a"]
    assert data("labels") == ["__name__", "host", "tenant"]
    assert data("label/__name__/values") == ["requests_total", "up"]
    assert data("label/host/values", **{"match[]": 'up{tenant=~".*"}'}) == ["a-up"]
    assert data("label/tenant/values", **{"match[]": "secret"}) == []
    twice = {"match[]": 'up{__name__=~".+"}'}
    assert [one["tenant"] for one in data("series", **twice)] == ["a"]
    assert data("label/host/values", **twice) == ["a-up"]
    assert data("labels", **twice) == ["__name__", "host", "tenant"]
    assert list(data("metadata", **twice)) == ["up"]
    page = client.get("/federate", params=twice, headers=shown["tenant"]).text
    assert 'tenant="a"' in page
    assert 'tenant="b"' not in page
    assert list(data("metadata")) == ["requests", "up"]
    assert list(data("metadata", "admin")) == ["requests", "secret", "up"]
    assert [one["labels"] for one in data("targets")["activeTargets"]] == [{"tenant": "a"}]
    own = [({"tenant": "a"}, "up"), ({"tenant": "a"}, "requests")]
    assert [(one["target"], one["metric"]) for one in data("targets/metadata")] == own
    wide = data("targets/metadata", match_target='{tenant=~".+"}')
    assert [(one["target"], one["metric"]) for one in wide] == own
    assert len(data("targets/metadata", "admin")) == 6
    assert data("targets/metadata", match_target='{tenant="b"}') == []
    assert data("scrape_pools") == {"scrapePools": ["pool-a"]}
    counted = data("status/tsdb")
    assert counted["headStats"]["numSeries"] == 2
    assert data("status/tsdb", "admin")["headStats"]["numSeries"] == 5
    assert [one["labels"]["tenant"] for one in data("alerts")["alerts"]] == ["a"]
    assert len(data("alerts", "admin")["alerts"]) == 2
    rules = data("rules")["groups"][0]["rules"]
    assert [(rule["name"], len(rule.get("alerts", []))) for rule in rules] == [("a:sum", 0), ("Down", 1)]
    assert len(data("rules", "admin")["groups"][0]["rules"]) == 4
    assert data("rules", **{"match[]": '{tenant="b"}'})["groups"] == []
    assert data("format_query", query="up") == "up"
    assert data("parse_query", query="up")["matchers"][0]["name"] == "__name__"


def test_a_tenant_federates_and_reads_the_own_series_only(tenants):
    client, shown = tenants
    for match in ('?match[]={__name__=~".%2B"}', "", '?match[]=up&match[]={tenant="b"}'):
        text = client.get(f"/federate{match}", headers=shown["tenant"]).text
        assert 'tenant="a"' in text
        assert 'tenant="b"' not in text
    every = field(3, b"\x08" + varint(2) + field(2, b"__name__") + field(3, b".+"))
    asked = field(1, b"\x08" + varint(0) + b"\x10" + varint(NOW_S * 1000) + every)
    found = client.request(
        "POST", "/api/v1/read", content=bytes(cramjam.snappy.compress_raw(asked)), headers=shown["tenant"]
    )
    content = bytes(cramjam.snappy.decompress_raw(found.content))
    assert len(list(fields(next(fields(content))[1]))) == 2
    assert b"secret" not in content


@pytest.mark.parametrize(
    ("match", "seen"),
    [
        ("requests_total", {"requests_total"}),
        ('{__name__=~"req.*"}', {"requests_total"}),
        ('{__name__=~".+",__name__!~"secret|up"}', {"requests_total"}),
        ('up{tenant="a"}', {"up"}),
    ],
)
def test_a_match_on_names_holds_for_queries_that_name_a_metric_and_that_do_not(tmp_path, match, seen):
    token = new_token()
    users = tmp_path / "users.yml"
    users.write_text(yaml.safe_dump({"users": {"x": {"tokens": [token_hash(token)], "match": match}}}))
    gateway = Gateway(Config(gateway=Settings(users_file=users, lookback_s=DAY_S)), MemoryReader(SERIES))
    gateway.rules = Rules(KnownBoard(_board(tmp_path)), now_ms, 0)
    gateway.collectors._ask = _collectors
    client = Client(gateway)

    def data(path, **parameters):
        found = client.get(f"/api/v1/{path}", params=parameters, headers={"authorization": f"Bearer {token}"})
        assert found.status_code == 200, found.text
        return found.json()["data"]

    def names(query):
        return {one["metric"]["__name__"] for one in data("query", query=query)["result"]}

    everything = {"requests_total", "secret", "up"}
    assert names('{__name__=~".+"}') == names('{tenant=~".+"}') == seen
    for metric in everything:
        expected = seen & {metric}
        assert names(metric) == names(f'{{"{metric}"}}') == names(f'{metric}{{tenant="a"}}') == expected
        assert {one["__name__"] for one in data("series", **{"match[]": metric})} == expected
        queried = data("query", query=f"sum(count_over_time({metric}[1d]))")["result"]
        assert len(queried) == len(expected)
    assert set(data("label/__name__/values")) == seen
    # a target is shown to who may see its `up`, an alert to who may see its ALERTS
    targets = [one["labels"]["tenant"] for one in data("targets")["activeTargets"]]
    assert targets == (["a"] if "up" in seen else [])
    assert len(data("alerts")["alerts"]) == (2 if match.startswith('{__name__=~".+"') else 0)


@pytest.mark.parametrize("path", ["status/config", "status/flags", "status/runtimeinfo", "alertmanagers"])
def test_what_is_about_all_is_not_for_a_tenant(tenants, path):
    client, shown = tenants
    refused = client.get(f"/api/v1/{path}", headers=shown["tenant"])
    assert (refused.status_code, refused.json()["errorType"]) == (403, "forbidden")
    assert client.get(f"/api/v1/{path}", headers=shown["admin"]).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer nothing",
        "Basic !",
        "Basic YWRtaW4=",
        "Basic YWRtaW46d3Jvbmc=",
        "Basic /w==",
        "Digest x",
        "Bearer a b",
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/v1/query?query=1", "/api/v1/nothing", "/federate", "/", "/api/v1/read"]
)
def test_who_does_not_show_who_they_are_sees_nothing(tenants, path, header):
    refused = tenants[0].get(path, headers={"authorization": header} if header else {})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")
    if path.startswith("/api/"):
        assert refused.json()["errorType"] == "unauthorized"


def test_a_password_is_as_good_as_a_token(tenants):
    # admin:pass:word
    found = tenants[0].get("/api/v1/query?query=1", headers={"authorization": "basic YWRtaW46cGFzczp3b3Jk"})
    assert found.status_code == 200


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/metrics"])
def test_those_who_watch_over_it_need_to_show_nothing(tenants, path):
    assert tenants[0].get(path).status_code == 200
