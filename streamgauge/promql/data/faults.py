"""Why a query has no answer."""

from enum import StrEnum


class QueryFault(StrEnum):
    """The kind of fault."""

    NOT_SUPPORTED = "not_supported"
    DUPLICATE_SERIES = "duplicate_series"
    MATCHING = "matching"
    BAD_PARAMETER = "bad_parameter"
    TOO_MANY_SAMPLES = "too_many_samples"
    TOO_MANY_SERIES = "too_many_series"
    TOO_MANY_STEPS = "too_many_steps"
    TOO_MUCH_MEMORY = "too_much_memory"
    TOO_DEEP = "too_deep"
    TIMEOUT = "timeout"


class InvalidQuery(ValueError):
    """A query that cannot be evaluated, or only at a cost above its limits.

    :param reason: the kind of fault, for counters and for the status code.
    :param message: Prometheus's words where it has any.
    """

    def __init__(self, reason: QueryFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason
