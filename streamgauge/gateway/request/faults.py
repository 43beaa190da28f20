"""Errors of requests, in Prometheus's terms."""

from enum import StrEnum


class ErrorType(StrEnum):
    """The `errorType` of an answer."""

    BAD_DATA = "bad_data"
    EXECUTION = "execution"
    COST_LIMIT = "cost_limit"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TOO_MANY_REQUESTS = "too_many_requests"

    @property
    def status(self) -> int:
        """The HTTP status that goes with it."""
        return _STATUS[self]


_STATUS = {
    ErrorType.BAD_DATA: 400,
    ErrorType.EXECUTION: 422,
    ErrorType.COST_LIMIT: 422,
    ErrorType.TIMEOUT: 503,
    ErrorType.UNAVAILABLE: 503,
    ErrorType.INTERNAL: 500,
    ErrorType.NOT_FOUND: 404,
    ErrorType.UNAUTHORIZED: 401,
    ErrorType.FORBIDDEN: 403,
    ErrorType.TOO_MANY_REQUESTS: 429,
}


class InvalidRequest(ValueError):
    """A request that is refused.

    :param reason: its kind, for the answer and for counters. :param message: its `error`.
    """

    def __init__(self, reason: ErrorType, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def invalid_parameter(name: str, message: str) -> InvalidRequest:
    """The refusal of one parameter."""
    return InvalidRequest(ErrorType.BAD_DATA, f'invalid parameter "{name}": {message}')
