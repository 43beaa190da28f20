"""Tenants see only their own series: nothing that can be asked shows another's."""

import pytest
from hypothesis import given
from promql_expressions import expressions

from streamgauge.gateway.askers import Asker
from streamgauge.gateway.enforcement import enforced, restricted
from streamgauge.gateway.parameters import Form
from streamgauge.promql import parser, printer
from streamgauge.promql.ast import VectorSelector
from streamgauge.promql.parser import selector
from streamgauge.promql.walk import walk

OWN = selector('{tenant="a",stage!~"x|y"}')


@given(expressions)
def test_every_selector_has_the_matchers_and_nothing_else_changes(expr):
    before = [node for node in walk(expr) if isinstance(node, VectorSelector)]
    found = [node for node in walk(restricted(expr, OWN)) if isinstance(node, VectorSelector)]
    assert [set(node.matchers) for node in found] == [{*node.matchers, *OWN} for node in before]
    assert restricted(expr, ()) == expr


@given(expressions)
def test_the_text_that_is_evaluated_is_restricted_too(expr):
    asked = Form("", asker=Asker("a", OWN)).with_pairs([("query", printer.canonical(expr))])
    again = parser.parse(enforced(asked).get("query"))
    for node in walk(again):
        if isinstance(node, VectorSelector):
            assert set(node.matchers) >= set(OWN)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("query=up", {"query": 'up{stage!~"x|y",tenant="a"}'}),
        ('query={tenant="b"}', {"query": '{stage!~"x|y",tenant="a",tenant="b"}'}),
        ("query=up[5m:]", {"query": 'up{stage!~"x|y",tenant="a"}[5m:]'}),
        ("query=1", {"query": "1"}),
        ("query=up{", {"query": "up{"}),
        ("match[]=up&match[]=down", {"match[]": 'up{stage!~"x|y",tenant="a"}'}),
        ("time=5", {"time": "5", "match[]": '{stage!~"x|y",tenant="a"}'}),
    ],
)
def test_what_is_asked_gets_the_matchers(given, asked):
    form = enforced(Form(given, asker=Asker("a", OWN)))
    assert {name: form.get(name) for name in asked} == asked


def test_all_parameters_of_a_name_are_restricted():
    form = enforced(Form("match[]=up&match[]=down&match[]=", b"match[]=other", asker=Asker("a", OWN)))
    assert form.all("match[]") == [
        'other{stage!~"x|y",tenant="a"}',
        'up{stage!~"x|y",tenant="a"}',
        'down{stage!~"x|y",tenant="a"}',
        "",
    ]


def test_who_may_see_all_asks_as_they_ask():
    form = Form("query=up{ }&time=5")
    assert enforced(form) is form
