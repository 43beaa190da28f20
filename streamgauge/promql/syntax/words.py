"""The words of PromQL that stand in expressions: operators, aggregations, kinds of matching."""

from enum import StrEnum


class AtBoundary(StrEnum):
    """The time of `@ start()` and `@ end()`: that of the first or last step of the query."""

    START = "start"
    END = "end"


class AggregateOp(StrEnum):
    """An aggregation over series."""

    AVG = "avg"
    BOTTOMK = "bottomk"
    COUNT = "count"
    COUNT_VALUES = "count_values"
    GROUP = "group"
    LIMITK = "limitk"
    LIMIT_RATIO = "limit_ratio"
    MAX = "max"
    MIN = "min"
    QUANTILE = "quantile"
    STDDEV = "stddev"
    STDVAR = "stdvar"
    SUM = "sum"
    TOPK = "topk"

    @property
    def has_param(self) -> bool:
        """Whether the expression has a parameter in front."""
        return self in _WITH_PARAM


_WITH_PARAM = frozenset(
    {
        AggregateOp.BOTTOMK,
        AggregateOp.COUNT_VALUES,
        AggregateOp.LIMITK,
        AggregateOp.LIMIT_RATIO,
        AggregateOp.QUANTILE,
        AggregateOp.TOPK,
    }
)


class BinaryOp(StrEnum):
    """An operator between two expressions. The two trims act on native histograms only."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    POW = "^"
    ATAN2 = "atan2"
    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    GREATER_EQUAL = ">="
    LESS_EQUAL = "<="
    AND = "and"
    OR = "or"
    UNLESS = "unless"
    TRIM_UPPER = "</"
    TRIM_LOWER = ">/"

    @property
    def is_comparison(self) -> bool:
        """Whether it filters, or gives 0 and 1 with `bool`."""
        return self in _COMPARISONS

    @property
    def is_set(self) -> bool:
        """Whether it works on sets of series."""
        return self in _SETS


_COMPARISONS = frozenset(
    {
        BinaryOp.EQUAL,
        BinaryOp.NOT_EQUAL,
        BinaryOp.GREATER,
        BinaryOp.LESS,
        BinaryOp.GREATER_EQUAL,
        BinaryOp.LESS_EQUAL,
    }
)
_SETS = frozenset({BinaryOp.AND, BinaryOp.OR, BinaryOp.UNLESS})


class UnaryOp(StrEnum):
    """A sign."""

    PLUS = "+"
    MINUS = "-"


class DurationOp(StrEnum):
    """An operator of duration expressions; the values are their text."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    POW = "^"
    MAX_OF = "max_of"
    MIN_OF = "min_of"


class DurationTerm(StrEnum):
    """A term that the query's parameters give."""

    STEP = "step"
    RANGE = "range"


class Card(StrEnum):
    """How many series of each side a match may have."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"
