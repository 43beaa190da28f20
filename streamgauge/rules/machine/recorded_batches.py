"""What rules write, as batches of metrics.raw."""

from collections.abc import Iterable, Iterator

import numpy as np

from schemas.batches.batch_packing import Packed, pack
from schemas.limits import check
from streamgauge.rules.machine.evaluation import Point
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import InvalidLabels, canonical
from streamgauge.series.samples import STALE_BITS, Samples

PRODUCER = "alerts"


def batches(points: Iterable[Point], time: int, lanes: int) -> Iterator[Packed]:
    """Samples of series at one time (ms). One that two rules write has the first that is no stale marker.

    What cannot be stored, such as a label that is not UTF-8 or longer than any way in takes, is left out.
    """
    values: dict[bytes, float] = {}
    labels: dict[bytes, bytes] = {}
    for point in points:
        try:
            data = canonical(point.labels)
            check(data)
        except InvalidLabels:
            continue
        identity = series_id(data)
        if identity not in values or _is_stale(values[identity]):
            values[identity], labels[identity] = point.value, data
    order = sorted(values)
    samples = Samples(
        from_bytes(b"".join(order)),
        np.arange(len(order) + 1),
        np.full(len(order), time, np.int64),
        np.array([values[identity] for identity in order], np.float64),
    )
    return pack(samples, labels, lanes)


def _is_stale(value: float) -> bool:
    return int(np.float64(value).view(np.uint64)) == STALE_BITS
