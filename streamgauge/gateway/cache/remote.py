"""Redis: whatever is wrong with it, the gateway goes on without it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from redis import RedisError
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as TimedOut

from streamgauge.config import Redis as Settings
from streamgauge.redis_client import connect

MAX_VALUE_BYTES = 4 * 1024 * 1024
"""Nothing larger is sent."""
MAX_BATCH_BYTES = 8 * 1024 * 1024
"""No more than that is written in one request."""
MAX_READ_BYTES = 64 * 1024 * 1024
"""The most that is read for one question, but for a last request; what is beyond counts as not there."""
_READ_TOGETHER = 32
"""Keys of one request, so many times a value may be read at once."""

_NO_TEXT = "WRONGTYPE"

log = logging.getLogger(__name__)


class RemoteFault(StrEnum):
    """Why Redis did not do what it was asked for."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED = "refused"
    """It answered with an error: it is out of memory, wants a password, or is still loading."""


class Values(Protocol):
    """Where values are kept by keys, for a while."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None for one that is not there."""
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

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key; None for all without Redis.

        What is longer than any value that was put comes cut off.
        """
        found: list[bytes | None] = []
        size = 0
        while len(found) < len(keys) and size < MAX_READ_BYTES:
            part = keys[len(found) : len(found) + _READ_TOGETHER]
            values = self._asked(lambda part=part: self._read(part))  # type: ignore[misc]
            if not isinstance(values, list):
                return [None] * len(keys)
            found += values
            size += sum(len(value) for value in values if value)
        return found + [None] * (len(keys) - len(found))

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

    def _read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.getrange(key, 0, MAX_VALUE_BYTES)
        found = pipeline.execute(raise_on_error=False)
        for each in found:
            # what is no text at all was not put here
            if isinstance(each, RedisError) and not str(each).startswith(_NO_TEXT):
                raise each
        return [each if isinstance(each, bytes) and each else None for each in found]

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
