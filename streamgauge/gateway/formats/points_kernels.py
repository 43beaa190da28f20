"""The kernel that writes the JSON of range vectors."""

import numpy as np

from streamgauge.compiled import njit
from streamgauge.series.sized import Ends, Index, Offsets, Room, sized

_COMMA, _QUOTE, _OPEN, _CLOSE, _POINT, _ZERO, _MINUS, _BRACE = (np.uint8(ord(each)) for each in ',"[].0-}')
AROUND_A_POINT = 32
"""Maximum bytes of a time and the punctuation around it and its value."""
AROUND_A_SERIES = 3
"""Maximum bytes around the points of a series."""


@njit(cache=True, nogil=True)
def _digits(out, at, number, least):  # type: ignore[no-untyped-def]
    """Write a number that is not negative with at least so many digits; where it ends."""
    count, rest = 1, number // 10
    while rest:
        count, rest = count + 1, rest // 10
    count = max(count, least)
    for place in range(at + count - 1, at - 1, -1):
        out[place] = _ZERO + number % 10
        number //= 10
    return at + count


@njit(cache=True, nogil=True)
def _stamp(out, at, time):  # type: ignore[no-untyped-def]
    """Write a time in ms as seconds, with three decimals unless they are whole; where it ends."""
    if time < 0:
        out[at] = _MINUS
        at += 1
    seconds, rest = abs(time) // 1000, abs(time) % 1000
    at = _digits(out, at, seconds, 1)
    if rest:
        out[at] = _POINT
        at = _digits(out, at + 1, rest, 3)
    return at


@sized(
    heads="head bytes",
    head_ends=Ends("series", within="head bytes"),
    offsets=Offsets("series", within="points"),
    timestamps="points",
    texts="text bytes",
    odd_rows=Index("odd", below="points"),
    odd="odd bytes",
    odd_ends=Ends("odd", within="odd bytes"),
    out=Room(f"head bytes + text bytes + odd bytes + {AROUND_A_POINT} * points + {AROUND_A_SERIES} * series"),
)
@njit(cache=True, nogil=True)
def write(heads, head_ends, offsets, timestamps, texts, odd_rows, odd, odd_ends, out):  # type: ignore[no-untyped-def]
    """Series as `HEAD[TIME,"VALUE"],...]}`, with commas between; how many bytes were written.

    :param heads: uint8, of all series, each to its end in `head_ends`. :param offsets: of the points of each series.
    :param timestamps: int64, ms. :param texts: uint8, the values with commas between, whole ones as `1.0`.
    :param odd_rows: int64, rising, the points whose value is taken from `odd`, each to its end in `odd_ends`.
    :param out: uint8.
    """
    at = text = which = 0
    for series in range(len(offsets) - 1):
        if series:
            out[at] = _COMMA
            at += 1
        for place in range(head_ends[series - 1] if series else 0, head_ends[series]):
            out[at] = heads[place]
            at += 1
        for point in range(offsets[series], offsets[series + 1]):
            if point > offsets[series]:
                out[at] = _COMMA
                at += 1
            out[at] = _OPEN
            at = _stamp(out, at + 1, timestamps[point])
            out[at], out[at + 1] = _COMMA, _QUOTE
            at += 2
            begin = at
            while text < len(texts) and texts[text] != _COMMA:
                out[at] = texts[text]
                at, text = at + 1, text + 1
            text += 1
            if which < len(odd_rows) and odd_rows[which] == point:
                at = begin
                for place in range(odd_ends[which - 1] if which else 0, odd_ends[which]):
                    out[at] = odd[place]
                    at += 1
                which += 1
            elif at - begin > 2 and out[at - 1] == _ZERO and out[at - 2] == _POINT:
                at -= 2
            out[at], out[at + 1] = _QUOTE, _CLOSE
            at += 2
        out[at], out[at + 1] = _CLOSE, _BRACE
        at += 2
    return at
