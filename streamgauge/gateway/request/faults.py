"""Why a request gets no answer, in Prometheus's words; also for what goes wrong while the store is read."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from cassandra import DriverException, OperationTimedOut
from cassandra.cluster import NoHostAvailable

from streamgauge.store.reading import DeadlinePassed, TooManySamples, TooManySeries


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


log = logging.getLogger(__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Around reading the store.

    :raises InvalidRequest: in place of what a reading, the store and a timeout raise.
    """
    try:
        yield
    except (DeadlinePassed, TimeoutError, OperationTimedOut):
        raise InvalidRequest(ErrorType.TIMEOUT, "query timed out in expression evaluation") from None
    except TooManySeries:
        detail = "query would load too many series into memory in expression evaluation"
        raise InvalidRequest(ErrorType.COST_LIMIT, detail) from None
    except TooManySamples:
        detail = "query processing would load too many samples into memory in expression evaluation"
        raise InvalidRequest(ErrorType.EXECUTION, detail) from None
    except (DriverException, NoHostAvailable) as error:
        log.warning("store does not answer: error=%s", error)
        raise InvalidRequest(ErrorType.UNAVAILABLE, f"the store does not answer: {error}") from None
