"""Aggregations over the series of a vector."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import xxhash

from streamgauge.promql import aggregate_kernels as kernels
from streamgauge.promql.annotations import Annotations
from streamgauge.promql.arithmetic import maximum, minimum
from streamgauge.promql.ast import Aggregate, AggregateOp, Span
from streamgauge.promql.faults import InvalidQuery, QueryFault
from streamgauge.promql.labels import METADATA, Codes, LabelTable
from streamgauge.promql.literals import number_text, short
from streamgauge.promql.vectors import Mask, Times, Values, Vector, counts, empty, merged
from streamgauge.promql.walk import bare

_INT64 = 2.0**63


def grouping(labels: LabelTable, names: Sequence[str], without: bool) -> LabelTable:
    """The labels by which series are grouped, and which the groups keep."""
    return labels.drop({*names, *METADATA}) if without else labels.keep(names)


def aggregate(node: Aggregate, vector: Vector, param: Values | None, annotations: Annotations) -> Vector:
    """Every aggregation but count_values.

    :param param: (steps,) the number in front, for those that have one.
    :raises InvalidQuery: for a parameter that Prometheus refuses.
    """
    vector = vector.seen()
    steps = vector.values.shape[1]
    if param is not None and node.param is not None and len(param):
        _check_param(node.op, param, annotations, bare(node.param).span)
    if not vector.labels.count:
        return empty(steps)
    labels = grouping(vector.labels, node.grouping, node.without)
    codes, first = labels.groups()
    match node.op:
        case AggregateOp.TOPK | AggregateOp.BOTTOMK | AggregateOp.LIMITK:
            return _best(node.op, vector, codes, len(first), _required(param))
        case AggregateOp.LIMIT_RATIO:
            return _sampled(vector, _required(param))
    out = np.zeros((len(first), steps))
    seen = np.zeros((len(first), steps), np.int64)
    _run(node.op, vector, codes, param, out, seen)
    return Vector(labels.take(first), out, seen > 0)


def count_values(node: Aggregate, vector: Vector, label: str) -> Vector:
    """How many series have each value, which becomes a label."""
    rows, steps = np.nonzero(vector.present)
    distinct, codes = np.unique(vector.values[rows, steps].view(np.uint64), return_inverse=True)
    # one series for each pair of a series and a value it has
    pairs, inverse = np.unique(rows * max(1, len(distinct)) + codes, return_inverse=True)
    present = np.zeros((len(pairs), vector.values.shape[1]), bool)
    present[inverse, steps] = True
    texts = [number_text(value) for value in distinct.view(np.float64).tolist()]
    labels = vector.labels.take(pairs // max(1, len(distinct)))
    labels = labels.with_values(label, (texts[code] for code in (pairs % max(1, len(distinct))).tolist()))
    names = node.grouping if node.without else (*node.grouping, label)
    labels = grouping(labels, names, node.without)
    groups, first = labels.groups()
    found = counts(groups, len(first), present)
    return merged(Vector(labels.take(first), found.astype(np.float64), found > 0))


def _run(
    op: AggregateOp, vector: Vector, codes: Codes, param: Values | None, out: Values, seen: Times
) -> None:
    values, present = vector.values, vector.present
    match op:
        case AggregateOp.SUM:
            kernels.total(values, present, codes, out, seen)
        case AggregateOp.AVG:
            kernels.mean(values, present, codes, out, seen)
        case AggregateOp.MIN | AggregateOp.MAX:
            kernels.extreme(values, present, codes, 1.0 if op is AggregateOp.MAX else -1.0, out, seen)
        case AggregateOp.STDDEV | AggregateOp.STDVAR:
            kernels.variance(values, present, codes, out, seen)
            if op is AggregateOp.STDDEV:
                np.sqrt(out, out=out)
        case AggregateOp.COUNT | AggregateOp.GROUP:
            seen[:] = counts(codes, len(out), present)
            out[:] = seen if op is AggregateOp.COUNT else 1.0
        case AggregateOp.QUANTILE:
            order, starts = _by_group(codes, len(out))
            kernels.quantile(values, present, order, starts, _required(param), out, seen)


def _by_group(codes: Codes, groups: int) -> tuple[Codes, Codes]:
    order = np.argsort(codes, kind="stable")
    return order, np.searchsorted(codes[order], np.arange(groups + 1))


def _best(op: AggregateOp, vector: Vector, codes: Codes, groups: int, param: Values) -> Vector:
    steps = vector.values.shape[1]
    if param.max(initial=-np.inf) < 1:
        return empty(steps)
    limits = np.minimum(param.astype(np.int64), vector.labels.count)
    sign = {AggregateOp.TOPK: 1.0, AggregateOp.BOTTOMK: -1.0, AggregateOp.LIMITK: 0.0}[op]
    order, starts = _by_group(codes, groups)
    rank = np.zeros(vector.values.shape, np.int64)
    kernels.ranked(vector.values, vector.present, order, starts, limits, sign, rank)
    found = Vector(vector.labels, vector.values, rank > 0)
    if steps == 1:
        rows = np.lexsort((rank[:, 0], codes))
        found = found.take(rows)
    return found.seen()


def _sampled(vector: Vector, param: Values) -> Vector:
    if (param == 0).all():
        return empty(vector.values.shape[1])
    ratio = np.clip(param, -1, 1)
    places = np.array([_place(labels) for labels in vector.labels.rows()])[:, None]
    picked: Mask = np.where(ratio >= 0, places < ratio, places >= 1 + ratio)
    return Vector(vector.labels, vector.values, vector.present & picked).seen()


def _place(labels: dict[str, str]) -> float:
    """Where in [0, 1] a series stands, from the hash that Prometheus takes of its labels."""
    hashed = xxhash.xxh64()
    for text in (text for pair in labels.items() for text in pair):
        data = text.encode()
        size = len(data)
        hashed.update(bytes([size]) if size < 255 else b"\xff" + size.to_bytes(3, "little"))
        hashed.update(data)
    return hashed.intdigest() / (2.0**64)


def _check_param(op: AggregateOp, param: Values, annotations: Annotations, span: Span) -> None:
    """Refuse or warn of a parameter, whether there is anything to aggregate or not."""
    most, least = reduce(maximum, param), reduce(minimum, param)
    match op:
        case AggregateOp.TOPK | AggregateOp.BOTTOMK | AggregateOp.LIMITK if not most < 1:
            _refuse_nan(param, "Parameter")
            if least <= -_INT64:
                raise _bad(f"Scalar value {short(least)} underflows int64")
            if most >= _INT64:
                raise _bad(f"Scalar value {short(most)} overflows int64")
        case AggregateOp.LIMIT_RATIO if most != 0 or least != 0:
            _refuse_nan(param, "Ratio")
            for value, cap in ((most, 1), (least, -1)):
                if value * cap > 1:
                    message = f"ratio value should be between -1 and 1, got {short(value)}, capping to {cap}"
                    annotations.warn(message, span)
        case AggregateOp.QUANTILE:
            if np.isnan(param).any():
                annotations.bad_quantile(np.nan, span)
            if most > 1:
                annotations.bad_quantile(most, span)
            if least < 0:
                annotations.bad_quantile(least, span)


def _refuse_nan(param: Values, word: str) -> None:
    if np.isnan(param).any():
        raise _bad(f"{word} value is NaN")


def _bad(message: str) -> InvalidQuery:
    return InvalidQuery(QueryFault.BAD_PARAMETER, message)


def _required(param: Values | None) -> Values:
    if param is None:
        raise ValueError("an aggregation without its parameter")
    return param
