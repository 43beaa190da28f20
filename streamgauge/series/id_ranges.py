"""Ranges of ids that begin with the same bits: what a place of series is cut into when it is too large for a row."""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streamgauge.series.ids import Ids

ID_BITS = 128
_LOW = (1 << 64) - 1


class IdRange(NamedTuple):
    """All ids whose first `bits` bits are those of `first`, the lowest of them, as an integer of 128 bits."""

    bits: int
    first: int

    @property
    def last(self) -> int:
        """The highest of them."""
        return self.first | ((1 << (ID_BITS - self.bits)) - 1)

    def rows(self, ids: Ids) -> slice:
        """Where the ids of this range are in ids (n, 2), sorted and distinct."""
        return slice(below(ids, self.first), below(ids, self.last + 1))


WHOLE = IdRange(0, 0)


def parts_of(ranges: Iterable[IdRange]) -> list[tuple[int, int]]:
    """Cut all ids into parts, from one to before another, so that each of these ranges lies in one part.

    Two ranges are apart or one holds the other, so there are as many parts as ranges that no other holds.
    """
    bounds: list[int] = []
    last = -1
    for own in sorted(ranges, key=lambda own: (own.first, own.bits)):
        if own.first > last:
            bounds.append(own.first if bounds else 0)
            last = own.last
    return list(pairwise([*bounds, 1 << ID_BITS]))


def halves(ids: Ids) -> tuple[IdRange, IdRange, int]:
    """The two ranges that ids (n, 2), sorted and distinct, of which there are two at least, fall into by the first bit
    in which they differ, and the number of them in the first.

    The ranges depend on the first and the last id alone; both hold some.
    """
    first, last = _number(ids[0]), _number(ids[-1])
    bits = ID_BITS - (first ^ last).bit_length() + 1
    low, high = (IdRange(bits, one >> (ID_BITS - bits) << (ID_BITS - bits)) for one in (first, last))
    return low, high, below(ids, high.first)


def _number(identity: Ids) -> int:
    return int(identity[0]) << 64 | int(identity[1])


def below(ids: Ids, bound: int) -> int:
    """How many of the ids, sorted, are below a bound of up to 2**128."""
    if bound >> ID_BITS:
        return len(ids)
    high, low = np.uint64(bound >> 64), np.uint64(bound & _LOW)
    begin, end = (int(np.searchsorted(ids[:, 0], high, side)) for side in ("left", "right"))
    return begin + int(np.searchsorted(ids[begin:end, 1], low, "left"))
