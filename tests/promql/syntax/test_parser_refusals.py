import pytest

from streamgauge.promql.syntax.cursor import MAX_NESTING
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression
from streamgauge.promql.syntax.parser import MAX_CHARACTERS, MAX_DEPTH, parse

_COUNT = "wrong number of arguments for aggregate expression provided"
_DURATION = "number, duration, step(), or range()"
_SELECTORS = "an instant vector selector or range vector selector or a subquery"


def _refusal(text):
    with pytest.raises(InvalidExpression) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # what cannot be cut into tokens
        ("", "unknown position: parse error: no expression found in input"),
        ("# nothing", "1:1: parse error: no expression found in input"),
        (".", "1:1: parse error: unexpected character: '.'"),
        ("a;", "1:2: parse error: unexpected character: ';'"),
        ("a}", "1:2: parse error: unexpected character: '}'"),
        ("ä", "1:1: parse error: unexpected character: 'ä'"),
        ("1 + ~2", "1:5: parse error: unexpected character: '~'"),
        ("a !b", "1:3: parse error: unexpected character after '!': 'b'"),
        ("a =~ b", "1:3: parse error: unexpected character after '=': '~'"),
        ("(a))", "1:5: parse error: unexpected right parenthesis ')'"),
        ("((a)", "1:5: parse error: unclosed left parenthesis"),
        ("a[5m", "1:5: parse error: unclosed left bracket"),
        ("a]", "1:2: parse error: unexpected right bracket ']'"),
        ("a[5m[", "1:5: parse error: unexpected left bracket '['"),
        ("a[", "1:3: parse error: unexpected end of input in duration expression"),
        ("a[b]", "1:3: parse error: unexpected character in duration expression: 'b'"),
        ("a['5m']", "1:3: parse error: unexpected character in duration expression: '\\''"),
        ("a[:1m]", "1:4: parse error: unexpected colon before duration in duration expression"),
        ("a[5m::]", "1:6: parse error: unexpected colon ':'"),
        ("a[5m b]", "1:6: parse error: unexpected character: 'b', expected ':'"),
        ("a{", "1:3: parse error: unexpected end of input inside braces"),
        ("a{{", "1:3: parse error: unexpected left brace '{'"),
        ("a{b!c}", "1:4: parse error: unexpected character after '!' inside braces: 'c'"),
        ("a{b<'c'}", "1:4: parse error: unexpected character inside braces: '<'"),
        # numbers and durations
        ("1.2.3", '1:1: parse error: bad number or duration syntax: "1.2."'),
        ("1..2", '1:1: parse error: bad number or duration syntax: "1.."'),
        ("1e3e", '1:1: parse error: bad number or duration syntax: "1e3e"'),
        ("1__0", '1:1: parse error: bad number or duration syntax: "1__"'),
        ("1_", '1:1: parse error: bad number or duration syntax: "1_"'),
        ("0x1.8", '1:1: parse error: bad number or duration syntax: "0x1."'),
        ("7up", '1:1: parse error: bad number or duration syntax: "7"'),
        ("5mx", '1:1: parse error: bad number or duration syntax: "5mx"'),
        ("a[5m3]", '1:3: parse error: bad number or duration syntax: "5m3"'),
        ("a[1s1m]", '1:3: parse error: not a valid duration string: "1s1m"'),
        ("a[1.5m]", '1:3: parse error: not a valid duration string: "1.5m"'),
        ("a[3hs]", '1:3: parse error: unknown unit "hs" in duration "3hs"'),
        ("a[300y]", "1:3: parse error: duration out of range"),
        ("a[9999999999999999999999s]", "1:3: parse error: duration out of range"),
        ("a[1e10]", "1:3: parse error: duration out of range"),
        ("a offset -1e10", "1:10: parse error: duration out of range"),
        (
            "1e999",
            '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range',
        ),
        ("0x_", '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0x_": invalid syntax'),
        # strings
        ('"a', "1:1: parse error: unterminated quoted string"),
        ('"a\n"', "1:1: parse error: unterminated quoted string"),
        ("`a", "1:1: parse error: unterminated raw string"),
        ('"\\', "1:1: parse error: escape sequence not terminated"),
        ('"\\x1', "1:1: parse error: escape sequence not terminated"),
        ('"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"),
        ('"\\\'"', "1:1: parse error: unknown escape sequence U+0027 '''"),
        ('"\\xg0"', "1:1: parse error: illegal character U+0067 'g' in escape sequence"),
        ('"\\400"', "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ('"\\ud800"', "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ('"\\U00110000"', "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ('"\ufffd"', "1:1: parse error: invalid UTF-8 rune"),
        ('"\\xff"', '1:1: parse error: error unquoting string "\\"\\\\xff\\"": not UTF-8'),
        # tokens that may not stand there
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("*a", "1:1: parse error: unexpected <op:*>"),
        ("a b", '1:3: parse error: unexpected identifier "b"'),
        ("a x:y", '1:3: parse error: unexpected metric identifier "x:y"'),
        ("a 12", '1:3: parse error: unexpected number "12"'),
        ("a 12345678901", '1:3: parse error: unexpected number "1234567890"...'),
        ("a 5m", '1:3: parse error: unexpected duration "5m"'),
        ("a 'b'", "1:3: parse error: unexpected string \"'b'\""),
        ("a bool b", "1:3: parse error: unexpected <bool>"),
        ("a sum b", "1:3: parse error: unexpected <aggr:sum>"),
        ("a = b", '1:3: parse error: unexpected "="'),
        ("()", '1:2: parse error: unexpected ")"'),
        ("on", "1:1: parse error: unexpected <on>"),
        ("atan2", "1:1: parse error: unexpected <op:atan2>"),
        ("a + group_left b", "1:5: parse error: unexpected <group_left>"),
        ("a + on(x) ignoring(y) b", "1:11: parse error: unexpected <ignoring>"),
        ("a + fill(b) c", '1:10: parse error: unexpected identifier "b"'),
        ("fill(1)", '1:5: parse error: unexpected "("'),
        ("x:y(a)", '1:4: parse error: unexpected "("'),
        # the place counts lines, and bytes in a line
        ("a +\n  *b", "2:3: parse error: unexpected <op:*>"),
        ("'äö' b", '1:8: parse error: unexpected identifier "b"'),
        # aggregations
        ("sum a", '1:5: parse error: unexpected identifier "a"'),
        ("sum(a b)", '1:7: parse error: unexpected identifier "b" in aggregation'),
        ("sum(rate(a b))", '1:12: parse error: unexpected identifier "b" in aggregation'),
        ("sum by (x) a", '1:12: parse error: unexpected identifier "a" in aggregation'),
        ("sum(a) by (x) by (y)", "1:15: parse error: unexpected <by>"),
        ("sum by x (a)", '1:8: parse error: unexpected identifier "x" in grouping opts, expected "("'),
        ("sum by (==) (a)", "1:9: parse error: unexpected <op:==> in grouping opts, expected label"),
        ("sum by (,) (a)", '1:9: parse error: unexpected "," in grouping opts, expected label'),
        ("sum by (without) (a)", "1:9: parse error: unexpected <without> in grouping opts, expected label"),
        (
            "sum by(x y)(a)",
            '1:10: parse error: unexpected identifier "y" in grouping opts, expected "," or ")"',
        ),
        ('sum by ("") (a)', '1:9: parse error: invalid label name for grouping: ""'),
        ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
        (
            "1 + sum(a, b)",
            f"1:5: parse error: {_COUNT}, expected 1, got 2",
        ),
        (
            "topk(a)",
            f"1:1: parse error: {_COUNT}, expected 2, got 1",
        ),
        # functions
        ("nope(a)", '1:1: parse error: unknown function with name "nope"'),
        ("Rate(a[5m])", '1:1: parse error: unknown function with name "Rate"'),
        ("abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"),
        ("abs(a", "1:6: parse error: unclosed left parenthesis"),
        # selectors
        ("a{b}", '1:4: parse error: unexpected "}" in label matching, expected label matching operator'),
        ("a{b=c}", '1:5: parse error: unexpected identifier "c" in label matching, expected string'),
        ("a{b='c' d}", '1:9: parse error: unexpected identifier "d" in label matching, expected "," or "}"'),
        ("a{,}", '1:3: parse error: unexpected "," in label matching, expected identifier or "}"'),
        ("a{b=~'('}", "1:3: parse error: error parsing regexp: missing closing ): `(`"),
        # ranges and subqueries
        ("a[]", f'1:3: parse error: unexpected "]" in subquery or range selector, expected {_DURATION}'),
        ("a[5m+]", f'1:6: parse error: unexpected "]" in subquery or range selector, expected {_DURATION}'),
        ("a[5m 1m]", '1:6: parse error: unexpected duration "1m" in subquery or range, expected ":" or "]"'),
        ("a[5m:1m 1m]", '1:9: parse error: unexpected duration "1m" in subquery selector, expected "]"'),
        (
            "a[5m:*]",
            "1:6: parse error: unexpected <op:*> in subquery selector, "
            'expected number, duration, step(), range(), or "]"',
        ),
        ("a[0s]", "1:3: parse error: duration must be greater than 0"),
        ("a[-5m]", "1:3: parse error: duration must be greater than 0"),
        ("a[0.0001]", "1:3: parse error: duration must be greater than 0"),
        ("a[5m:0s]", "1:6: parse error: duration must be greater than 0"),
        ("a[5m/0]", "1:5: parse error: division by zero"),
        ("a[5m%0s]", "1:5: parse error: modulo by zero"),
        ("(a)[5m]", "1:4: parse error: ranges only allowed for vector selectors"),
        ("a offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"),
        ("a @ 1[5m]", "1:6: parse error: no @ modifiers allowed before range"),
        # offset and @
        ("a offset", f"1:9: parse error: unexpected end of input in offset, expected {_DURATION}"),
        ("a offset b", f'1:10: parse error: unexpected identifier "b" in offset, expected {_DURATION}'),
        (
            "a offset (5m) + b",
            f'1:17: parse error: unexpected identifier "b" in offset, expected {_DURATION}',
        ),
        ("a offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
        ("1 offset 1m", f"1:1: parse error: offset modifier must be preceded by {_SELECTORS}"),
        ("a @", "1:4: parse error: unexpected end of input in @, expected timestamp"),
        ("a @ b", '1:5: parse error: unexpected identifier "b" in @, expected timestamp'),
        ("a @ start(1)", '1:11: parse error: unexpected number "1" in @, expected timestamp'),
        ("a @ 1 @ end()", "1:1: parse error: @ <timestamp> may not be set multiple times"),
        ("a @ -Inf", "1:1: parse error: timestamp out of bounds for @ modifier: -Inf"),
        ("a @ NaN", "1:1: parse error: timestamp out of bounds for @ modifier: NaN"),
        ("1 + (a) @ 1", f"1:5: parse error: @ modifier must be preceded by {_SELECTORS}"),
        ("a anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together"),
        ("a[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"),
        ("abs(a) smoothed", "1:1: parse error: smoothed modifier not implemented"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_the_words_and_the_place(text, message):
    refusal = _refusal(text)
    assert str(refusal) == message
    assert refusal.reason is ExpressionFault.SYNTAX


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
        ("a </ bool 1", "1:3: parse error: bool modifier can only be used on comparison operators"),
        (
            "a + on(x) group_left(x) b",
            '1:3: parse error: label "x" must not occur in ON and GROUP clause at once',
        ),
        ("a and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
        ("1 or 1", '1:1: parse error: set operator "or" not allowed in binary scalar expression'),
        ("a and on(x) group_left b", '1:1: parse error: no grouping allowed for "and" operation'),
        ("a or fill(0) b", "1:1: parse error: filling in missing series not allowed for set operators"),
        ("a + on(x) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
        ("a + fill(0) 1", "1:1: parse error: filling in missing series only allowed between instant vectors"),
        ("a + 'b'", "1:5: parse error: binary expression must contain only scalar and instant vector types"),
        (
            "a[5m] + b",
            "1:1: parse error: binary expression must contain only scalar and instant vector types",
        ),
        (
            "-a[5m]",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant "
            'vector, got "range vector"',
        ),
        ("(1)[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"),
        ("a[5m:][5m:]", "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"),
        ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
        ("topk(a, b)", "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"),
        (
            "count_values(1, b)",
            "1:14: parse error: expected type string in aggregation parameter, got scalar",
        ),
        (
            "rate(a)",
            '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
        ),
        ("abs()", '1:1: parse error: expected 1 argument(s) in call to "abs", got 0'),
        ("label_join(a)", '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1'),
        ("hour(a, b)", '1:1: parse error: expected at most 1 argument(s) in call to "hour", got 2'),
        (
            "label_join(a, 'b', 'c', 'd', 5)",
            '1:30: parse error: expected type string in call to function "label_join", got scalar',
        ),
        ("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead"),
        ("info(a, abs({b='c'}))", "1:9: parse error: expected label selectors only"),
        (
            "info(a, 1)",
            '1:1: parse error: expected type instant vector in call to function "info", got scalar',
        ),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("{a!='b'}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("{a=~'.*'}[5m]", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("a{__name__='b'}", '1:1: parse error: metric name must not be set twice: "a" or "b"'),
        ("a{'b'}", '1:1: parse error: metric name must not be set twice: "a" or "b"'),
    ],
)
def test_parts_that_do_not_fit_together_are_refused_with_the_words_and_the_place(text, message):
    refusal = _refusal(text)
    assert str(refusal) == message
    assert refusal.reason is ExpressionFault.TYPE


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "-" * 5000 + "a",
        "abs(" * 5000 + "a" + ")" * 5000,
        "a ^ " * 5000 + "a",
        "a or " * 5000 + "a",
        "sum(" * (MAX_NESTING + 1) + "a" + ")" * (MAX_NESTING + 1),
        "a[" + "(" * 5000 + "1m" + ")" * 5000 + "]",
        "a + " * MAX_DEPTH + "a",
    ],
)
def test_nesting_has_a_bound(text):
    assert _refusal(text).reason is ExpressionFault.TOO_DEEP


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_NESTING - 1) + "a" + ")" * (MAX_NESTING - 1),
        "abs(" * (MAX_NESTING - 1) + "a" + ")" * (MAX_NESTING - 1),
        "a + " * (MAX_DEPTH - 1) + "a",
        "a ^ " * (MAX_NESTING - 1) + "a",
    ],
)
def test_what_nests_as_deep_as_allowed_can_be_compared_and_hashed(text):
    assert parse(text) == parse(text)
    assert hash(parse(text)) == hash(parse(text))


def test_a_lone_surrogate_is_broken_utf8():
    assert str(_refusal(f"'{chr(0xDC80)}'")) == "1:1: parse error: invalid UTF-8 rune"


def test_length_has_a_bound():
    assert _refusal("a" * (MAX_CHARACTERS + 1)).reason is ExpressionFault.TOO_LONG
    assert parse("a" * MAX_CHARACTERS).name == "a" * MAX_CHARACTERS
