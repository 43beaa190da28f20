"""Cuts a template into text and the tokens of its actions."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum

from streamgauge.rules.templates.faults import InvalidTemplate, TemplateFault


class Kind(StrEnum):
    """The kinds of token; the values are the words of error texts."""

    TEXT = "text"
    LEFT = "{{"
    RIGHT = "}}"
    FIELD = "field"
    VARIABLE = "variable"
    IDENTIFIER = "identifier"
    KEYWORD = "keyword"
    STRING = "string"
    NUMBER = "number"
    CHARACTER = "character constant"
    BOOL = "bool"
    NIL = "nil"
    DOT = "."
    PIPE = "|"
    DECLARE = ":="
    ASSIGN = "="
    OPEN = "("
    CLOSE = ")"
    COMMA = ","
    END = "end of the template"


KEYWORDS = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"}
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template from character `start` on; `spaced` if white space stands before it."""

    kind: Kind
    text: str
    start: int
    spaced: bool = False

    def described(self) -> str:
        """What an error text calls it."""
        match self.kind:
            case Kind.END:
                return self.kind.value
            case Kind.KEYWORD:
                return f"<{self.text}>"
            case Kind.IDENTIFIER | Kind.FIELD | Kind.VARIABLE | Kind.STRING | Kind.NUMBER:
                return f'{self.kind.value} "{self.text}"' if '"' not in self.text else f"string {self.text}"
        return f'"{self.text}"'


_SPACE = " \t\r\n"
_SPACES = re.compile(r"[ \t\r\n]+")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"[^\W]+")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|0[oO][0-7_]+|0[bB][01_]+"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)"
)
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_RAW = re.compile(r"`[^`]*`")
_CHARACTER = re.compile(r"'(?:\\.|[^'\\\n])+'")
_SIGNS = {"|": Kind.PIPE, "(": Kind.OPEN, ")": Kind.CLOSE, ",": Kind.COMMA, "=": Kind.ASSIGN}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a template, an END last.

    :raises InvalidTemplate: at the first thing that is none.
    """
    at, trim = 0, False
    while True:
        begin = text.find("{{", at)
        end = len(text) if begin < 0 else begin
        inner = begin + 2
        trims_left = begin >= 0 and _trims(text, inner)
        plain = text[at:end]
        start = at
        if trim:
            start += len(plain) - len(plain.lstrip(_SPACE))
            plain = plain.lstrip(_SPACE)
        if trims_left:
            plain = plain.rstrip(_SPACE)
            inner += 1
        if plain:
            yield Token(Kind.TEXT, plain, start)
        if begin < 0:
            yield Token(Kind.END, "", len(text))
            return
        comment = _comment(text, inner, begin)
        if comment is not None:
            at, trim = comment
            continue
        yield Token(Kind.LEFT, "{{", begin)
        at, trim = yield from _action(text, inner, begin)


def _trims(text: str, at: int) -> bool:
    """Whether a dash after `{{` says that the space in front is to go."""
    return text[at : at + 1] == "-" and text[at + 1 : at + 2] in (*_SPACE,)


def _right(text: str, at: int) -> tuple[int, bool] | None:
    """The end of the `}}` that stands here, and whether it trims; None if there is none."""
    if text.startswith("}}", at):
        return at + 2, False
    if text[at : at + 1] in (*_SPACE,) and text.startswith("-}}", at + 1):
        return at + 4, True
    return None


def _comment(text: str, inner: int, begin: int) -> tuple[int, bool] | None:
    after = inner
    if text[inner - 1] == "-" and (space := _SPACES.match(text, inner)):
        after = space.end()
    if not text.startswith("/*", after):
        return None
    found = _COMMENT.match(text, after)
    if found is None:
        raise _fault("unclosed comment", begin)
    right = _right(text, found.end())
    if right is None:
        raise _fault("comment ends before closing delimiter", begin)
    return right


def _action(text: str, at: int, begin: int) -> Generator[Token, None, tuple[int, bool]]:
    depth, spaced = 0, False
    while True:
        right = _right(text, at)
        if right is None and (space := _SPACES.match(text, at)):
            # the space in front of a trim marker belongs to it
            if space.end() > at + 1 and _right(text, space.end() - 1):
                at = space.end() - 1
                continue
            at, spaced = space.end(), True
            right = _right(text, at)
        if right is not None:
            if depth:
                raise _fault("unclosed left paren", at)
            yield Token(Kind.RIGHT, "}}", at)
            return right
        if at >= len(text):
            raise _fault("unclosed action", begin)
        token = _token(text, at, spaced)
        depth += {Kind.OPEN: 1, Kind.CLOSE: -1}.get(token.kind, 0)
        if depth < 0:
            raise _fault("unexpected right paren", at)
        yield token
        at, spaced = at + len(token.text), False


def _token(text: str, at: int, spaced: bool) -> Token:
    character = text[at]
    if character in "\"`'":
        return _quoted(text, at, spaced)
    if text.startswith(":=", at):
        return Token(Kind.DECLARE, ":=", at, spaced)
    if character in _SIGNS:
        return Token(_SIGNS[character], character, at, spaced)
    follows = text[at + 1 : at + 2]
    if (
        character.isdigit()
        or (character in ".+-" and follows.isdigit())
        or (character in "+-" and follows == ".")
    ):
        return _number(text, at, spaced)
    if character in ".$":
        word = _WORD.match(text, at + 1)
        if word is None:
            kind = Kind.DOT if character == "." else Kind.VARIABLE
            return _ended(text, Token(kind, character, at, spaced))
        kind = Kind.FIELD if character == "." else Kind.VARIABLE
        return _ended(text, Token(kind, text[at : word.end()], at, spaced))
    if word := _WORD.match(text, at):
        name = word[0]
        kind = Kind.IDENTIFIER
        if name in KEYWORDS:
            kind = Kind.KEYWORD
        elif name in ("true", "false"):
            kind = Kind.BOOL
        elif name == "nil":
            kind = Kind.NIL
        return _ended(text, Token(kind, name, at, spaced))
    raise _fault(f"unexpected {_shown(character)} in an action", at)


def _quoted(text: str, at: int, spaced: bool) -> Token:
    quote = text[at]
    pattern, kind, name = {
        '"': (_STRING, Kind.STRING, "quoted string"),
        "`": (_RAW, Kind.STRING, "raw quoted string"),
        "'": (_CHARACTER, Kind.CHARACTER, "character constant"),
    }[quote]
    found = pattern.match(text, at)
    if found is None:
        raise _fault(f"unterminated {name}", at)
    return Token(kind, found[0], at, spaced)


def _number(text: str, at: int, spaced: bool) -> Token:
    found = _NUMBER.match(text, at)
    end = found.end() if found else at + 1
    if found is None or (end < len(text) and (text[end].isalnum() or text[end] in "_.")):
        rest = re.compile(r"[\w.+-]+").match(text, at)
        raise _fault(f'bad number syntax: "{rest[0] if rest else text[at]}"', at)
    return Token(Kind.NUMBER, found[0], at, spaced)


def _ended(text: str, token: Token) -> Token:
    """The token, after which only certain characters may stand."""
    end = token.start + len(token.text)
    character = text[end : end + 1]
    if character and character not in " \t\r\n.,|:()" and not text.startswith("}}", end):
        raise _fault(f"bad character {_shown(character)}", end)
    return token


def _shown(character: str) -> str:
    return f"U+{ord(character):04X} '{character}'"


def _fault(detail: str, position: int) -> InvalidTemplate:
    return InvalidTemplate(TemplateFault.SYNTAX, detail, position)
