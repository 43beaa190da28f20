"""A batch as it came."""

from typing import NamedTuple


class Waiting(NamedTuple):
    """A batch that waits, and where in Kafka it came from."""

    partition: int
    offset: int
    payload: bytes
