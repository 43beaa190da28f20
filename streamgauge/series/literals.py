"""Regular expressions that only list values, as dashboards write those of a variable: `(a|b\\.c)`."""

from string import punctuation

MOST = 1000
"""Of values that are listed."""
_SPECIAL = frozenset(r".^$*+?()[]{}|")


def literals(regex: str) -> tuple[str, ...]:
    """The distinct values that a regex of RE2 matches as a whole, if it is a list of such; else none."""
    body = regex
    for opening in ("(?:", "("):
        if body.startswith(opening) and body.endswith(")"):
            body = body[len(opening) : -1]
            break
    found: dict[str, None] = {}
    value: list[str] = []
    characters = iter(body)
    for character in characters:
        if character == "|":
            found["".join(value)] = None
            value = []
        elif character == "\\":
            escaped = next(characters, "")
            if not escaped or escaped not in punctuation:
                return ()
            value.append(escaped)
        elif character in _SPECIAL:
            return ()
        else:
            value.append(character)
    found["".join(value)] = None
    return tuple(found) if len(found) <= MOST else ()
