"""The values of constants in templates, by Go's rules."""

import re

from streamgauge.rules.templates.faults import InvalidTemplate, TemplateFault
from streamgauge.rules.templates.lexer import Token

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\]+|\\",
    re.DOTALL,
)
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MAX_INT = 2**63 - 1


def string(token: Token) -> str:
    """The value of a string in double or back quotes.

    :raises InvalidTemplate: for an escape that means nothing, or gives no UTF-8.
    """
    inner = token.text[1:-1]
    if token.text[0] == "`":
        return inner.replace("\r", "")
    parts: list[bytes] = []
    quote = token.text[0]
    for found in _ESCAPE.finditer(inner):
        short, byte, octal, *points = found.groups()
        if found[0] == "\\" or (short in ("'", '"') and short != quote):
            raise _invalid(token)
        if short:
            parts.append(_SHORT.get(short, short).encode())
        elif byte or octal:
            value = int(byte, 16) if byte else int(octal, 8)
            if value > 0xFF:
                raise _invalid(token)
            parts.append(bytes([value]))
        elif any(points):
            point = int(points[0] or points[1], 16)
            if point > 0x10FFFF or 0xD800 <= point < 0xE000:
                raise _invalid(token)
            parts.append(chr(point).encode())
        else:
            parts.append(found[0].encode())
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError:
        raise _invalid(token) from None


def character(token: Token) -> int:
    """The code point of a character constant.

    :raises InvalidTemplate: for what is not one character.
    """
    value = string(token)
    if len(value) != 1:
        raise InvalidTemplate(
            TemplateFault.SYNTAX, f"malformed character constant: {token.text}", token.start
        )
    return ord(value)


def number(token: Token) -> int | float:
    """The value of a number: an int where Go has one, else a float.

    :raises InvalidTemplate: for what is none.
    """
    text = token.text
    try:
        value = _integer(text)
        if value is None:
            return float.fromhex(text) if "x" in text.lower() else float(text)
    except ValueError:
        raise InvalidTemplate(TemplateFault.SYNTAX, f'bad number syntax: "{text}"', token.start) from None
    if abs(value) > _MAX_INT:
        raise InvalidTemplate(TemplateFault.SYNTAX, f"integer overflow: {text}", token.start)
    return value


def _integer(text: str) -> int | None:
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    lower = digits.lower()
    if any(mark in lower for mark in (".", "p")) or ("e" in lower and not lower.startswith("0x")):
        return None
    if re.fullmatch(r"0[0-7_]+", digits):
        return int(f"{sign}0o{digits[1:]}", 0)
    return int(sign + digits, 0)


def _invalid(token: Token) -> InvalidTemplate:
    return InvalidTemplate(TemplateFault.SYNTAX, f"invalid string {token.text}", token.start)
