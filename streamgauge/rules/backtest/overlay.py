"""Series recorded during a backtest, as an overlay on the stored ones."""

import struct
from array import array
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np

from streamgauge.promql.data.vectors import Times, Values
from streamgauge.rules.backtest.stretch import Stretch
from streamgauge.rules.machine.evaluation import ALERT_NAME, ALERTS, FOR_STATE
from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.matchers import Matcher, fulfils, metric_of, named
from streamgauge.series.samples import STALE_BITS, Samples

_NAMES = (NAME.encode(), ALERT_NAME.encode())


class _Recorded:
    """A series. owner: the rule that wrote first."""

    def __init__(self, data: bytes, owner: Hashable) -> None:
        self.data = data
        self.owner = owner
        self.times = array("q")
        self.values = array("d")

    def between(self, start: int, end: int) -> tuple[Times, Values]:
        """Copies: an array whose memory is lent cannot grow."""
        times = np.array(self.times, np.int64)
        part = slice(np.searchsorted(times, start, "left"), np.searchsorted(times, end, "right"))
        return times[part], np.array(self.values, np.float64)[part]


class Overlay:
    """A source of samples: those stored, and those recorded since `start` (ms) in place of what was stored then.

    :param kept: the names of recorded series that anything reads; others are not kept.
    :param recorded: the names that rules record. :param alerts: the names of their alerts.
    """

    def __init__(
        self,
        stored: Stretch,
        start: int,
        kept: Collection[str],
        recorded: Collection[str],
        alerts: Collection[str],
    ) -> None:
        self._stored = stored
        self._start = start
        self._kept = kept
        self._hidden = {name.encode() for name in recorded}
        self._alerts = {name.encode() for name in alerts}
        self._series: dict[bytes, _Recorded] = {}
        self._by_name: dict[str, list[_Recorded]] = defaultdict(list)

    def keeps(self, name: str) -> bool:
        """Whether series of this name have to be written here."""
        return name in self._kept

    def put(self, labels: Mapping[str, str], times: Times, values: Values, owner: Hashable) -> set[int]:
        """Add samples (ms, rising) of a series; the times at which another rule has written something else."""
        data = SEPARATOR.join(
            part.encode() for name in sorted(labels, key=str.encode) for part in (name, labels[name])
        )
        series = self._series.get(data)
        if series is None:
            series = self._series[data] = _Recorded(data, owner)
            self._by_name[labels[NAME]].append(series)
        if series.owner == owner:
            series.times.frombytes(np.ascontiguousarray(times, np.int64).tobytes())
            series.values.frombytes(np.ascontiguousarray(values, np.float64).tobytes())
            return set()
        return _merge(series, times, values)

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.data.query.Source` asks for."""
        name = metric_of(matchers)
        candidates = list(self._series.values()) if name is None else self._by_name.get(name, [])
        conditions = named(matchers)
        rows: dict[bytes, tuple[Times, Values]] = {}
        for series in candidates:
            if fulfils(series.data, conditions):
                times, values = series.between(start_ms, min(end_ms, self._stored.until))
                if len(times):
                    rows[series.data] = times, values
        labels, samples = self._stored.fetch(matchers, start_ms, end_ms)
        for row, data in enumerate(labels):
            part = slice(samples.offsets[row], samples.offsets[row + 1])
            times, values = samples.timestamps[part], samples.values[part]
            if self._is_hidden(data):
                first = min(self._start, rows[data][0][0]) if data in rows else self._start
                before = slice(0, np.searchsorted(times, first, "left"))
                times, values = times[before], values[before]
            if data in rows:
                times = np.concatenate([times, rows[data][0]])
                values = np.concatenate([values, rows[data][1]])
            if len(times):
                rows[data] = times, values
        return _samples(rows)

    def _is_hidden(self, data: bytes) -> bool:
        parts = data.split(SEPARATOR)
        labels = dict(zip(parts[::2], parts[1::2], strict=False))
        name, alert = (labels.get(label, b"") for label in _NAMES)
        if name in (ALERTS.encode(), FOR_STATE.encode()):
            return alert in self._alerts
        return name in self._hidden


def _merge(series: _Recorded, times: Times, values: Values) -> set[int]:
    """Add what another rule writes; what is there already stays."""
    there = dict(zip(series.times, series.values, strict=True))
    refused: set[int] = set()
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        bits = struct.pack("d", value)
        if struct.pack("d", there.setdefault(time, value)) != bits and bits != struct.pack("Q", STALE_BITS):
            refused.add(time)
    ordered = sorted(there)
    series.times = array("q", ordered)
    series.values = array("d", [there[time] for time in ordered])
    return refused


def _samples(rows: Mapping[bytes, tuple[Times, Values]]) -> tuple[Sequence[bytes], Samples]:
    """Series in the order of their labels."""
    labels = sorted(rows)
    ids = np.array([(0, row) for row in range(len(labels))], np.uint64).reshape(-1, 2)
    counts = np.array([len(rows[data][0]) for data in labels], np.int64)
    return labels, Samples(
        ids,
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.concatenate([np.zeros(0, np.int64), *(rows[data][0] for data in labels)]),
        np.concatenate([np.zeros(0), *(rows[data][1] for data in labels)]),
    )
