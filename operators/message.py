"""A message of `metrics.raw` as operators get it; not beside the source, which imports kernels: workers cannot, yet."""

from typing import NamedTuple


class Message(NamedTuple):
    """A row of `operators.raw_batches.batches`: a message as it came. time: the newest sample's, as a timestamp."""

    key: bytes | None
    version: bytes | None
    sent: bytes | None
    producer: bytes | None
    partition: int
    offset: int
    payload: bytes | None
    time: object
