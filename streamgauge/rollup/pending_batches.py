"""A batch as it came."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class PendingBatch(NamedTuple):
    """A batch that waits, and where in Kafka it came from."""

    partition: int
    offset: int
    payload: bytes


def by_partition(waiting: Sequence[PendingBatch]) -> Iterator[list[PendingBatch]]:
    """The batches of each partition, of which a late part is made."""
    for partition in sorted({batch.partition for batch in waiting}):
        yield [batch for batch in waiting if batch.partition == partition]
