"""The series of an answer, and how their labels are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamgauge.promql.syntax.literals import label_text, quoted
from streamgauge.query.client import Answer
from streamgauge.series.labels import NAME


@dataclass(frozen=True, slots=True)
class Series:
    """Labels, times in Unix seconds, and the values as the API writes them."""

    labels: Mapping[str, str]
    times: Sequence[float]
    texts: Sequence[str]

    @property
    def values(self) -> list[float]:
        """The values as numbers."""
        return [float(text) for text in self.texts]

    @property
    def title(self) -> str:
        """The labels as they stand in a query."""
        rest = ", ".join(
            f"{label_text(name)}={quoted(value)}" for name, value in self.labels.items() if name != NAME
        )
        return (
            f"{self.labels.get(NAME, '')}{{{rest}}}" if rest or NAME not in self.labels else self.labels[NAME]
        )


def series(answer: Answer) -> list[Series]:
    """The series of an answer, one without labels for a scalar or a string."""
    if answer.kind == "vector":
        return [_series(row["metric"], [row["value"]] if "value" in row else []) for row in answer.result]
    if answer.kind == "matrix":
        return [_series(row["metric"], row.get("values", [])) for row in answer.result]
    return [_series({}, [answer.result])]


def label_names(found: Sequence[Series]) -> list[str]:
    """The names of all labels, that of the metric first."""
    names = {name for one in found for name in one.labels}
    return sorted(names, key=lambda name: (name != NAME, name))


def _series(labels: Mapping[str, str], points: Sequence[Any]) -> Series:
    return Series(dict(labels), [float(time) for time, _ in points], [str(text) for _, text in points])
