"""Rules and alerts at the gateway while Kafka is away; tests/oracle/test_rules_api.py has the answers."""

import pytest

from schemas.alert_messages import AlertParts, GroupStatus, RuleHealth, encode, state_key
from schemas.rule_files import Group, Rule, RuleKind
from schemas.rule_messages import encode_group
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.applied.board import Board
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from tests.support.rules_client import KnownBoard, RulesClient


def test_what_is_known_is_shown_with_a_warning_while_kafka_is_away():
    client = RulesClient(KnownBoard(Board(), "all brokers are down"), 0)
    assert client.get("/api/v1/alerts") == (
        200,
        {
            "status": "success",
            "data": {"alerts": []},
            "warnings": ["rules and alerts may be out of date: Kafka: all brokers are down"],
        },
    )
    assert client.get("/api/v1/rules")[1]["data"] == {"groups": []}


def test_alerts_of_which_a_part_is_missing_are_shown_with_a_warning():
    board, sets = Board(), RuleSets()
    rule = Rule(RuleKind.ALERT, "Down", "up == 0")
    planned = publication(sets, {"web": [Group("hosts", [rule])]}, 0)
    for message in planned.messages:
        board.take_rules(message)
    status = GroupStatus(planned.rules.version, 1000, 0.5, 0, 0, [RuleHealth("ok")])
    board.take_state(state_key("web/hosts"), encode(status))
    board.take_state(state_key("web/hosts", 0), encode(AlertParts(["ab", ""])))
    client = RulesClient(KnownBoard(board), 100_000)
    for path in ("alerts", "rules"):
        code, answer = client.get(f"/api/v1/{path}")
        assert code == 200
        assert answer["warnings"] == ["alerts of web/hosts may be out of date: parts of them are missing"]


def groups_of(board, query=""):
    code, answer = RulesClient(KnownBoard(board), 100_000).get(f"/api/v1/rules{query}")
    assert code == 200
    return answer["data"]["groups"]


def test_the_file_of_a_group_names_its_namespace():
    board, rule = Board(), Rule(RuleKind.ALERT, "Down", "up == 0")
    files = {file: [Group("hosts", [rule])] for file in ("web", "shop/web", "mill/web")}
    for message in publication(RuleSets(), files, 0).messages:
        board.take_rules(message)
    assert [group["file"] for group in groups_of(board)] == ["mill/web", "shop/web", "web"]
    assert [group["file"] for group in groups_of(board, "?file[]=shop/web")] == ["shop/web"]
    first = RulesClient(KnownBoard(board), 100_000).get("/api/v1/rules?group_limit=1")[1]["data"]
    token = first["groupNextToken"]
    rest = groups_of(board, f"?group_limit=2&group_next_token={token}")
    assert [group["file"] for group in rest] == ["shop/web", "web"]


SELECTS = {
    """SELECT ts, a.`value` FROM samples('errors', 'job="a b"') a JOIN samples('errors', 'job="a b"') b
       ON a.ts = b.ts JOIN samples('requests') c ON b.ts = c.ts""": ['errors{job="a b"}', "requests"],
    "SELECT of a build that has another samples()": [],
}


@pytest.mark.parametrize("select", SELECTS)
def test_a_rule_in_sql_has_the_queries_of_what_it_reads(select):
    board = Board()
    definition = encode_group(Group("Slow", [Rule(RuleKind.ALERT, "Slow", select)], 10_000)).decode()
    status = GroupStatus("v", 100_000, 0.5, 0, 0, [RuleHealth("ok")], definition)
    board.take_state(state_key("/sql/Slow"), encode(status))
    [group] = groups_of(board)
    [rule] = group["rules"]
    assert (group["file"], rule["query"], rule["samples"]) == ("sql", select, SELECTS[select])
    for query in rule["samples"]:
        parse(query)


def test_a_rule_in_promql_has_none():
    board = Board()
    for message in publication(
        RuleSets(), {"sql": [Group("g", [Rule(RuleKind.RECORD, "a", "b")])]}, 0
    ).messages:
        board.take_rules(message)
    [group] = groups_of(board)
    assert (group["file"], "samples" in group["rules"][0]) == ("sql", False)


def test_what_was_never_read_is_unavailable():
    for path in ("rules", "alerts"):
        code, answer = RulesClient(KnownBoard(Board(), is_read=False), 0).get(f"/api/v1/{path}")
        assert (code, answer["errorType"]) == (503, "unavailable")
        assert answer["error"] == "rules and alerts are not known yet: Kafka: not read in time"


def test_a_bad_parameter_is_refused_whatever_kafka_does():
    code, answer = RulesClient(KnownBoard(Board(), is_read=False), 0).get("/api/v1/rules?type=x")
    assert (code, answer["error"]) == (400, 'invalid parameter "type": not supported value "x"')
