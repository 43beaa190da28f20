"""Where a number or a duration ends in the text of a query."""

import re

from streamgauge.promql.syntax.tokens import TokenKind

_DECIMAL = frozenset("0123456789")
_HEX = frozenset("0123456789abcdefABCDEF")
_UNITS = re.compile(r"[smhdwy]s?(?:[0-9]+[smhdw]s?)*")
_DIGITS = re.compile(r"[0-9]+")
_ALPHANUMERIC = re.compile(r"[a-zA-Z0-9_]")


def number_or_duration(text: str, start: int) -> tuple[int, TokenKind | None]:
    """The end of what starts here with a digit or a dot, and which of the two it is.

    None is neither; the end is then where that showed, for the error text.
    """
    end, is_number = _number(text, start)
    if is_number:
        return end, TokenKind.NUMBER
    units = _UNITS.match(text, end)
    if units is None:
        return end, None
    end = units.end()
    digits = _DIGITS.match(text, end)
    if digits:
        # a number at the end lacks its unit
        return min(digits.end(), len(text)), None
    if _ALPHANUMERIC.match(text, end):
        return end + 1, None
    return end, TokenKind.DURATION


def _number(text: str, start: int) -> tuple[int, bool]:
    digits, at = _DECIMAL, start
    if text[at] == "0":
        at += 1
        if text[at : at + 1] in ("x", "X"):
            at += 1 + (text[at + 1 : at + 2] == "_")
            digits = _HEX
    at += text[at : at + 1] == "."
    at += text[at : at + 1] in digits
    dotted = has_exponent = False
    while at < len(text):
        character = text[at]
        if character in "eE":
            if has_exponent:
                return at + 1, False
            has_exponent = True
            at += 1 + (text[at + 1 : at + 2] in ("+", "-"))
            at, goes_on = _not_followed_by(text, at, "._eE")
        elif character == ".":
            if dotted:
                return at + 1, False
            dotted = True
            at, goes_on = _not_followed_by(text, at + 1, "_.", may_end=True)
            goes_on = goes_on and digits is _DECIMAL
        elif character == "_":
            at, goes_on = _not_followed_by(text, at + 1, "._eE")
        elif character in digits:
            at += 1
            while at < len(text) and text[at] in digits:
                at += 1
            continue
        else:
            break
        if not goes_on:
            return at, False
    return at, not _ALPHANUMERIC.match(text, at)


def _not_followed_by(text: str, at: int, refused: str, *, may_end: bool = False) -> tuple[int, bool]:
    if at >= len(text):
        return at, may_end
    return (at + 1, False) if text[at] in refused else (at, True)
