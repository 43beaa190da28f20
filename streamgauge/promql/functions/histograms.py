"""Functions of classic histograms, whose buckets are series with a label `le`."""

import re
from collections.abc import Sequence
from math import inf
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from streamgauge.promql.data.annotations import Annotations, Repairs
from streamgauge.promql.data.labels import METADATA, Codes, LabelTable, concat
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Mask, Times, Values, Vector, merged
from streamgauge.promql.kernels import histogram_kernels as kernels
from streamgauge.promql.syntax.ast import Span
from streamgauge.promql.syntax.literals import quoted, short

BUCKET = "le"
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


class _Buckets(NamedTuple):
    """Buckets ordered by histogram and bound. labels: those of each histogram, without the metric's name."""

    labels: LabelTable
    values: Values
    present: Mask
    bounds: Values
    starts: Codes


def histogram_quantile(
    vector: Vector,
    q: Values,
    times: Times,
    spans: tuple[Span, Span],
    limits: Limits,
    annotations: Annotations,
) -> Vector:
    """The quantile `q` (steps,) of each histogram.

    :param spans: where the quantile and the vector stand in the query.
    :raises InvalidQuery: if histograms are alike without their names, and by the limits.
    """
    _warn_of_quantile(q, spans[0], annotations)
    buckets = _buckets(vector, spans[1], annotations)
    return merged(_quantile(buckets, q, times, spans[1], limits, annotations))


def histogram_quantiles(
    vector: Vector,
    label: str,
    qs: Sequence[tuple[Values, Span]],
    times: Times,
    span: Span,
    limits: Limits,
    annotations: Annotations,
) -> Vector:
    """Several quantiles of each histogram, told apart by a label.

    :raises InvalidQuery: if results are alike, and by the limits.
    """
    for q, place in qs:
        _warn_of_quantile(q, place, annotations)
    buckets = _buckets(vector, span, annotations)
    parts = []
    broken = np.ones(len(times), bool)
    for q, _ in qs:
        # a quantile may differ from step to step, its label with it
        for value in np.unique(q).tolist():
            there = (q == value) | (np.isnan(q) & np.isnan(value))
            each = np.full(len(q), value)
            part = _quantile(buckets, each, times, span, limits, annotations, broken & there)
            labels = part.labels.with_values(label, [_label_of(value)] * part.labels.count)
            parts.append(Vector(labels, part.values, part.present & there))
        # the first quantile finds the buckets repaired for all that follow
        broken &= ~((q >= 0) & (q <= 1))
    return merged(
        Vector(
            concat([part.labels for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.present for part in parts]),
        )
    )


def histogram_fraction(
    vector: Vector, lower: Values, upper: Values, span: Span, limits: Limits, annotations: Annotations
) -> Vector:
    """The share of each histogram's observations between two bounds (steps,).

    :raises InvalidQuery: if histograms are alike without their names, and by the limits.
    """
    buckets = _buckets(vector, span, annotations)
    out = np.zeros((buckets.labels.count, vector.values.shape[1]))
    seen = np.zeros(out.shape, bool)
    data = buckets.values, buckets.present, buckets.bounds, buckets.starts
    for steps in limits.parts(out.shape[1], len(buckets.bounds)):
        kernels.fraction(*data, lower, upper, steps.start, steps.stop, out, seen)
    return merged(Vector(buckets.labels, out, seen))


def _buckets(vector: Vector, span: Span, annotations: Annotations) -> _Buckets:
    vector = vector.seen()
    texts = vector.labels.values_of(BUCKET)
    known = {text: _bound(text) for text in set(texts)}
    for text in sorted(text for text, bound in known.items() if bound is None):
        annotations.warn(
            f'bucket label "{BUCKET}" is missing or has a malformed value of {quoted(text)}', span
        )
    bounds = np.array([np.nan if known[text] is None else known[text] for text in texts], np.float64)
    good = np.array([known[text] is not None for text in texts], bool)
    vector, bounds = vector.take(good), bounds[good]
    labels = vector.labels.drop({BUCKET})
    codes, first = labels.groups()
    order: npt.NDArray[np.int64] = np.lexsort((bounds, codes))
    return _Buckets(
        labels.take(first).drop(METADATA),
        vector.values[order],
        vector.present[order],
        bounds[order],
        np.searchsorted(codes[order], np.arange(len(first) + 1)),
    )


def _quantile(
    buckets: _Buckets,
    q: Values,
    times: Times,
    span: Span,
    limits: Limits,
    annotations: Annotations,
    told: Mask | Literal[True] = True,
) -> Vector:
    """The quantile of each histogram; `told` are the steps whose repairs are worth an info."""
    out = np.zeros((buckets.labels.count, len(q)))
    seen = np.zeros(out.shape, bool)
    repairs = np.empty((*out.shape, 3))
    data = buckets.values, buckets.present, buckets.bounds, buckets.starts
    for steps in limits.parts(out.shape[1], len(buckets.bounds)):
        kernels.quantile(*data, q, steps.start, steps.stop, out, seen, repairs)
    repaired = ~np.isnan(repairs[:, :, 0]) & told
    if repaired.any():
        annotations.repaired(_told(repairs[repaired], times[repaired.any(axis=0)]), span)
    return Vector(buckets.labels, out, seen)


def _told(repairs: Values, times: Times) -> Repairs:
    return Repairs(
        float(repairs[:, 0].min()),
        float(repairs[:, 1].max()),
        float(repairs[:, 2].max()),
        len(repairs),
        int(times[0]),
        int(times[-1]),
    )


def _warn_of_quantile(q: Values, span: Span, annotations: Annotations) -> None:
    for value in np.unique(q).tolist():
        annotations.bad_quantile(value, span)


def _bound(text: str) -> float | None:
    if _INFINITE.fullmatch(text):
        return -inf if text.startswith("-") else inf
    return float(text) if _NUMBER.fullmatch(text) and "_" not in text else None


def _label_of(value: float) -> str:
    text = short(value or 0.0)
    return text if any(mark in text for mark in ".eNI") else f"{text}.0"
