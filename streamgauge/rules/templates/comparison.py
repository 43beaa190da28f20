"""Comparisons, which Go makes between values of one kind only."""

from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.values import Named, Value, type_name

_BASIC = (bool, str, int, float)


def equal(first: Value, *others: Value) -> bool:
    """Whether the first is equal to any of the others.

    :raises FunctionFault: for values of different kinds.
    """
    if not others:
        raise FunctionFault("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def differs(first: Value, second: Value) -> bool:
    """Whether two values are not equal."""
    return not equal(first, second)


def less(first: Value, second: Value) -> bool:
    """Whether the first is smaller.

    :raises FunctionFault: for what has no order, or values of different kinds.
    """
    for value in (first, second):
        if not isinstance(value, _BASIC):
            raise FunctionFault("invalid type for comparison")
    if _kind(first) is not _kind(second):
        raise _incompatible(first, second)
    if isinstance(first, bool):
        raise FunctionFault("invalid type for comparison")
    if isinstance(first, str):
        return first.encode() < str(second).encode()
    return bool(first < second)


def at_most(first: Value, second: Value) -> bool:
    """Whether the first is smaller or equal."""
    return less(first, second) or equal(first, second)


def greater(first: Value, second: Value) -> bool:
    """Whether the first is larger."""
    return not at_most(first, second)


def at_least(first: Value, second: Value) -> bool:
    """Whether the first is larger or equal."""
    return not less(first, second)


def _equal(first: Value, second: Value) -> bool:
    if first is None or second is None:
        return first is second
    if isinstance(first, _BASIC) or isinstance(second, _BASIC):
        if _kind(first) is not _kind(second):
            raise _incompatible(first, second)
        return bool(first == second)
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        raise FunctionFault(f"non-comparable types {type_name(first)} and {type_name(second)}")
    return first is second


def _kind(value: Value) -> type:
    return int if isinstance(value, Named) else type(value)


def _incompatible(first: Value, second: Value) -> FunctionFault:
    return FunctionFault(f"incompatible types for comparison: {type_name(first)} and {type_name(second)}")
