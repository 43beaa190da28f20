"""Rejected input: all of it is counted, a sample of it goes to `metrics.rejected`."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pyflink.common import Row
from pyflink.datastream import OutputTag
from pyflink.metrics import MetricGroup

from operators.worker import ReasonCounters, expose_zero
from sinks.kafka import MESSAGE

if TYPE_CHECKING:
    from schemas.batches.batch import InvalidBatch

REJECTED = OutputTag("rejected", MESSAGE)


class Rejections:
    """Counts rejected input by reason and encodes its messages."""

    def __init__(self, metrics: MetricGroup) -> None:
        from operators.rejected_messages import Sampling
        from schemas.batches.batch import BatchFault

        self._sampling = Sampling()
        self._all = metrics.counter("rejected")
        self._kept = metrics.counter("rejected_kept")
        self._reasons = ReasonCounters(metrics, "rejected", BatchFault)

    def expose_zero(self) -> None:
        """Let the counters be there as 0."""
        expose_zero(self._all, self._kept)

    def messages(
        self,
        fault: "InvalidBatch",
        place: Mapping[str, str],
        key: bytes | None,
        payload: Callable[[], bytes | None],
    ) -> Iterator[tuple[OutputTag, Row]]:
        """Return the messages about rejected input, if any.

        :param place: headers that say where it came from; `producer` among them.
        :param payload: makes it.
        """
        from operators.rejected_messages import message

        self._all.inc()
        self._reasons.inc(fault.reason)
        held_back = self._sampling.take(fault.reason.value, place.get("producer", ""))
        if held_back is None:
            return
        self._kept.inc()
        yield REJECTED, Row(*message(fault, place, key, payload(), held_back))
