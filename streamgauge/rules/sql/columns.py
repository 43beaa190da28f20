"""Finds unknown column names in a SELECT without Flink.

A name is known if samples or a window has such a column, or if the text may define it anywhere: as an alias, a table,
or in the list of columns after either. Whether a known name may stand where it does, Flink alone tells.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.resources import files

from streamgauge.rules.sql.tokens import Kind, Token

SAMPLES = ("ts", "labels", "value")
"""The columns of samples(...)."""
WINDOW = ("window_start", "window_end", "window_time")
"""Those that a window adds."""
_WINDOWS = frozenset({"TUMBLE", "HOP", "CUMULATE", "SESSION"})
_OTHER_NAMES = frozenset({"ROW", "MATCH_RECOGNIZE", "LATERAL", "UNNEST", "PIVOT"})
"""Words that bring in fields and variables: of a SELECT with one of them nothing is said."""
_RESERVED, _KEYWORDS = (
    frozenset(words.split()) for words in (files(__package__) / "keywords.txt").read_text().split("\n\n")
)
"""Tokens of Flink 2.2's parser, as Calcite's SqlAbstractParserImpl.Metadata has them; only others may be columns."""
_BEFORE_COLUMNS = frozenset(
    "SELECT DISTINCT ALL WHERE AND OR NOT ON BY HAVING CASE WHEN THEN ELSE BETWEEN LIKE".split()  # noqa: SIM905
)
_MADE_UP = re.compile(r"EXPR\$\d+|\d+$")
"""A name that Flink gives to a column without one, and the number that it adds to a second column of a name."""


def unknown_columns(found: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    """The names in the tokens of a SELECT that no column has; with each the name that may be meant, else nothing."""
    if any(token.word in _OTHER_NAMES for token in found):
        return
    known = {*SAMPLES, *_defined(found)}
    if any(token.word in _WINDOWS for token in found):
        known |= {*WINDOW}
    for at, token in enumerate(found):
        if not _is_read(found, at):
            continue
        name = _MADE_UP.sub("", token.value)
        if name and not {name, token.value} & known:
            yield token, next(iter(get_close_matches(token.value, sorted(known), 1)), "")


def _is_read(found: Sequence[Token], at: int) -> bool:
    """Whether a token can be nothing but the name of a column, or of a table in a list of them."""
    token, rest = found[at], found[at + 1 : at + 3]
    following = "".join(one.text for one in rest)
    if not _is_name(token) or token.word in _KEYWORDS or _is_alias(found, at):
        return False
    # a function, a table before its column, a part of another name, a literal, an argument by its name
    return not (
        following.startswith(("(", ".", "$", "&", "'", "=>")) or (at > 0 and found[at - 1].text == "$")
    )


def _defined(found: Sequence[Token]) -> Iterator[str]:
    for at, token in enumerate(found):
        if not _is_name(token):
            continue
        columns = _columns(found, at + 1)
        after = "".join(one.word or one.text for one in found[at + 1 + len(columns) :][:2])
        if _is_alias(found, at) or after == "AS(":
            yield token.value
            yield from (one.value for one in columns)


def _columns(found: Sequence[Token], at: int) -> Sequence[Token]:
    """The tokens of a list of names in parentheses; none if there is no such at this place."""
    end = at
    if at < len(found) and found[at].text == "(":
        end = next(
            (i for i in range(at + 1, len(found)) if not _is_name(found[i]) and found[i].text != ","), at
        )
    return found[at : end + 1] if end > at and found[end].text == ")" else []


def _is_name(token: Token) -> bool:
    return token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.word not in _RESERVED)


def _is_alias(found: Sequence[Token], at: int) -> bool:
    """Whether a name stands behind an expression or a table, or behind a word after which no column comes."""
    if at == 0:
        return False
    before = found[at - 1]
    return before.word not in _BEFORE_COLUMNS and (before.kind is not Kind.SYMBOL or before.text in ")]")
