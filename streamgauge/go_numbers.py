"""Integers and floats in text, parsed as by Go's strconv."""

import math
import re

INT64 = 2**63
"""The first positive number beyond a signed integer of 64 bits."""
SYNTAX = "invalid syntax"
RANGE = "value out of range"
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_HEX = r"[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_HEXADECIMAL = re.compile(rf"[-+]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][-+]?{_DIGITS}")
_NO_NUMBER = re.compile(r"nan|[-+]?inf(?:inity)?", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?[0-9]+")
MAX_DIGITS = 4096
"""Longer integers are out of range without being parsed."""


class InvalidNumber(ValueError):
    """A text that is not a number or is out of range; the message has Go's wording."""


def integer(text: str, bits: int = 64) -> int:
    """Parse a decimal integer of so many bits, as strconv.ParseInt does.

    :raises InvalidNumber: for anything else.
    """
    if not _INTEGER.fullmatch(text):
        raise InvalidNumber(SYNTAX)
    # int() refuses more digits than it can read in linear time
    found = int(text) if len(text) <= MAX_DIGITS else INT64
    if not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
        raise InvalidNumber(RANGE)
    return found


def number(text: str) -> float:
    """Parse a float64 in decimal or hexadecimal notation, an infinity or NaN, as strconv.ParseFloat does.

    :raises InvalidNumber: for anything else, and beyond a float64.
    """
    if _NO_NUMBER.fullmatch(text):
        return float(text)
    try:
        if _DECIMAL.fullmatch(text):
            found = float(text)
        elif _HEXADECIMAL.fullmatch(text):
            found = float.fromhex(text.replace("_", ""))
        else:
            raise InvalidNumber(SYNTAX)
    except OverflowError:
        raise InvalidNumber(RANGE) from None
    if math.isinf(found):
        raise InvalidNumber(RANGE)
    return found
