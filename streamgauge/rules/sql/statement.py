"""The SELECT of an SQL rule: its samples, columns and time attribute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import selector
from streamgauge.rules.sql.tokens import InvalidSql, Kind, SqlFault, Token, tokens
from streamgauge.series.matchers import Matcher

VALUE = "value"
TIMES = ("window_time", "ts")
"""The columns that may say when a row counts."""
_NO_LABELS = frozenset({VALUE, *TIMES, "window_start", "window_end"})
_WINDOWS = frozenset({"TUMBLE", "HOP", "CUMULATE"})
_UNITS_MS = {"SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_NO_NAMES = frozenset({"END", "NULL", "TRUE", "FALSE", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class SamplesCall:
    """A `samples(...)` in characters of the text. selector: as PromQL. matchers: what it selects by."""

    start: int
    end: int
    selector: str
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A SELECT. labels: its columns that are labels. time: the column that says when a row counts.

    inserted_at: where that column has to be put in, because the SELECT does not name it. step_ms: how far apart its
    windows are, None if it has none or they say it otherwise.
    """

    text: str
    calls: Sequence[SamplesCall]
    labels: Sequence[str]
    time: str
    inserted_at: Sequence[int]
    step_ms: int | None

    @property
    def queries(self) -> tuple[str, ...]:
        """The selectors, each once, as PromQL. `or` between them would drop what has equal labels."""
        return tuple(dict.fromkeys(call.selector for call in self.calls))

    def with_views(self, name: Callable[[SamplesCall], str]) -> str:
        """The text with each `samples(...)` replaced; lines stay where they are, and columns where they can."""
        edits = [
            (call.start, call.end, _filled(name(call), self.text[call.start : call.end]))
            for call in self.calls
        ]
        edits += [(at, at, self.insertion) for at in self.inserted_at]
        text = self.text
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    @property
    def insertion(self) -> str:
        """What is put in at `inserted_at`."""
        return f" {self.time},"


def parse(text: str) -> Statement:
    """Look at the text of a rule, comments and all.

    :raises InvalidSql: for what is not one SELECT over samples with a column `value`.
    """
    found = list(tokens(text))
    while found and found[-1].text == ";":
        last = found.pop()
        text = text[: last.start] + " " + text[last.end :]
    if not found or found[0].word not in ("SELECT", "WITH"):
        raise InvalidSql(SqlFault.SYNTAX, "a rule must be one SELECT", found[0].start if found else len(text))
    for token in found:
        if token.text == ";":
            raise InvalidSql(
                SqlFault.SYNTAX, "a file must be one SELECT, without a second statement", token.end
            )
        if token.word == "VALUE":
            raise InvalidSql(SqlFault.SYNTAX, "value is a keyword of SQL: write `value`", token.start)
    calls = [_call(found, at) for at in range(len(found) - 1) if _is_call(found, at)]
    if not calls:
        detail = "the rule reads no samples: use SELECT ... FROM samples('metric', 'matchers')"
        raise InvalidSql(SqlFault.SAMPLES, detail, found[0].start)
    selects = [at for at, token in enumerate(found) if token.depth == 0 and token.word == "SELECT"]
    if not selects:
        raise InvalidSql(SqlFault.SYNTAX, "a rule must be one SELECT", found[0].start)
    names = _names(found, selects[0])
    time = next((one for one in TIMES if one in names), None)
    places = () if time else [_first_item(found, at) for at in selects]
    labels = [name for name in names if name not in _NO_LABELS]
    return Statement(text, calls, labels, time or _time(found), places, _step_ms(found))


def _is_call(found: Sequence[Token], at: int) -> bool:
    return found[at].word == "SAMPLES" and found[at + 1].text == "("


def _call(found: Sequence[Token], at: int) -> SamplesCall:
    last = next(
        i for i in range(at + 2, len(found)) if found[i].text == ")" and found[i].depth == found[at].depth
    )
    inside = found[at + 2 : last]
    strings, commas = inside[::2], inside[1::2]
    is_good = (
        len(inside) in (1, 3)
        and all(token.kind is Kind.STRING for token in strings)
        and all(token.text == "," for token in commas)
    )
    if not is_good:
        detail = "samples takes a metric and matchers: samples('metric', 'job=\"web\", code!=\"200\"')"
        raise InvalidSql(SqlFault.SAMPLES, detail, found[at].start)
    metric, matchers = strings[0].value, strings[1].value if len(strings) > 1 else ""
    text = f"{metric}{{{matchers}}}" if matchers.strip() else metric
    try:
        conditions = selector(text)
    except InvalidExpression as fault:
        begin = len(metric) + 1
        is_later = len(strings) > 1 and fault.span.start >= begin
        token, position = (
            (strings[1], fault.span.start - begin) if is_later else (strings[0], fault.span.start)
        )
        place = min(token.start + 1 + position, token.end - 1)
        raise InvalidSql(SqlFault.SAMPLES, f"samples: {fault.detail}", place) from None
    return SamplesCall(found[at].start, found[last].end, text, conditions)


def _names(found: Sequence[Token], select: int) -> list[str]:
    """The names of the columns of a SELECT."""
    names: list[str] = []
    for item in _items(found, select):
        if item and item[-1].text == "*" and (len(item) == 1 or item[-2].text == "."):
            detail = "name the columns: each one except `value` is a label of the alert"
            raise InvalidSql(SqlFault.COLUMNS, detail, item[0].start)
        name = _name(item)
        if name is None:
            where = item[0].start if item else found[select].end
            raise InvalidSql(SqlFault.COLUMNS, "a column without a name: give it one with AS", where)
        if name in names:
            raise InvalidSql(SqlFault.COLUMNS, f'duplicate column "{name}"', item[0].start)
        if name == "" or name == "__name__":
            raise InvalidSql(SqlFault.COLUMNS, f'"{name}" cannot be a label of an alert', item[-1].start)
        names.append(name)
    if VALUE not in names:
        detail = "no column `value`, the value of the alert"
        raise InvalidSql(SqlFault.COLUMNS, detail, found[select].start)
    return names


def _items(found: Sequence[Token], select: int) -> list[list[Token]]:
    items: list[list[Token]] = [[]]
    for token in found[_after_select(found, select) :]:
        if token.depth == 0 and token.word == "FROM":
            break
        if token.depth == 0 and token.text == ",":
            items.append([])
        else:
            items[-1].append(token)
    return items


def _name(item: Sequence[Token]) -> str | None:
    """The name of a column: its alias, or that of the column that it is."""
    if not item or item[-1].kind not in (Kind.WORD, Kind.QUOTED) or item[-1].word in _NO_NAMES:
        return None
    before = item[-2] if len(item) > 1 else None
    is_name = before is None or before.kind is not Kind.SYMBOL or before.text in (".", ")", "]")
    return item[-1].value if is_name else None


def _after_select(found: Sequence[Token], select: int) -> int:
    at = select + 1
    return at + 1 if at < len(found) and found[at].word in ("ALL", "DISTINCT") else at


def _first_item(found: Sequence[Token], select: int) -> int:
    return found[_after_select(found, select) - 1].end


def _time(found: Sequence[Token]) -> str:
    """The column that says when a row counts, of a SELECT that names none."""
    if any(token.value == TIMES[0] for token in found):
        return TIMES[0]
    grouped = next((token for token in found if token.depth == 0 and token.word == "GROUP"), None)
    if grouped is not None or any(token.word in _WINDOWS for token in found):
        detail = "the rows have no time: add window_time to the GROUP BY"
        raise InvalidSql(SqlFault.COLUMNS, detail, grouped.start if grouped else found[0].start)
    return TIMES[1]


def _step_ms(found: Sequence[Token]) -> int | None:
    """How far apart windows begin: the first interval of TUMBLE, HOP and CUMULATE; of several, the longest."""
    steps = []
    for at, token in enumerate(found):
        if token.word in _WINDOWS and at + 1 < len(found) and found[at + 1].text == "(":
            rest = found[at:]
            begin = next((i for i, one in enumerate(rest) if one.word == "INTERVAL"), None)
            number, unit = rest[begin + 1 : begin + 3] if begin and begin + 2 < len(rest) else (token, token)
            width = _UNITS_MS.get(unit.word.removesuffix("S"))
            if width and number.value.isdecimal():
                steps.append(int(number.value) * width)
    return max(steps, default=None)


def _filled(name: str, old: str) -> str:
    """A name that takes as many lines, and where it can as many columns, as what it replaces."""
    rest = old[len(name) :]
    if "\n" in old[: len(name)]:
        return name + "\n" * old.count("\n")
    return name + "".join(character if character == "\n" else " " for character in rest)
