"""Maps failures while reading the store to error responses."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException, OperationTimedOut
from cassandra.cluster import NoHostAvailable

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.store.reading import DeadlinePassed, TooManySamples, TooManySeries

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
