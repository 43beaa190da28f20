"""Series from a seed: gauges, counters, histograms; gaps, resets, stale markers, NaN and infinities."""

import math
from random import Random

import numpy as np

from streamgauge.series.labels import canonical
from streamgauge.series.matchers import fulfils
from streamgauge.series.samples import STALE, Samples

START = 1_700_000_000_000
"""In ms. A fixed time, so that a seed gives the same answers on every day."""
MINUTES = 60
_BOUNDS = ("0.1", "0.5", "1", "2.5", "10", "+Inf")
_STRANGE = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, -1e300, 1.7e308, -1.7e308),
    *(2.3e-308, 1e-9, 2.0**53, -1.0, 0.5, 1.0),
)


def generate(random: Random) -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    """The label sets with their samples, (time in ms, value)."""
    hosts = [
        {"host": host, "job": job, "dc": dc}
        for host, job, dc in (("a", "web", "x"), ("b", "web", "y"), ("c", "db", "x"), ("d", "db", ""))
    ]
    found = []
    for labels in hosts:
        labels = {name: value for name, value in labels.items() if value}
        for name in ("level", "load"):
            found.append(({"__name__": name, **labels}, _gauge(random)))
        for code in ("200", "404", "500"):
            found.append(({"__name__": "hits_total", **labels, "code": code}, _counter(random)))
        found += _histogram(random, {"__name__": "delay_bucket", **labels})
    for kind in range(4):
        values = [(at, random.choice(_STRANGE)) for at in _times(random)]
        found.append(({"__name__": "strange", "kind": str(kind)}, values))
    for kind in range(3):
        chosen = sorted(random.sample(range(MINUTES * 60), 12))
        values = [(START + 1000 * at, float(random.randint(-3, 9))) for at in chosen]
        found.append(({"__name__": "rare", "host": "abc"[kind], "kind": str(kind)}, values))
    doubling = [(START + 1000 * 2**power, float(power % 5)) for power in range(12)]
    found.append(({"__name__": "rare", "host": "d", "kind": "3"}, doubling))
    for host in "ab":
        labels = {"__name__": "typed", "__type__": "counter", "__unit__": "seconds", "host": host}
        found.append((labels, _counter(random)))
    found.append(({"__name__": "level", "host": "e", "job": "web"}, _short_lived(_gauge(random))))
    found.append(({"__name__": "one"}, [(at, 1.0) for at in _times(random)]))
    found.append(({"__name__": "grün.wert", "ä.b": "ü"}, _gauge(random)))
    return sorted(found, key=lambda row: canonical(row[0]))


def _times(random: Random) -> list[int]:
    every = random.choice((10, 15, 15, 30, 60)) * 1000
    offset = random.choice((0, 0, random.randrange(every)))
    jitter = random.choice((0, 0, 200))
    times, skip = [], 0
    for at in range(START + offset, START + MINUTES * 60_000, every):
        if skip == 0 and random.random() < 0.02:
            skip = random.choice((1, 3, 8, 30))
        skip = max(0, skip - 1)
        if not skip:
            times.append(at + random.randint(0, jitter))
    return times


def _gauge(random: Random) -> list[tuple[int, float]]:
    value, whole = float(random.randint(-20, 50)), random.random() < 0.6
    samples = []
    for at in _times(random):
        value += random.randint(-5, 5) if whole else random.uniform(-2, 2)
        chance = random.random()
        odd = STALE if chance < 0.01 else math.nan if chance < 0.015 else value
        samples.append((at, math.inf if 0.015 <= chance < 0.018 else odd))
    return samples


def _short_lived(samples):
    alive = samples[len(samples) // 4 : len(samples) // 2]
    return [*alive, (alive[-1][0] + 1000, STALE)]


def _counter(random: Random) -> list[tuple[int, float]]:
    value, samples = float(random.randint(0, 1000)), []
    for at in _times(random):
        value = float(random.randint(0, 3)) if random.random() < 0.02 else value + random.randint(0, 20)
        samples.append((at, STALE if random.random() < 0.005 else value))
    return samples


def _histogram(random: Random, labels):
    times, buckets = _times(random), [0.0] * len(_BOUNDS)
    samples, loses = [[] for _ in _BOUNDS], random.random() < 0.5
    for at in times:
        if random.random() < 0.01:
            buckets = [0.0] * len(_BOUNDS)
        hit = sorted(random.choices(range(len(_BOUNDS)), k=random.randint(0, 6)))
        for index in range(len(_BOUNDS)):
            buckets[index] += sum(one <= index for one in hit)
            # some updates come late, so that buckets are not always cumulative
            late = random.randint(0, 9) if loses and random.random() < 0.1 else 0
            samples[index].append((at, max(0.0, buckets[index] - late)))
    missing = random.choice((None, None, "+Inf", "1"))
    there = [({**labels, "le": le}, samples[at]) for at, le in enumerate(_BOUNDS) if le != missing]
    return [*there, ({**labels, "le": "odd"}, samples[0])] if random.random() < 0.3 else there


class Shelf:
    """A `streamgauge.promql.data.query.Source` of these series, in this order."""

    def __init__(self, series) -> None:
        self._series = [
            (
                canonical(labels),
                np.array([at for at, _ in samples], np.int64),
                np.array([v for _, v in samples]),
            )
            for labels, samples in series
        ]

    def fetch(self, matchers, start_ms, end_ms):
        named = [(matcher.name.encode(), matcher) for matcher in matchers]
        rows = []
        for labels, times, values in self._series:
            first, last = np.searchsorted(times, start_ms), np.searchsorted(times, end_ms, "right")
            if first < last and fulfils(labels, named):
                rows.append((labels, times[first:last], values[first:last]))
        return [labels for labels, _, _ in rows], Samples(
            np.array([(0, row) for row in range(len(rows))], np.uint64).reshape(-1, 2),
            np.cumsum([0, *(len(times) for _, times, _ in rows)], dtype=np.int64),
            np.concatenate([np.zeros(0, np.int64), *(times for _, times, _ in rows)]),
            np.concatenate([np.zeros(0), *(values for _, _, values in rows)]),
        )
