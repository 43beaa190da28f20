"""Where a string ends in the text of a query, and whether its escapes are well-formed."""

import re

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
