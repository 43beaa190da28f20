"""Series as unit tests write them: `up{job="a"}` with the values `1 2 _ stale 0+5x3 7x2 _x4`."""

import re
from itertools import accumulate, repeat

from streamgauge.promql.syntax.ast import Expr, VectorSelector
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.literals import number
from streamgauge.promql.syntax.parser import parse
from streamgauge.series.matchers import MatchOp
from streamgauge.series.samples import STALE

MAX_SAMPLES = 1_000_000
"""Of one series."""

_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?|\.{_DIGITS}(?:[eE][+-]?{_DIGITS})?)"
_WORD = r"(?:[iI][nN][fF]|[nN][aA][nN])"
_ITEM = re.compile(
    rf"(?P<blank>_)(?:x(?P<blanks>[0-9]+))?|(?P<stale>stale)"
    rf"|(?P<value>[+-]?(?:{_NUMBER}|{_WORD}(?!x)))(?:(?P<slope>[+-](?:{_NUMBER}|{_WORD}(?!x)))?x(?P<times>[0-9]+))?"
)


_BARE = re.compile(r"[^\W\d][\w.:]*")
_NAME_OR_STRING = re.compile(r"""\"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^\W\d][\w.]*""", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*", re.ASCII)


class InvalidSeries(ValueError):
    """A text that is no series, and where: `position`, in characters."""

    def __init__(self, detail: str, position: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position


def labels(text: str) -> dict[str, str]:
    """The labels of a series, its name among them; none for an empty text or `{}`.

    :raises InvalidSeries: for what is no series, or has conditions other than `=`.
    """
    quoted = _quoted_names(text.strip())
    if not quoted:
        return {}
    try:
        selector: Expr = parse(quoted)
    except InvalidExpression as fault:
        selector = _nameless(quoted, fault, len(text))
    if not isinstance(selector, VectorSelector) or selector.offset or selector.at is not None:
        raise InvalidSeries('expected a series, such as up{job="a"}')
    found: dict[str, str] = {}
    for matcher in selector.conditions:
        if matcher.op is not MatchOp.EQUAL:
            raise InvalidSeries(f"a series has its labels after =, not {matcher.op.value}")
        if matcher.name in found:
            raise InvalidSeries(f'label "{matcher.name}" is given twice')
        found[matcher.name] = matcher.value
    return {name: value for name, value in found.items() if value}


def values(text: str) -> list[float | None]:
    """The values of a series, None where it has none.

    :raises InvalidSeries: for what is none, and for native histograms.
    """
    found: list[float | None] = []
    for word in re.finditer(r"\S+", text):
        if "{{" in word[0]:
            raise InvalidSeries("native histograms are not supported", word.start())
        item = _ITEM.fullmatch(word[0])
        if item is None:
            raise InvalidSeries(
                f'"{word[0]}" is not a value of a series: expected a number, _, stale, or runs such as 0+1x5',
                word.start(),
            )
        count = int(item["times"] or item["blanks"] or 0) + 1
        if len(found) + count > MAX_SAMPLES:
            raise InvalidSeries(f"more than {MAX_SAMPLES:,} values", word.start())
        found.extend(_run(item, count))
    return found


def _run(item: re.Match[str], count: int) -> list[float | None]:
    if item["blank"]:
        return [None] * (count - 1 if item["blanks"] else 1)
    if item["stale"]:
        return [STALE]
    first = _signed(item["value"])
    if not item["slope"]:
        return [first] * count
    # one after another, so that rounding is the same as in promtool
    return list(accumulate(repeat(_signed(item["slope"]), count - 1), initial=first))


def _signed(text: str) -> float:
    return -number(text[1:]) if text[0] == "-" else number(text.removeprefix("+"))


def _quoted_names(text: str) -> str:
    """The same series with names in quotes where a query needs them; here any letters, and dots, may stand bare."""
    name = _BARE.match(text)
    braces = text[name.end() if name else 0 :]
    inside = _NAME_OR_STRING.sub(lambda found: _in_quotes(found[0]), braces)
    if name is None or _PLAIN.fullmatch(name[0]):
        return f"{name[0] if name else ''}{inside}"
    rest = inside.lstrip().removeprefix("{") if inside.lstrip().startswith("{") else f"{inside}}}"
    return f"{{{_in_quotes(name[0])},{rest}"


def _in_quotes(word: str) -> str:
    return word if word[0] in "\"'`" or _PLAIN.fullmatch(word) else f'"{word}"'


def _nameless(text: str, fault: InvalidExpression, end: int) -> VectorSelector:
    """What stands in braces that no query could ask for. end: how long the text was before names were quoted."""
    if text.startswith("{"):
        try:
            selector = parse(f"a{text}")
        except InvalidExpression:
            pass
        else:
            if isinstance(selector, VectorSelector):
                return VectorSelector("", selector.matchers)
    raise InvalidSeries(fault.detail, min(fault.span.start, end)) from None
