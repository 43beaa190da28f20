"""The functions of PromQL and their signatures, and the four types that an expression can have."""

from dataclasses import dataclass
from enum import StrEnum


class ValueType(StrEnum):
    """What an expression evaluates to; the values are the words of the HTTP API."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"

    @property
    def documented(self) -> str:
        """The word of the documentation and of error texts."""
        return {"vector": "instant vector", "matrix": "range vector"}.get(self.value, self.value)


_MATRIX, _SCALAR, _STRING, _VECTOR = ValueType.MATRIX, ValueType.SCALAR, ValueType.STRING, ValueType.VECTOR


@dataclass(frozen=True, slots=True)
class Function:
    """A signature.

    :param args: types of the arguments. :param returns: the type of the result.
    :param variadic: 0 if every argument must be there; else the last type may be left out, and repeated up to
        `variadic` times, without bound if -1.
    :param experimental: whether Prometheus keeps it behind a flag. It is always there in Streamgauge.
    """

    name: str
    args: tuple[ValueType, ...]
    returns: ValueType
    variadic: int = 0
    experimental: bool = False

    @property
    def least(self) -> int:
        """The number of arguments that have to be given."""
        return len(self.args) - (self.variadic != 0)

    @property
    def most(self) -> int | None:
        """The number of arguments that may be given; None means any."""
        return None if self.variadic < 0 else self.least + self.variadic


# vector -> vector
_OF_VECTOR = (
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "ln",
    "log10",
    "log2",
    "rad",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
)
# matrix -> vector
_OF_MATRIX = (
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "first_over_time",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
)
_OF_MATRIX_EXPERIMENTAL = (
    "mad_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
)
# of the step's time if without an argument
CALENDAR = (
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
)

_ALL = (
    *(Function(name, (_VECTOR,), _VECTOR) for name in _OF_VECTOR),
    *(Function(name, (_MATRIX,), _VECTOR) for name in _OF_MATRIX),
    *(Function(name, (_MATRIX,), _VECTOR, experimental=True) for name in _OF_MATRIX_EXPERIMENTAL),
    *(Function(name, (_VECTOR,), _VECTOR, variadic=1) for name in CALENDAR),
    *(Function(name, (), _SCALAR) for name in ("pi", "time")),
    *(Function(name, (), _SCALAR, experimental=True) for name in ("end", "range", "start", "step")),
    *(Function(name, (_SCALAR, _SCALAR), _SCALAR, experimental=True) for name in ("max_of", "min_of")),
    *(Function(name, (_VECTOR, _SCALAR), _VECTOR) for name in ("clamp_max", "clamp_min")),
    *(
        Function(name, (_VECTOR, _STRING), _VECTOR, variadic=-1, experimental=True)
        for name in ("sort_by_label", "sort_by_label_desc")
    ),
    Function("clamp", (_VECTOR, _SCALAR, _SCALAR), _VECTOR),
    Function("double_exponential_smoothing", (_MATRIX, _SCALAR, _SCALAR), _VECTOR, experimental=True),
    Function("histogram_fraction", (_SCALAR, _SCALAR, _VECTOR), _VECTOR),
    Function("histogram_quantile", (_SCALAR, _VECTOR), _VECTOR),
    Function(
        "histogram_quantiles", (_VECTOR, _STRING, _SCALAR, _SCALAR), _VECTOR, variadic=9, experimental=True
    ),
    Function("info", (_VECTOR, _VECTOR), _VECTOR, variadic=1, experimental=True),
    Function("label_join", (_VECTOR, _STRING, _STRING, _STRING), _VECTOR, variadic=-1),
    Function("label_replace", (_VECTOR, _STRING, _STRING, _STRING, _STRING), _VECTOR),
    Function("predict_linear", (_MATRIX, _SCALAR), _VECTOR),
    Function("quantile_over_time", (_SCALAR, _MATRIX), _VECTOR),
    Function("round", (_VECTOR, _SCALAR), _VECTOR, variadic=1),
    Function("scalar", (_VECTOR,), _SCALAR),
    Function("start_timestamp", (_VECTOR,), _VECTOR, experimental=True),
    Function("vector", (_SCALAR,), _VECTOR),
)
FUNCTIONS = {function.name: function for function in _ALL}
