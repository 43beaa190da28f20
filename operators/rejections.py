"""What goes to `metrics.rejected`: a sample of what is set aside, so that poison fills no disk; all is counted."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pyflink.common import Row
from pyflink.datastream import OutputTag
from pyflink.metrics import MetricGroup

from operators.worker import ReasonCounters, show
from sinks.kafka import MESSAGE

if TYPE_CHECKING:
    from schemas.batches.batch import InvalidBatch

REJECTED = OutputTag("rejected", MESSAGE)


class Rejections:
    """Counts what is set aside by reason, and makes the messages that tell of it."""

    def __init__(self, metrics: MetricGroup) -> None:
        from operators.rejected_messages import Sampling
        from schemas.batches.batch import BatchFault

        self._sampling = Sampling()
        self._all = metrics.counter("rejected")
        self._kept = metrics.counter("rejected_kept")
        self._reasons = ReasonCounters(metrics, "rejected", BatchFault)

    def show(self) -> None:
        """Let the counters be there as 0."""
        show(self._all, self._kept)

    def messages(
        self,
        fault: "InvalidBatch",
        place: Mapping[str, str],
        key: bytes | None,
        payload: Callable[[], bytes | None],
    ) -> Iterator[tuple[OutputTag, Row]]:
        """What tells of something that is set aside, if anything is to.

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
