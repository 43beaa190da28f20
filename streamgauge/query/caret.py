"""A query with a caret under the place that an error names."""

import re

from rich.cells import cell_len

_PARSE = re.compile(r"(?:^|: )(\d+):(\d+): parse error")
_SPAN = re.compile(r"(?:^|: )(\d+):(\d+): ")


def marked(query: str, message: str) -> list[str]:
    """Return the line of the query at fault and a line with a caret; none if the error has no position."""
    place = _place(query, message)
    if place is None:
        return []
    line, column = place
    text = query.split("\n")[line].expandtabs(1)
    return [text, " " * cell_len(text[:column]) + "^"]


def _place(query: str, message: str) -> tuple[int, int] | None:
    """Line and column, both from 0, in characters."""
    lines = query.split("\n")
    if found := _PARSE.search(message):
        line, column = int(found[1]) - 1, int(found[2]) - 1
        if not 0 <= line < len(lines):
            return None
        # columns of parse errors are those of bytes
        return line, len(lines[line].encode()[:column].decode(errors="ignore"))
    if found := _SPAN.search(message):
        start = min(int(found[1]), len(query))
        line = query.count("\n", 0, start)
        return line, start - (query.rfind("\n", 0, start) + 1)
    return None
