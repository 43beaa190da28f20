"""The tokens of a template."""

from dataclasses import dataclass
from enum import StrEnum


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
