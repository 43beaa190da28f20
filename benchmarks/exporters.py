"""The real metrics of `benchmarks/data`, minute by minute."""

import json
from pathlib import Path

import cramjam
import numpy as np

from schemas.units import MINUTE_MS
from streamgauge.series import ids as series_ids
from streamgauge.series import labels
from streamgauge.series.samples import Samples

FILE = Path(__file__).parent / "data" / "exporters-33min-10s.jsonl.zst"


def minutes(job: str | None = None) -> dict[int, Samples]:
    """The samples of each minute (start in ms), of one job or of all."""
    text = bytes(cramjam.zstd.decompress(FILE.read_bytes()))
    found: dict[int, dict[bytes, list[tuple[int, float]]]] = {}
    for line in text.splitlines():
        series = json.loads(line)
        if job in (None, series["metric"]["job"]):
            identity = series_ids.series_id(labels.canonical(series["metric"]))
            for time, value in zip(series["timestamps"], series["values"], strict=True):
                own = found.setdefault(time - time % MINUTE_MS, {}).setdefault(identity, [])
                own.append((time, float("nan") if value is None else float(value)))
    return {minute: _samples(found[minute]) for minute in sorted(found)}


def _samples(rows: dict[bytes, list[tuple[int, float]]]) -> Samples:
    order = sorted(rows)
    flat = [pair for identity in order for pair in sorted(rows[identity])]
    return Samples(
        series_ids.from_bytes(b"".join(order)),
        np.concatenate([[0], np.cumsum([len(rows[identity]) for identity in order])]).astype(np.int64),
        np.array([time for time, _ in flat], np.int64),
        np.array([value for _, value in flat], np.float64),
    )
