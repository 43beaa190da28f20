"""Series at the limits of what a series may be, and how they are written on every way in."""

import json
from collections.abc import Iterable

from schemas import limits
from streamgauge.series.labels import canonical

GOOD = {"__name__": "good", "job": "j", "instance": "i"}
LIMITS = {
    "metric_name_too_long": limits.MAX_METRIC_NAME_BYTES,
    "label_name_too_long": limits.MAX_LABEL_NAME_BYTES,
    "label_value_too_long": limits.MAX_LABEL_VALUE_BYTES,
    "labels_too_long": limits.MAX_LABELS_BYTES,
    "too_many_labels": limits.MAX_LABELS,
}


def labels_of(reason: str, size: int, **own: str) -> dict[str, str]:
    """Labels that would be refused for this reason, if for any, of exactly this size.

    :param own: labels that it has too.
    """
    labels = {"__name__": "m", "job": "j", "instance": "i", **own}
    if reason == "metric_name_too_long":
        return labels | {"__name__": "m" * size}
    if reason == "label_name_too_long":
        return labels | {"n" * size: "v"}
    if reason == "label_value_too_long":
        return labels | {"v": "é" * (size // 2) + "v" * (size % 2)}
    if reason == "too_many_labels":
        return labels | {f"l{number}": "v" for number in range(size - len(labels))}
    number = 0
    while (left := size - len(canonical(labels))) > 0:
        # a name, and two separators
        labels[f"l{number:03}"] = "v" * min(left - 6, 4000 if left > 4020 else left - 6)
        number += 1
    assert len(canonical(labels)) == size
    return labels


def cases(**own: str) -> dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]]:
    """By the reason of a refusal the series that are within that limit, and those that exceed it."""
    return {
        reason: (
            [labels_of(reason, size, **own) for size in (limit - 1, limit)],
            [labels_of(reason, size, **own) for size in (limit + 1, 10 * limit)],
        )
        for reason, limit in LIMITS.items()
    }


def pushed_of(series: Iterable[dict[str, str]], *times: int) -> bytes:
    """A body for /api/v1/push: each series with a sample at each time (ms), 1, 2 and so on."""
    return json.dumps(
        [
            {
                "metric": labels["__name__"],
                "labels": {name: value for name, value in labels.items() if name != "__name__"},
                "values": [*range(1, len(times) + 1)],
                "timestamps": times,
            }
            for labels in series
        ]
    ).encode()


def page_of(series: Iterable[dict[str, str]], *times: int) -> bytes:
    """A page with the same samples, without the labels that a target adds."""
    lines = []
    for labels in series:
        pairs = [f'{name}="{value}"' for name, value in labels.items() if name not in GOOD]
        text = labels["__name__"] + "{" + ",".join(pairs) + "}"
        lines += [f"{text} {number} {time}\n" for number, time in enumerate(times, 1)]
    return "".join(lines).encode()
