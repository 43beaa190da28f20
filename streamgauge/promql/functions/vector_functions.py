"""Functions of instant vectors that look at one value at a time."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from streamgauge.promql.data.vectors import Times, Values, Vector
from streamgauge.promql.functions.arithmetic import maximum, minimum


def _sign(values: Values) -> Values:
    return np.where(values == 0, values, np.sign(values))


def _log2(values: Values) -> Values:
    # this and the next as Go does it, because a last bit decides on which side of a whole number they come out
    fraction, exponent = np.frexp(values)
    return np.where(fraction == 0.5, exponent - 1.0, np.log(fraction) * math.log2(math.e) + exponent)


def _log10(values: Values) -> Values:
    return np.log(values) * math.log10(math.e)


MATH: Mapping[str, Callable[[Values], Values]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": lambda values: values * (180 / np.pi),
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": _log10,
    "log2": _log2,
    "rad": lambda values: values * (np.pi / 180),
    "sgn": _sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
_DAY_S = 86_400
# Go counts from the 1st of March of year -292277022400, in unsigned seconds that wrap around
_FIRST_DAY = -(292_277_022_400 * 3_652_425 // 10_000 + 306 + 719_162)
_OUT_OF_RANGE = np.iinfo(np.int64).min


def mathematical(name: str, vector: Vector) -> Vector:
    """A function of `MATH`."""
    with np.errstate(all="ignore"):
        return _changed(vector, MATH[name](vector.values))


def negated(vector: Vector) -> Vector:
    """The unary minus."""
    return _changed(vector, -vector.values)


def rounded(vector: Vector, nearest: Values) -> Vector:
    """round(): to the nearest multiple of `nearest` (steps,), up from the middle."""
    with np.errstate(all="ignore"):
        inverse = 1 / nearest
        return _changed(vector, np.floor(vector.values * inverse + 0.5) / inverse)


def clamped(vector: Vector, least: Values, most: Values) -> Vector:
    """clamp() and its halves; bounds (steps,). Nothing where the bounds cross."""
    values = maximum(least, minimum(most, vector.values))
    return Vector(vector.labels, values, vector.present & ~(most < least)).without_metadata()


def times_of(vector: Vector, times: Times) -> Vector:
    """timestamp() of what is no selector: that of the steps."""
    return _changed(vector, np.broadcast_to(times / 1000, vector.values.shape).copy())


def calendar(name: str, vector: Vector) -> Vector:
    """A part of the date, in UTC, of values that are Unix seconds."""
    return _changed(vector, calendar_part(name, vector.values))


def calendar_part(name: str, seconds: Values) -> Values:
    """A part of the date, in UTC; of a NaN or what is no 64-bit integer, that of the least one, as on amd64."""
    valid = np.abs(seconds) < 2.0**63
    whole = np.where(valid, np.where(valid, seconds, 0).astype(np.int64), _OUT_OF_RANGE)
    passed = whole.view(np.uint64) + np.uint64(-_FIRST_DAY * _DAY_S)
    day_numbers = (passed // np.uint64(_DAY_S)).astype(np.int64) + _FIRST_DAY
    second = (passed % np.uint64(_DAY_S)).astype(np.int64)
    days = day_numbers.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    years = days.astype("datetime64[Y]")
    match name:
        case "minute":
            part = second % 3600 // 60
        case "hour":
            part = second // 3600
        case "day_of_week":
            part = (day_numbers + 4) % 7
        case "day_of_month":
            part = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        case "day_of_year":
            part = (days - years.astype("datetime64[D]")).astype(np.int64) + 1
        case "days_in_month":
            part = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        case "month":
            part = months.astype(np.int64) % 12 + 1
        case "year":
            part = years.astype(np.int64) + 1970
        case _:
            raise KeyError(name)
    return part.astype(np.float64)


def scalar_of(vector: Vector) -> Values:
    """scalar(): the value of the only series at each step, else NaN."""
    alone = vector.present.sum(axis=0) == 1
    if not vector.labels.count:
        return np.full(len(alone), np.nan)
    row = vector.present.argmax(axis=0)
    return np.where(alone, vector.values[row, np.arange(len(alone))], np.nan)


def _changed(vector: Vector, values: Values) -> Vector:
    return Vector(vector.labels, values, vector.present).without_metadata()
