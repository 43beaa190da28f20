"""The words of a SQL text, as far as a rule is looked at before Flink sees it."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\d[\w.]*)
    |(?P<symbol>.)""",
    re.DOTALL | re.VERBOSE,
)
_UNCLOSED = {"'": "a string", "`": "a quoted name"}
_OPENING = {"(": ")", "[": "]"}


class SqlFault(StrEnum):
    """Why a SQL text was refused."""

    SYNTAX = "sql_syntax"
    SAMPLES = "sql_samples"
    COLUMNS = "sql_columns"


class InvalidSql(ValueError):
    """A SQL text that is no rule.

    :param reason: the kind of fault, for counters. :param detail: what is wrong, for people.
    :param position: where, in characters of the text.
    """

    def __init__(self, reason: SqlFault, detail: str, position: int) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.position = position


class Kind(StrEnum):
    """What a token is."""

    STRING = "string"
    QUOTED = "quoted"
    WORD = "word"
    NUMBER = "number"
    SYMBOL = "symbol"


class Token(NamedTuple):
    """A token with its place in the text; depth: of parentheses and brackets around it, its own not counted."""

    kind: Kind
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """A word in capitals; nothing for what is none."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    @property
    def value(self) -> str:
        """What a string or a quoted name stands for; else the text."""
        if self.kind in (Kind.STRING, Kind.QUOTED):
            quote = self.text[0]
            return self.text[1:-1].replace(quote * 2, quote)
        return self.text


def tokens(text: str) -> Iterator[Token]:
    """The tokens without spaces and comments.

    :raises InvalidSql: if something is not closed.
    """
    waiting: list[Token] = []
    for found in _TOKEN.finditer(text):
        if found.lastgroup == "space":
            continue
        kind, part = Kind(str(found.lastgroup)), found.group()
        token = Token(kind, part, found.start(), found.end(), len(waiting))
        if kind is Kind.SYMBOL:
            if part in _UNCLOSED or text.startswith("/*", token.start):
                what = _UNCLOSED.get(part, "a comment")
                raise InvalidSql(SqlFault.SYNTAX, f"{what} is not closed", token.start)
            if part in _OPENING.values():
                if not waiting or _OPENING[waiting[-1].text] != part:
                    raise InvalidSql(SqlFault.SYNTAX, f'"{part}" has no opening counterpart', token.start)
                token = token._replace(depth=len(waiting) - 1)
                waiting.pop()
            elif part in _OPENING:
                waiting.append(token)
        yield token
    if waiting:
        raise InvalidSql(SqlFault.SYNTAX, f'"{waiting[-1].text}" is not closed', waiting[-1].start)
