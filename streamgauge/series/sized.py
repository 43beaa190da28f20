"""What a kernel relies on in the sizes of its arguments, checked before it reads or writes anything.

Compiled kernels check no index. So each that Python calls states which sizes fit together, by symbols that stand for
the same number in all of its arguments, and is called through these checks, which cost a few microseconds and at most
a pass over the offsets and row numbers, never one over samples.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt

from streamgauge.compiled import njit

Array = npt.NDArray[Any]
Sizes = dict[str, int]
Check = Callable[..., bool]


class InconsistentSizes(ValueError):
    """Arguments whose sizes do not fit together: a fault of the caller, before it could do any harm."""


class Terms:
    """A sum of terms such as `9 * samples + 10`."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.constant = 0
        self.factors: list[tuple[int, str]] = []
        for term in self.text.split("+"):
            *factor, last = (part.strip() for part in term.split("*"))
            times = int(factor[0]) if factor else 1
            if last.isdigit():
                self.constant += times * int(last)
            else:
                self.factors.append((times, last))

    def value(self, sizes: Sizes) -> int:
        """The sum."""
        total = self.constant
        for factor, symbol in self.factors:
            total += factor * sizes[symbol]
        return total


class Rule:
    """What one argument has to be.

    binds: the symbol of each axis, and what is less than its size by; none if the rule has nothing to say of sizes,
    or tells none.
    """

    binds: Sequence[tuple[str, int]] = ()

    def fault(self, _argument: Any, _sizes: Sizes, /) -> str:
        """What is wrong with it beside the sizes that it binds, "" if nothing is."""
        return ""


class Shape(Rule):
    """The sizes of each axis, such as `series, steps + 1`."""

    def __init__(self, text: str) -> None:
        axes = [Terms(part) for part in text.split(",")]
        if any(len(terms.factors) > 1 or (terms.factors and terms.factors[0][0] != 1) for terms in axes):
            raise ValueError(f"{text!r} binds no symbols")
        self.binds = [(terms.factors[0][1] if terms.factors else "", terms.constant) for terms in axes]


class Room(Rule):
    """At least so many places: (places,)."""

    def __init__(self, places: str) -> None:
        self.places = Terms(places)

    def fault(self, argument: Any, sizes: Sizes) -> str:
        wanted = self.places.value(sizes)
        if argument.ndim != 1 or len(argument) < wanted:
            return f"has the shape {argument.shape}, not room for {self.places.text}, which is {wanted}"
        return ""


class Offsets(Shape):
    """Where each of `count` begins and the last ends, from 0 to at most `within`, never falling: (count + 1,)."""

    def __init__(self, count: str, within: str) -> None:
        super().__init__(f"{count} + 1")
        self.within = Terms(within)

    def fault(self, argument: Any, sizes: Sizes) -> str:
        limit = self.within.value(sizes)
        if not len(argument) or not _is_within(argument, limit):
            return f"falls, or is not from 0 to {self.within.text}, which is {limit}"
        return ""


class Ends(Shape):
    """Where each of `count` ends, never falling, the last at `within`: (count,)."""

    def __init__(self, count: str, within: str) -> None:
        super().__init__(count)
        self.within = Terms(within)

    def fault(self, argument: Any, sizes: Sizes) -> str:
        limit = self.within.value(sizes)
        if not _is_within(argument, limit) or (argument[-1] if len(argument) else 0) != limit:
            return f"falls, or does not end at {self.within.text}, which is {limit}"
        return ""


class Counts(Shape):
    """How many each of `count` has, none below 0, `total` together: (count,)."""

    def __init__(self, count: str, total: str) -> None:
        super().__init__(count)
        self.total = Terms(total)

    def fault(self, argument: Any, sizes: Sizes) -> str:
        wanted = self.total.value(sizes)
        if len(argument) and argument.min() < 0:
            return "has a count below 0"
        return f"does not add up to {self.total.text}, which is {wanted}" if argument.sum() != wanted else ""


class Index(Shape):
    """Numbers from 0 to below `below`."""

    def __init__(self, shape: str, below: str) -> None:
        super().__init__(shape)
        self.below = Terms(below)

    def fault(self, argument: Any, sizes: Sizes) -> str:
        limit = self.below.value(sizes)
        if argument.size and (argument.min() < 0 or argument.max() >= limit):
            return f"has numbers that are not from 0 to below {self.below.text}, which is {limit}"
        return ""


class Number(Rule):
    """A number: with a symbol it is a size itself, with `most` it is from 0 to that."""

    def __init__(self, symbol: str = "", most: str = "") -> None:
        self.symbol = symbol
        self.most = Terms(most) if most else None

    def fault(self, argument: Any, sizes: Sizes) -> str:
        if self.most is not None and not 0 <= argument <= self.most.value(sizes):
            return f"is {argument}, not from 0 to {self.most.text}, which is {self.most.value(sizes)}"
        return ""


NUMBER = Number()
"""A number that is no size and no place in an array."""


class Sized:
    """A kernel with what it relies on; to be called as the kernel is.

    kernel: compiled, unchecked. rules: of each argument, by its name.
    """

    def __init__(
        self, kernel: Callable[..., Any], checks: Sequence[Check], rules: Mapping[str, Rule]
    ) -> None:
        names = list(signature(kernel).parameters)
        if unknown := rules.keys() ^ set(names):
            raise TypeError(f"{kernel.__name__}: rules and arguments differ in {sorted(unknown)}")
        update_wrapper(self, kernel)
        self.kernel = kernel
        self.rules = {name: rules[name] for name in names}
        numbered = list(enumerate(self.rules.values()))
        self._sizes = [
            (place, rule.symbol) for place, rule in numbered if isinstance(rule, Number) and rule.symbol
        ]
        self._shapes = [(place, rule.binds) for place, rule in numbered if rule.binds]
        self._faults = [
            (place, rule.fault) for place, rule in numbered if type(rule) is not Shape and rule is not NUMBER
        ]
        self._checks = [
            (check, [names.index(name) for name in signature(check).parameters]) for check in checks
        ]

    def __call__(self, *arguments: Any) -> Any:
        """Call the kernel.

        :raises InconsistentSizes: naming the kernel, the argument, and what it relies on.
        """
        sizes: Sizes = {"": 0}
        for place, symbol in self._sizes:
            sizes[symbol] = int(arguments[place])
        for place, binds in self._shapes:
            shape = arguments[place].shape
            if len(shape) != len(binds):
                raise self._refusal(place, f"has {len(shape)} axes, not {len(binds)}")
            for (symbol, more), size in zip(binds, shape, strict=True):
                if sizes.setdefault(symbol, size - more) != size - more:
                    raise self._refusal(place, _other_size(symbol, size - more, sizes[symbol], more))
        for place, fault_of in self._faults:
            if fault := fault_of(arguments[place], sizes):
                raise self._refusal(place, fault)
        for check, places in self._checks:
            if not check(*[arguments[place] for place in places]):
                rule = check.__name__.strip("_").replace("_", " ")
                raise InconsistentSizes(f"{self.kernel.__name__}: not true that {rule}")
        return self.kernel(*arguments)

    def _refusal(self, place: int, fault: str) -> InconsistentSizes:
        return InconsistentSizes(f"{self.kernel.__name__}: {list(self.rules)[place]} {fault}")


def sized(*checks: Check, **rules: Rule | str) -> Callable[[Callable[..., Any]], Sized]:
    """Let a kernel be called only with arguments that follow these rules, a text being a `Shape`.

    :param checks: what the rules cannot say, as functions of some of the arguments by their names; their own name
        says what has to be.
    """
    own = {name: Shape(rule) if isinstance(rule, str) else rule for name, rule in rules.items()}
    return lambda kernel: Sized(kernel, checks, own)


def _other_size(symbol: str, found: int, others: int, more: int) -> str:
    if not symbol:
        return f"has {found + more} on an axis of {others + more}"
    return f"has {found} {symbol}, others have {others}"


@njit(cache=True, nogil=True)
def _is_within(offsets, limit):  # type: ignore[no-untyped-def]
    """Whether offsets never fall, from 0 to at most the limit."""
    before = np.int64(0)
    for offset in offsets:
        if offset < before:
            return False
        before = np.int64(offset)
    return before <= limit


@njit(cache=True, nogil=True)
def rows_are_rising_and_of_their_own(rows, rows_ends, series):  # type: ignore[no-untyped-def]
    """Whether the rows of each part, to its end, rise from 0 on and are below the number of its series."""
    first = 0
    for part in range(len(rows_ends)):
        before = -1
        for at in range(first, rows_ends[part]):
            if rows[at] <= before or rows[at] >= series[part]:
                return False
            before = rows[at]
        first = rows_ends[part]
    return True
