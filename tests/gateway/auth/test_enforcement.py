"""Tenants see only their own series: nothing that can be asked shows another's."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.gateway.auth.enforcement import enforced, restricted
from streamgauge.gateway.request.parameters import Form
from streamgauge.gateway.request.principals import Principal
from streamgauge.promql.syntax import parser, printer
from streamgauge.promql.syntax.ast import VectorSelector, walk
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import selector
from tests.support.promql_expressions import expressions

OWN = selector('{tenant="a",stage!~"x|y"}')
MATCHES = [
    OWN,
    *(
        selector(text)
        for text in (
            '{__name__=~"node_.*"}',
            '{__name__!~"secret_.*",tenant="a"}',
            "up",
            '{__name__="up",a!=""}',
        )
    ),
]
"""What users may be let see, also by the metric name."""


@given(expressions, st.sampled_from(MATCHES))
def test_every_selector_has_the_matchers_and_nothing_else_changes(expr, matchers):
    before = [node for node in walk(expr) if isinstance(node, VectorSelector)]
    found = [node for node in walk(restricted(expr, matchers)) if isinstance(node, VectorSelector)]
    assert [set(node.conditions) for node in found] == [{*node.conditions, *matchers} for node in before]
    assert restricted(expr, ()) == expr


@given(expressions, st.sampled_from(MATCHES))
def test_the_text_that_is_evaluated_is_restricted_too(expr, matchers):
    text = printer.canonical(expr)
    asked = Form("", principal=Principal("a", matchers)).with_pairs([("query", text)])
    before = [node for node in walk(parser.parse(text)) if isinstance(node, VectorSelector)]
    # it can be read, and is not left as it was because it cannot
    found = [
        node for node in walk(parser.parse(enforced(asked).get("query"))) if isinstance(node, VectorSelector)
    ]
    assert [set(node.conditions) for node in found] == [{*node.conditions, *matchers} for node in before]


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
    form = enforced(Form(given, principal=Principal("a", OWN)))
    assert {name: form.get(name) for name in asked} == asked


@pytest.mark.parametrize(
    ("match", "query", "asked"),
    [
        ('{__name__=~"node_.*"}', "node_load1", '{__name__="node_load1",__name__=~"node_.*"}'),
        ('{__name__=~"node_.*"}', '{job="a"}', '{__name__=~"node_.*",job="a"}'),
        (
            '{__name__=~"node_.*"}',
            "rate(up[5m] offset 1m)",
            'rate({__name__="up",__name__=~"node_.*"}[5m] offset 1m)',
        ),
        ("up", "down", '{__name__="down",__name__="up"}'),
    ],
)
def test_a_user_may_be_let_see_metrics_by_their_names(match, query, asked):
    form = enforced(Form(f"query={quote(query)}", principal=Principal("a", selector(match))))
    assert form.get("query") == asked


SELECTORS = [
    "up",
    '{__name__="up"}',
    'up{__name__=~".+"}',
    'up{__name__="up"}',
    '{__name__=~".+",__name__="up"}',
    '{"up",__name__!=""}',
    '{"up","a"="b"}',
    "{}",
    '{a=~".*"}',
    "up # x",
    "up[5m]",
    "up offset 5m",
    "(up)",
    "sum(up)",
    "up{",
    "",
    "sum",
    "by{}",
    "bool",
]


@pytest.mark.parametrize("text", SELECTORS)
@pytest.mark.parametrize("matchers", MATCHES)
def test_a_selector_that_is_read_has_the_matchers_and_its_own(text, matchers):
    [asked] = enforced(Form(f"match[]={quote(text)}", principal=Principal("a", matchers))).all("match[]")
    try:
        own = selector(text)
    except InvalidExpression:
        # whoever reads it refuses it too
        with pytest.raises(InvalidExpression):
            selector(asked)
    else:
        assert set(selector(asked)) == {*own, *matchers}


def test_all_parameters_of_a_name_are_restricted():
    form = enforced(Form("match[]=up&match[]=down&match[]=", b"match[]=other", principal=Principal("a", OWN)))
    assert form.all("match[]") == [
        'other{stage!~"x|y",tenant="a"}',
        'up{stage!~"x|y",tenant="a"}',
        'down{stage!~"x|y",tenant="a"}',
        "",
    ]


def test_who_may_see_all_asks_as_they_ask():
    form = Form("query=up{ }&time=5")
    assert enforced(form) is form
