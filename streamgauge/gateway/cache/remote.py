"""Redis: whatever is wrong with it, the gateway goes on without it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from redis import RedisError
from redis.client import Pipeline
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as TimedOut

from streamgauge.clients.redis import connect
from streamgauge.config import Redis as Settings

MAX_VALUE_BYTES = 4 * 1024 * 1024
"""Nothing larger is sent, or taken."""
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""No more than that is written in one request."""
MAX_READ_BYTES = 64 * 1024 * 1024
"""The most that is read for one question; what is beyond counts as not there."""
_OTHER_TYPE = "WRONGTYPE"

log = logging.getLogger(__name__)


class RemoteFault(StrEnum):
    """Why Redis did not do what it was asked for."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED = "refused"
    """It answered with an error: it is out of memory, wants a password, or is still loading."""
    TOO_LARGE = "too_large"
    """It has a value that nobody here has put there; it is taken for none."""


class Values(Protocol):
    """Where values are kept by keys, for a while."""

    def get(self, keys: Sequence[bytes], hold: Callable[[int], None]) -> list[bytes | None]:
        """The value of each key, None for one that is not there. hold: called with their bytes before they are read."""
        ...

    def put(self, values: Mapping[bytes, tuple[bytes, int]]) -> None:
        """Keep values, each for so many seconds at most."""
        ...


class RemoteValues:
    """Values in Redis. After a failure it is left alone for a while. May be used from many threads.

    :param failed: is told of every failure. :param clock: seconds, of any origin.
    """

    def __init__(
        self,
        settings: Settings,
        failed: Callable[[RemoteFault], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = connect(settings)
        self._pause_s = settings.pause_s
        self._failed = failed
        self._clock = clock
        self._paused_until = float("-inf")

    @property
    def is_paused(self) -> bool:
        """Whether Redis is left alone now."""
        return self._clock() < self._paused_until

    def get(self, keys: Sequence[bytes], hold: Callable[[int], None]) -> list[bytes | None]:
        """The value of each key; None for all without Redis.

        :param hold: called with their bytes before they are read. Whatever it raises is raised.
        """
        there = self._lengths(keys) if keys else {}
        if not there:
            return [None] * len(keys)
        hold(sum(there.values()))
        pipeline = self._client.pipeline(transaction=False)
        for key, length in there.items():
            pipeline.getrange(key, 0, length)
        values = zip(there.items(), self._answers(pipeline), strict=False)
        # what has grown since is not held
        taken = {key: value for (key, length), value in values if value and len(value) <= length}
        return [taken.get(key) for key in keys]

    def _lengths(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """How long the values are that are there, each and all together no longer than may be."""
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.strlen(key)
        there: dict[bytes, int] = {}
        size = 0
        for key, length in zip(keys, self._answers(pipeline), strict=False):
            if not length:
                continue
            if length > MAX_VALUE_BYTES:
                self._failed(RemoteFault.TOO_LARGE)
            elif size + length <= MAX_READ_BYTES:
                there[key] = length
                size += length
        return there

    def _answers(self, pipeline: Pipeline) -> list[Any]:
        """The answer to each command, None where a key is of another type; no answers without Redis."""
        found = self._asked(lambda: _executed(pipeline))
        return found if isinstance(found, list) else []

    def put(self, values: Mapping[bytes, tuple[bytes, int]]) -> None:
        """Keep values, each for so many seconds at most; none without Redis."""
        batch: dict[bytes, tuple[bytes, int]] = {}
        size = 0
        for key, (value, seconds) in values.items():
            if len(value) > MAX_VALUE_BYTES:
                continue
            if size + len(value) > MAX_BATCH_BYTES:
                self._put(batch)
                batch, size = {}, 0
            batch[key] = value, seconds
            size += len(value)
        self._put(batch)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _put(self, batch: Mapping[bytes, tuple[bytes, int]]) -> None:
        if not batch:
            return
        pipeline = self._client.pipeline(transaction=False)
        for key, (value, seconds) in batch.items():
            pipeline.set(key, value, ex=seconds)
        self._asked(pipeline.execute)

    def _asked(self, request: Callable[[], object]) -> object:
        """What a request gives; None if Redis is left alone, or fails and is from now on."""
        if self.is_paused:
            return None
        try:
            return request()
        except TimedOut as error:
            self._pause(RemoteFault.TIMEOUT, error)
        except NotConnected as error:
            self._pause(RemoteFault.CONNECTION, error)
        except RedisError as error:
            self._pause(RemoteFault.REFUSED, error)
        return None

    def _pause(self, fault: RemoteFault, error: Exception) -> None:
        self._paused_until = self._clock() + self._pause_s
        self._failed(fault)
        log.warning("redis is left alone: seconds=%s reason=%s error=%s", self._pause_s, fault.value, error)


def _executed(pipeline: Pipeline) -> list[Any]:
    """The answers of a pipeline, None for what Redis refuses because of the type of a key.

    :raises RedisError: for all else that it refuses.
    """
    found = pipeline.execute(raise_on_error=False)
    for each in found:
        # what has another type was not put here, and is no trouble of Redis
        if isinstance(each, RedisError) and not str(each).startswith(_OTHER_TYPE):
            raise each
    return [None if isinstance(each, RedisError) else each for each in found]
