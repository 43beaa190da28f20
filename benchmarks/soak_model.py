"""The plain model of a soak: what was acknowledged, the answers that follow, and how those of a gateway differ."""

from collections import defaultdict

import httpx

METRIC = "soak_value"
STEP_MS = 5_000
OFFSET_MS = 1_234
"""No sample lies on a step of a query, so windows with and without their ends hold the same."""
QUERIES = {
    "value": '{metric}{{i=~"[0-4]"}}',
    "sum": "sum({metric})",
    "over_time": "sum by (group) (sum_over_time({metric}[1m]))",
    "count": 'count_over_time({metric}{{group="2"}}[2m])',
    "max": "max by (group) (max_over_time({metric}[5m]))",
}
ANSWER_MS = 2 * 3_600_000
"""A range query's steps of 15 s within the limit of steps."""


class Model:
    """Acknowledged values by series and time (ms). A value follows from the series and the time."""

    def __init__(self, series: int) -> None:
        self.series = series
        self.samples: dict[int, dict[int, float]] = defaultdict(dict)

    @staticmethod
    def value(series: int, at: int) -> float:
        return float((series * 7919 + at // STEP_MS * 104_729) % 1000)

    def labels(self, series: int) -> dict[str, str]:
        return {"__name__": METRIC, "i": str(series), "group": str(series % 8)}

    def window(self, series: int, start: int, end: int) -> list[float]:
        """Values after `start` and up to `end`."""
        first = (start - OFFSET_MS) // STEP_MS * STEP_MS + OFFSET_MS
        own = self.samples[series]
        return [own[at] for at in range(first, end + 1, STEP_MS) if at > start and at in own]

    def last(self, series: int, at: int) -> float | None:
        found = self.window(series, at - 300_000, at)
        return found[-1] if found else None

    def answer(self, name: str, steps: list[int]) -> dict[str, dict[int, float]]:
        """The answer of a query at each step (ms), by a text of its labels."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for at in steps:
            for key, value in self._at(name, at).items():
                found[key][at] = value
        return dict(found)

    def _at(self, name: str, at: int) -> dict[str, float]:
        every = range(self.series)
        if name == "value":
            lasts = {f"i={series}": self.last(series, at) for series in range(min(5, self.series))}
            return {key: value for key, value in lasts.items() if value is not None}
        if name == "sum":
            values = [value for series in every if (value := self.last(series, at)) is not None]
            return {"": sum(values)} if values else {}
        if name == "count":
            counts = {f"i={s}": float(len(self.window(s, at - 120_000, at))) for s in every if s % 8 == 2}
            return {key: count for key, count in counts.items() if count}
        width, fold = (60_000, sum) if name == "over_time" else (300_000, max)
        windows: dict[str, list[float]] = defaultdict(list)
        for series in every:
            windows[f"group={series % 8}"] += self.window(series, at - width, at)
        return {key: float(fold(values)) for key, values in windows.items() if values}


def differences(model: Model, gateway: str, begin: int, end: int) -> list[str]:
    """Compare kept, computed and plain answers of all queries, from `begin` to `end` (ms, whole minutes)."""
    found = []
    with httpx.Client(timeout=60, base_url=gateway) as http:
        for name, text in QUERIES.items():
            for step in (15_000, 60_000):
                for start in range(begin, end, ANSWER_MS):
                    last = min(start + ANSWER_MS, end)
                    form = {"query": text.format(metric=METRIC), "step": str(step // 1000)}
                    form |= {"start": str(start / 1000), "end": str(last / 1000)}
                    plain = model.answer(name, list(range(start, last + 1, step)))
                    for how in ("computed", "kept", "kept again"):
                        answer = _matrix(
                            http, form, {"Cache-Control": "no-store"} if how == "computed" else {}
                        )
                        if answer != plain:
                            found.append(f"{name} step {step} {how}: {_first_difference(answer, plain)}")
    return found


def _matrix(http: httpx.Client, form: dict[str, str], headers: dict[str, str]) -> dict[str, dict[int, float]]:
    answer = http.post("/api/v1/query_range", data=form, headers=headers)
    answer.raise_for_status()
    found = {}
    for one in answer.json()["data"]["result"]:
        labels = one["metric"]
        key = f"i={labels['i']}" if "i" in labels else f"group={labels['group']}" if "group" in labels else ""
        found[key] = {round(at * 1000): float(value) for at, value in one["values"]}
    return found


def _first_difference(found: dict[str, dict[int, float]], plain: dict[str, dict[int, float]]) -> str:
    places = [
        (at, key, found.get(key, {}).get(at), plain.get(key, {}).get(at))
        for key in found.keys() | plain.keys()
        for at in found.get(key, {}).keys() | plain.get(key, {}).keys()
        if found.get(key, {}).get(at) != plain.get(key, {}).get(at)
    ]
    at, key, one, other = min(places)[:4]
    return f"{len(places)} of them, first at {at} {key}: {one} instead of {other}"
