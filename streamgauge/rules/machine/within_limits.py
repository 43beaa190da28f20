"""Enforces the label limits on results of rules: drops the series above them and keeps all others."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from schemas.limits import (
    MAX_LABEL_NAME_BYTES,
    MAX_LABEL_VALUE_BYTES,
    MAX_LABELS,
    MAX_LABELS_BYTES,
    MAX_METRIC_NAME_BYTES,
    check,
)
from streamgauge.rules.machine.alerts import Failure, Observed, Result
from streamgauge.rules.machine.evaluation import ALERT_STATE, FOR_STATE, Point
from streamgauge.series.labels import NAME, InvalidLabels, canonical

_SURELY_FITS = min(MAX_METRIC_NAME_BYTES, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS_BYTES) // 2
_STORED = {NAME: FOR_STATE, ALERT_STATE: "pending"}
"""What the labels of an alert have beside them where they are stored."""

Given = TypeVar("Given")
Found = Result | list[Point] | Failure
Pairs = Collection[tuple[str, str]]


class Fitting(NamedTuple):
    """What a rule gave but for what was left out, how many series that are, and why, "" if none are."""

    found: Found
    left_out: int = 0
    fault: str = ""


def within_limits(found: Found) -> Fitting:
    """Leave out series whose labels are above the limits, or cannot be stored at all."""
    if isinstance(found, Failure):
        return Fitting(found)
    if isinstance(found, list):
        points, fault = points_within_limits(found)
        return Fitting(points, len(found) - len(points), fault)
    return Fitting(*_result_within_limits(found))


def points_within_limits(points: list[Point]) -> tuple[list[Point], str]:
    """The series to record but for those that are left out, and why, "" if none are."""
    return _fitting(points, lambda point: point.labels.items())


def result_within_limits(result: Result) -> tuple[Result, str]:
    """What an alert needs to know but for the series that are left out, and why, "" if none are."""
    kept, _, fault = _result_within_limits(result)
    return kept, fault


def _result_within_limits(result: Result) -> tuple[Result, int, str]:
    observed = [*result.alerting, *([result.missing] if result.missing else [])]
    kept, fault = _fitting(observed, _pairs)
    if not fault:
        return result, 0, ""
    missing = result.missing if result.missing in kept else None
    alerting = [one for one in kept if one is not missing]
    return replace(result, alerting=alerting, missing=missing), len(observed) - len(kept), fault


def fault_of(pairs: Pairs) -> str:
    """Why labels are above the limits, or cannot be stored, "" if they are neither."""
    if _surely_fits(pairs):
        return ""
    try:
        check(canonical(dict(pairs)))
    except InvalidLabels as fault:
        return str(fault)
    return ""


def left_out(count: int, total: int, first: str) -> str:
    """The error of a rule of whose series some were left out. first: the fault of the first."""
    return f"{count} of {total} series left out: {first}"


def _pairs(one: Observed) -> Pairs:
    return (*one.labels, *_STORED.items())


def _fitting(found: Sequence[Given], pairs: Callable[[Given], Pairs]) -> tuple[list[Given], str]:
    kept, first = [], ""
    for one in found:
        if fault := fault_of(pairs(one)):
            first = first or fault
        else:
            kept.append(one)
    missing = len(found) - len(kept)
    return kept, left_out(missing, len(found), first) if missing else ""


def _surely_fits(pairs: Pairs) -> bool:
    """Whether labels fit for certain: asked of every series at every tick."""
    parts = [part for pair in pairs for part in pair]
    text = "".join(parts)
    return (
        len(text) + len(parts) <= _SURELY_FITS
        and len(parts) < MAX_LABELS
        and "" not in parts
        and text.isascii()
    )
