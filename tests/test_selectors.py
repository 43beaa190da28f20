import pytest

from streamgauge.promql.selectors import ExpressionFault, InvalidExpression, parse


def _matchers(text):
    return {(matcher.name, matcher.op.value, matcher.value) for matcher in parse(text).matchers}


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("up", {("__name__", "=", "up")}),
        ('{__name__="up"}', {("__name__", "=", "up")}),
        ('{"my.metric", "a.b"="c"}', {("__name__", "=", "my.metric"), ("a.b", "=", "c")}),
        (
            'up{a="1",b!="2",c=~"3",d!~"4"}',
            {("__name__", "=", "up"), ("a", "=", "1"), ("b", "!=", "2"), ("c", "=~", "3"), ("d", "!~", "4")},
        ),
        ("((up))", {("__name__", "=", "up")}),
        ('up{a="(((#"} # ((', {("__name__", "=", "up"), ("a", "=", "(((#")}),
    ],
)
def test_a_selector_has_the_matchers_that_it_names(text, matchers):
    assert _matchers(text) == matchers


@pytest.mark.parametrize(
    ("text", "range_ms", "offset_ms"),
    [
        ("up", None, 0),
        ("up[5m]", 300_000, 0),
        ("up offset 1h30m", None, 5_400_000),
        ("up offset -1500ms", None, -1500),
        ("up[1500ms] offset 1d", 1500, 86_400_000),
        ("(up[90])", 90_000, 0),
    ],
)
def test_ranges_and_offsets_are_milliseconds(text, range_ms, offset_ms):
    selector = parse(text)
    assert (selector.range_ms, selector.offset_ms) == (range_ms, offset_ms)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sum(up)", "aggregation"),
        ("rate(up[5m])", "function call"),
        ("up + up", "binary expression"),
        ("-up", "unary expression"),
        ("up[5m:1m]", "subquery"),
        ("1", "number literal"),
        ('"x"', "string literal"),
        ("up @ 1", "@ modifier"),
        ("up[5m] @ end()", "@ modifier"),
    ],
)
def test_other_expressions_are_named_and_not_evaluated_yet(text, kind):
    with pytest.raises(InvalidExpression, match=f"not evaluated yet.*: {kind}") as refusal:
        parse(text)
    assert refusal.value.reason is ExpressionFault.NOT_EVALUATED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "up{",
        "up[",
        "{}",
        '{a=""}',
        '{a=~".*"}',
        'up{a=~"("}',
        'up{a=~"x{1001}"}',
        'up{a="1" or b="2"}',
        "up offset inf",
        "(" * 5000 + "up" + ")" * 5000,
        "-" * 1001 + "up",
        "up" + " or up" * 2000,
        "# (\n" * 999,
    ],
)
def test_what_is_not_promql_is_a_parse_error(text, capfd):
    with pytest.raises(InvalidExpression, match="parse error") as refusal:
        parse(text)
    assert refusal.value.reason is ExpressionFault.PARSE_ERROR
    capfd.readouterr()


def test_quotes_in_a_comment_do_not_hide_nesting():
    with pytest.raises(InvalidExpression, match="operators"):
        parse('#"\n' + "(" * 5000 + "up" + ")" * 5000 + ' #"')
