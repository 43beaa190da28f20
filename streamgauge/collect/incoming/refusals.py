"""Refused samples of an accepted request: counted by reason, with details of the first of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.limits import ExceededLimit
from streamgauge.collect.incoming.faults import SampleFault


@dataclass(slots=True)
class Refused:
    """Samples refused for one reason: their number, and the timestamp (ms) and fault of the first."""

    reason: SampleFault
    samples: int
    first_timestamp: int
    detail: str

    def __str__(self) -> str:
        first = f"the first at {self.first_timestamp} ms"
        return f"{self.reason.value}: {self.samples} samples refused, {first} {self.detail}"


class Refusals:
    """Refused samples of a request or page."""

    def __init__(self) -> None:
        self._by_reason: dict[SampleFault, Refused] = {}

    def __bool__(self) -> bool:
        return bool(self._by_reason)

    def __iter__(self) -> Iterator[Refused]:
        return iter(self._by_reason.values())

    def add(self, reason: SampleFault, samples: int, timestamp: int, detail: str) -> None:
        """Count samples, of which the first has this timestamp (ms)."""
        known = self._by_reason.get(reason)
        if known is None:
            self._by_reason[reason] = Refused(reason, samples, timestamp, detail)
        else:
            known.samples += samples

    def add_series(self, fault: ExceededLimit, samples: int, timestamp: int) -> None:
        """Count samples of a series whose labels exceed a limit."""
        if samples:
            self.add(SampleFault(fault.reason.value), samples, timestamp, fault.detail)
