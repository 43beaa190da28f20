"""Arithmetic and comparison of arrays, and of vectors with scalars."""

from collections.abc import Callable

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.vectors import Mask, Values, Vector
from streamgauge.promql.syntax.ast import BinaryOp

_ARITHMETIC: dict[BinaryOp, Callable[[Values, Values], Values]] = {
    BinaryOp.ADD: np.add,
    BinaryOp.SUB: np.subtract,
    BinaryOp.MUL: np.multiply,
    BinaryOp.DIV: np.divide,
    BinaryOp.MOD: np.fmod,
    BinaryOp.POW: np.power,
    BinaryOp.ATAN2: np.arctan2,
}
_COMPARISON: dict[BinaryOp, Callable[[Values, Values], Mask]] = {
    BinaryOp.EQUAL: np.equal,
    BinaryOp.NOT_EQUAL: np.not_equal,
    BinaryOp.GREATER: np.greater,
    BinaryOp.LESS: np.less,
    BinaryOp.GREATER_EQUAL: np.greater_equal,
    BinaryOp.LESS_EQUAL: np.less_equal,
}


def maximum(left: Values, right: Values) -> Values:
    """The larger, element by element; NaN where either is, unless the other is +Inf."""
    return np.where(np.isposinf(left) | np.isposinf(right), np.inf, np.maximum(left, right))


def minimum(left: Values, right: Values) -> Values:
    """The smaller, element by element; NaN where either is, unless the other is -Inf."""
    return np.where(np.isneginf(left) | np.isneginf(right), -np.inf, np.minimum(left, right))


def arithmetic(op: BinaryOp, left: Values, right: Values) -> Values:
    """An arithmetic operator, element by element, by IEEE 754; `%` has the sign of its left side.

    :raises InvalidQuery: for the operators on native histograms.
    """
    if op not in _ARITHMETIC:
        raise InvalidQuery(
            QueryFault.NOT_SUPPORTED,
            f"operator {op.value!r} works on native histograms, which are not supported",
        )
    with np.errstate(all="ignore"):
        return _ARITHMETIC[op](left, right)


def compared(op: BinaryOp, left: Values, right: Values) -> Mask:
    """A comparison, element by element; none holds with NaN but !=."""
    return _COMPARISON[op](left, right)


def scalars(op: BinaryOp, left: Values, right: Values) -> Values:
    """An operator between two scalars (steps,); a comparison gives 0 and 1."""
    return compared(op, left, right).astype(np.float64) if op.is_comparison else arithmetic(op, left, right)


def vector_and_scalar(
    op: BinaryOp, vector: Vector, scalar: Values, swapped: bool, return_bool: bool
) -> Vector:
    """An operator between a vector and a scalar (steps,), which stands on the left if `swapped`.

    A comparison keeps the vector's values where it holds, or gives 0 and 1 if `return_bool`.

    :raises InvalidQuery: if series are alike without their names.
    """
    left, right = (scalar, vector.values) if swapped else (vector.values, scalar)
    if not op.is_comparison:
        return Vector(vector.labels, arithmetic(op, left, right), vector.present).without_metadata()
    holds = compared(op, left, right)
    if return_bool:
        return Vector(vector.labels, holds.astype(np.float64), vector.present).without_metadata()
    return Vector(vector.labels, vector.values, vector.present & holds)
