"""Regular expressions that only list values, as dashboards write those of a variable: `(a|b\\.c)`."""

from string import punctuation

_SPECIAL = frozenset(r".^$*+?()[]{}|")
_ESCAPED = frozenset(punctuation) - {"_"}


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
            if not escaped or escaped not in _ESCAPED:
                return ()
            value.append(escaped)
        elif character in _SPECIAL:
            return ()
        else:
            value.append(character)
    found["".join(value)] = None
    return tuple(found)
