import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.promql.data.faults import InvalidQuery
from streamgauge.promql.data.query import Limits
from streamgauge.promql.functions.label_functions import label_replace
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.text import matches
from streamgauge.series import regexes
from streamgauge.series.matchers import InvalidMatcher, Matcher, MatchOp
from streamgauge.series.regexes import MAX_WEIGHT, InvalidRegex, RegexAllowance, compiled, weight

LARGE = [
    r"\pL{1000}",
    r"(\pL|\pN){500}",
    r"[\pL_]{900}",
    "a?" * 10_000,
    "a{0,9}" * 5000,
    "((a?){30}){30}" * 400,
]
LARGE += [r"\Q[\E" + "a?" * 10_000, r"\Q(\Ex" + r"\pL{1000}"]
LARGE += [r"\pL" * 100, "(" + "a" * 60_000 + "){1000}", "a" * 70_000]
ORDINARY = [
    r".*foo.*",
    r"[0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]+",
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    r"\pL+",
    "[^/]{1,255}",
]
ORDINARY += [
    "|".join(f"host-{number}.example.com:9100" for number in range(1500)) + ".*",
    "a{1000}",
    r"\d{1,1000}",
]
ATOMS = [
    "a",
    r"\Q[\E",
    r"\Q(\E",
    r"\Q{9}\E",
    "é",
    ".",
    r"\pL",
    r"\W",
    r"\d",
    "[a-c]",
    "[^a]",
    r"[\pN-]",
    "[[:^alpha:]]",
    "(?i)k",
    "(|a)",
    "a|",
    "^",
    "$",
    r"\b",
    r"\Qa\E",
]
COUNTS = ["", "?", "*", "+", "{3}", "{0,9}", "{2,}", "{1000}", "??"]


@pytest.mark.parametrize("pattern", LARGE)
def test_a_regex_that_takes_too_much_is_refused_wherever_it_stands(pattern):
    with pytest.raises(InvalidRegex, match="expression too large"):
        compiled(pattern)
    with pytest.raises(InvalidMatcher, match="expression too large"):
        Matcher("a", MatchOp.REGEX, f"{pattern}.")
    with pytest.raises(InvalidQuery):
        label_replace(Limits(), "a", "b", "c", pattern)
    with pytest.raises(FunctionFault, match="expression too large"):
        matches(pattern, "a")


@pytest.mark.parametrize("pattern", ORDINARY)
def test_an_ordinary_regex_is_taken(pattern):
    assert compiled(pattern).programsize


@given(
    st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(COUNTS)), min_size=1, max_size=4),
    st.integers(1, 60),
)
def test_the_weight_bounds_the_program_that_a_regex_becomes(parts, times):
    pattern = "".join(f"({atom}){count}" for atom, count in parts) * times
    try:
        found = compiled(pattern)
    except InvalidRegex:
        return
    assert found.programsize <= 100 + 5 * len(pattern) + 3 * weight(pattern)


def test_the_place_of_a_regex_that_is_too_large_is_told():
    with pytest.raises(InvalidExpression) as refusal:
        parse(r'x{a="b",c=~"\\pL{1000}"}')
    assert str(refusal.value) == r"1:9: parse error: error parsing regexp: expression too large: `\pL{1000}`"


def test_the_regexes_of_a_query_have_a_budget_together():
    def text(count):
        return "x{" + ",".join(f'a{number}=~"\\\\pL{{13}}{number}"' for number in range(count)) + "}"

    parse(text(4))
    with pytest.raises(InvalidExpression, match="expression too large, together with the regexes before it"):
        parse(text(10))
    allowance = RegexAllowance()
    parse(text(4), allowance)
    with pytest.raises(InvalidExpression, match="together"):
        parse(text(4), allowance)


def test_a_list_of_values_is_matched_without_a_regex(monkeypatch):
    monkeypatch.setattr(re2, "compile", lambda *_: pytest.fail("compiled"))
    names = [f"host-{number}" for number in range(5000)]
    listed = Matcher("a", MatchOp.REGEX, "|".join(names))
    assert [listed.matches(b"host-4999"), listed.matches(b"host-5000"), listed.values] == [True, False, ()]
    unlisted = Matcher("a", MatchOp.NOT_REGEX, "(a|b|)")
    assert [unlisted.matches(value) for value in (b"a", b"", b"c")] == [False, False, True]


def test_what_is_kept_compiled_is_bounded_in_bytes():
    for number in range(100):
        compiled(f"{number}.*")
    kept = regexes._compiled_before()
    assert 0 < kept.size <= regexes.CACHE_BYTES
    assert len(kept) < 100
    assert compiled("99.*") is compiled("99.*")
    assert compiled("99.*") is not compiled("99.*", dot_nl=False)


def test_a_regex_that_is_not_utf8_is_refused():
    with pytest.raises(InvalidMatcher):
        Matcher("a", MatchOp.REGEX, "\ud800.*")
    with pytest.raises(InvalidMatcher):
        Matcher("a", MatchOp.EQUAL, "\ud800")


def test_a_matcher_remembers_so_many_values_only(monkeypatch):
    monkeypatch.setattr("streamgauge.series.matchers.KNOWN_VALUES", 10)
    matcher = Matcher("a", MatchOp.REGEX, "1.*")
    assert [matcher.matches(b"%d" % number) for number in range(100)] == [
        f"{n}"[0] == "1" for n in range(100)
    ]
    assert len(matcher._known) <= 10


def test_weights_are_those_of_what_is_written_out():
    assert weight("abc|def") == 0
    assert weight("(ab){10}") >= 2 * 9
    assert weight("((a{10}){10}){10}") >= 1000
    assert weight(r"\pL{10}") > MAX_WEIGHT / 2 > weight(r"\pL")


def test_what_is_quoted_may_look_like_what_only_re2_knows():
    assert compiled(r"\Q\C\E").fullmatch(r"\C")
    assert compiled(r"\\C").fullmatch(r"\C")
    with pytest.raises(InvalidRegex, match=r"invalid escape sequence: `\\C`"):
        compiled(r"\Qa\E\C")
