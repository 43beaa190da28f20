"""Where a character of a YAML scalar's value stands in the file, whatever the style of the scalar."""

import re

import yaml

from streamgauge.rules.files.faults import Position

_ESCAPES = {"x": 4, "u": 6, "U": 10}
_BREAK = re.compile(r"\r\n?|\n")


class Lines:
    """The lines of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]

    def place(self, index: int) -> Position:
        """Line and column of a character."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= index else (low, middle)
        return Position(low + 1, index - self._starts[low] + 1)

    def place_in(self, node: yaml.Node, position: int) -> Position:
        """Line and column of the character at `position` of a scalar's value, its end included."""
        if not isinstance(node, yaml.ScalarNode):
            return self.place(node.start_mark.index)
        at = _Walk(self.text, node).index_of(position)
        return self.place(at)


class _Walk:
    """Goes over a scalar's value and over its text in the file side by side."""

    def __init__(self, text: str, node: yaml.ScalarNode) -> None:
        self._text = text
        self._value: str = node.value
        self._style = node.style
        self._at = node.start_mark.index
        self._end = node.end_mark.index
        if self._style in ("|", ">"):
            header = _BREAK.search(text, self._at)
            self._at = header.end() if header else self._end
        elif self._style in ("'", '"'):
            self._at += 1

    def index_of(self, position: int) -> int:
        for character in self._value[:position]:
            self._pass(character)
        if position < len(self._value) and not self._value[position].isspace():
            self._skip_layout()
        return min(self._at, self._end)

    def _pass(self, character: str) -> None:
        if self._style == '"':
            self._skip_continuation()
            if self._text.startswith("\\", self._at):
                self._at += _ESCAPES.get(self._text[self._at + 1 : self._at + 2], 2)
                return
        if character.isspace():
            # a space or a newline of the value may stand for a break and an indentation
            if self._text[self._at : self._at + 1].isspace():
                self._at += 2 if self._text.startswith("\r\n", self._at) else 1
            return
        self._skip_layout()
        self._at += 2 if self._style == "'" and character == "'" else 1

    def _skip_layout(self) -> None:
        while self._at < self._end and self._text[self._at].isspace():
            self._at += 1
        if self._style == '"':
            self._skip_continuation()

    def _skip_continuation(self) -> None:
        while self._text.startswith(("\\\n", "\\\r"), self._at):
            self._at += 1
            while self._at < self._end and self._text[self._at].isspace():
                self._at += 1
