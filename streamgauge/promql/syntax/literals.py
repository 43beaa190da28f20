"""Numbers, durations and strings: from the text of a query, and back to it."""

import math
import re
from decimal import Decimal

from streamgauge.series.matchers import Matcher

_UNIT_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_PART = re.compile(r"([0-9]+)([a-z]+)")
_INTEGER = re.compile(r"0(_?[0-7])*|[1-9](_?[0-9])*|0[xX](_?[0-9a-fA-F])+")
_OCTAL = re.compile(r"0[0-7_]+")
_MAX_INT = 2**63 - 1
# more digits are no number of 64 bits, and Python refuses to convert thousands of them
_MAX_DIGITS = 20
# what Prometheus's durations hold: 2^63 nanoseconds
MAX_DURATION_S = 2**63 / 1e9
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|[^\\]+",
    re.DOTALL,
)
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LONG = {value: f"\\{letter}" for letter, value in _SHORT.items()}
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def number(text: str) -> float:
    """The value of a number: decimal, 0x hexadecimal, octal after a 0, a float, Inf or NaN.

    :raises ValueError: for what is none, in the words of Prometheus.
    """
    if len(text) <= 2 * _MAX_DIGITS and _INTEGER.fullmatch(text):
        value = int(text, 8) if _OCTAL.fullmatch(text) else int(text, 0)
        if value <= _MAX_INT:
            return float(value)
    fault = "invalid syntax"
    try:
        found = float(text)
        if math.isfinite(found) or not text[0].isdigit():
            return found
        fault = "value out of range"
    except ValueError:
        pass
    raise ValueError(f'error parsing number: strconv.ParseFloat: parsing "{text}": {fault}')


def duration(text: str) -> int:
    """The milliseconds of a duration such as 1h30m: units fall from y to ms, each at most once.

    :raises ValueError: for what is none, in the words of Prometheus.
    """
    total = 0
    units = list(_UNIT_MS)
    end = 0
    while end < len(text):
        part = _PART.match(text, end)
        if part is None:
            raise ValueError(f'not a valid duration string: "{text}"')
        amount, unit = part.groups()
        if unit not in _UNIT_MS:
            raise ValueError(f'unknown unit "{unit}" in duration "{text}"')
        if unit not in units:
            raise ValueError(f'not a valid duration string: "{text}"')
        units = units[units.index(unit) + 1 :]
        if len(amount) > _MAX_DIGITS:
            raise ValueError("duration out of range")
        total += int(amount) * _UNIT_MS[unit]
        end = part.end()
    if total * 10**6 > _MAX_INT:
        raise ValueError("duration out of range")
    return total


def unquote(text: str) -> str:
    """The value of a string in double, single or back quotes, whose escapes are known to be well-formed.

    :raises ValueError: where escapes of bytes give no UTF-8.
    """
    inner = text[1:-1]
    if text[0] == "`" or "\\" not in inner:
        return inner
    parts = []
    for match in _ESCAPE.finditer(inner):
        short, byte, octal, *points = match.groups()
        if short:
            parts.append(_SHORT.get(short, short).encode())
        elif byte or octal:
            parts.append(bytes([int(byte, 16) if byte else int(octal, 8)]))
        elif any(points):
            parts.append(chr(int(points[0] or points[1], 16)).encode())
        else:
            parts.append(match[0].encode())
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError:
        raise ValueError(f"error unquoting string {quoted(text)}: not UTF-8") from None


def quoted(value: str, quote: str = '"') -> str:
    """A value in quotes, with escapes for all that a reader would not see."""
    return quote + "".join(_escaped(character, quote) for character in value) + quote


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    # the replacement character is what stands for broken UTF-8, so the lexer refuses it
    if character.isprintable() and character != "\N{REPLACEMENT CHARACTER}":
        return character
    if character in _LONG:
        return _LONG[character]
    point = ord(character)
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def number_text(value: float) -> str:
    """The shortest decimal number, without an exponent, that gives this value."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits = format(Decimal(repr(float(value))), "f")
    return digits.removesuffix(".0")


def short(value: float) -> str:
    """A number as Go's %g writes it: the fewest digits, and an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return number_text(value)
    text = repr(float(value)).removesuffix(".0")
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return text
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    fraction = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(fraction)}{fraction}e{power:+03}"


def duration_text(milliseconds: int) -> str:
    """A duration in units, such as 1h30m; years and weeks only if they are the whole of it."""
    if milliseconds < 0:
        return "-" + duration_text(-milliseconds)
    if milliseconds == 0:
        return "0s"
    rest = milliseconds
    parts = []
    for unit, size in _UNIT_MS.items():
        if rest >= size and (unit not in "yw" or rest % size == 0):
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts)


def label_text(name: str) -> str:
    """A label name as it stands in a query: in quotes if it is not a plain one."""
    return name if _LABEL_NAME.fullmatch(name) else quoted(name)


def matcher_text(matcher: Matcher) -> str:
    """A matcher as it stands in braces."""
    return f"{label_text(matcher.name)}{matcher.op.value}{quoted(matcher.value)}"


_PLAIN = re.compile(r"[^\\\"'`\n\ufffd\ud800-\udfff]+")
_BASES = {"x": (2, 16, 0xFF), "u": (4, 16, 0x10FFFF), "U": (8, 16, 0x10FFFF)}
_HEX = "0123456789abcdef"


class StringFault(ValueError):
    """A string that does not end, or an escape that means nothing, in Prometheus's words."""


def string_end(text: str, start: int) -> int:
    """The end of the string whose quote, of any kind, is at `start`.

    :raises StringFault: as it says.
    """
    quote = text[start]
    at = start + 1
    while at < len(text):
        plain = _PLAIN.match(text, at)
        if plain:
            at = plain.end()
            continue
        character = text[at]
        if character == quote:
            return at + 1
        # lone surrogates and the replacement character are what broken UTF-8 was decoded to
        if character == "\N{REPLACEMENT CHARACTER}" or "\ud800" <= character <= "\udfff":
            raise StringFault("invalid UTF-8 rune")
        if character == "\n" and quote != "`":
            break
        at = _escape_end(text, at + 1, quote) if character == "\\" and quote != "`" else at + 1
    raise StringFault("unterminated raw string" if quote == "`" else "unterminated quoted string")


def _escape_end(text: str, at: int, quote: str) -> int:
    letter = text[at : at + 1]
    if letter == "":
        raise StringFault("escape sequence not terminated")
    if letter in "abfnrtv\\" or letter == quote:
        return at + 1
    if letter in "01234567":
        count, base, most = 3, 8, 0xFF
    elif letter in _BASES:
        count, base, most = _BASES[letter]
        at += 1
    else:
        raise StringFault(f"unknown escape sequence {_named(letter)}")
    value = 0
    for character in text[at : at + count].ljust(count, "\0"):
        if at >= len(text):
            raise StringFault("escape sequence not terminated")
        digit = _HEX.find(character.lower())
        if not 0 <= digit < base:
            raise StringFault(f"illegal character {_named(character)} in escape sequence")
        value = value * base + digit
        at += 1
    if value > most or 0xD800 <= value < 0xE000:
        raise StringFault("escape sequence is an invalid Unicode code point")
    return at


def _named(character: str) -> str:
    shown = f" '{character}'" if character.isprintable() else ""
    return f"U+{ord(character):04X}{shown}"
