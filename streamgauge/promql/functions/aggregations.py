"""Aggregations over the series of a vector."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import xxhash

from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import METADATA, Codes, LabelTable
from streamgauge.promql.data.query import Limits
from streamgauge.promql.data.vectors import Mask, Values, Vector, counts, empty, merged
from streamgauge.promql.functions.arithmetic import maximum, minimum
from streamgauge.promql.functions.partials import FAMILIES, Partial, of_vector, stacked, to_vector
from streamgauge.promql.kernels import aggregate_kernels as kernels
from streamgauge.promql.kernels import merge_kernels
from streamgauge.promql.syntax.ast import Aggregate, AggregateOp, bare
from streamgauge.promql.syntax.literals import number_text, short

_INT64 = 2.0**63
_SORTING = 16
"""How many times the work of looking at a value it is to sort it."""
_RANKED = {AggregateOp.TOPK: 1.0, AggregateOp.BOTTOMK: -1.0, AggregateOp.LIMITK: 0.0}


def grouping(labels: LabelTable, names: Sequence[str], without: bool) -> LabelTable:
    """The labels by which series are grouped, and which the groups keep."""
    return labels.drop({*names, *METADATA}) if without else labels.keep(names)


def aggregate(
    node: Aggregate, vector: Vector, param: Values | None, limits: Limits, annotations: Annotations
) -> Vector:
    """Every aggregation but count_values.

    :param param: (steps,) the number in front, for those that have one.
    :raises InvalidQuery: for a parameter that Prometheus refuses, and by the limits.
    """
    if node.op is AggregateOp.LIMIT_RATIO:
        _check_param(node, param, annotations)
        return _sampled(vector.seen(), _required(param))
    return merge(node, [collect(node, vector, param, limits, annotations)], param, limits, annotations)


def collect(
    node: Aggregate, vector: Vector, param: Values | None, limits: Limits, annotations: Annotations
) -> Partial:
    """What `merge` needs of the series of one lane, for every aggregation but limit_ratio and count_values.

    :raises InvalidQuery: for a parameter that Prometheus refuses, and by the limits.
    """
    _check_param(node, param, annotations)
    vector = vector.seen()
    if node.op in _RANKED:
        return of_vector(_best(node, vector, _required(param), limits))
    labels = grouping(vector.labels, node.grouping, node.without)
    if node.op is AggregateOp.QUANTILE:
        return Partial(labels, {"values": vector.values, "present": vector.present})
    codes, first = labels.groups()
    return Partial(labels.distinct(), FAMILIES[node.op].collect(vector, codes, len(first), limits))


def merge(
    node: Aggregate,
    partials: Sequence[Partial],
    param: Values | None,
    limits: Limits,
    annotations: Annotations,
) -> Vector:
    """The aggregation from what `collect` gave for each lane, at least one.

    :raises InvalidQuery: for a parameter that Prometheus refuses, and by the limits.
    """
    _check_param(node, param, annotations)
    rows = stacked(partials)
    if node.op in _RANKED:
        found = to_vector(rows)
        return found if len(partials) == 1 else _best(node, found, _required(param), limits)
    if node.op is AggregateOp.QUANTILE:
        return _quantile(to_vector(rows), _required(param), limits)
    family = FAMILIES[node.op]
    if len(partials) == 1:
        return Vector(rows.labels, *family.finish(rows.columns))
    codes, first = rows.labels.groups()
    return Vector(
        rows.labels.distinct(), *family.finish(family.merge(rows.columns, codes, len(first), limits))
    )


def _quantile(vector: Vector, param: Values, limits: Limits) -> Vector:
    if not vector.labels.count:
        return empty(vector.values.shape[1])
    codes, first = vector.labels.groups()
    order, starts = _by_group(codes, len(first))
    out = np.zeros((len(first), vector.values.shape[1]))
    seen = np.zeros(out.shape, np.int64)
    for steps in limits.parts(out.shape[1], _SORTING * len(order)):
        begin, end = steps.start, steps.stop
        kernels.quantile(vector.values, vector.present, order, starts, param, begin, end, out, seen)
    return Vector(vector.labels.take(first), out, seen > 0)


def count_values(node: Aggregate, vector: Vector, label: str, limits: Limits) -> Vector:
    """How many series have each value, which becomes a label.

    :raises InvalidQuery: by the limits.
    """
    rows, steps = np.nonzero(vector.present)
    distinct, codes = np.unique(vector.values[rows, steps].view(np.uint64), return_inverse=True)
    # one series for each pair of a series and a value it has
    pairs, inverse = np.unique(rows * max(1, len(distinct)) + codes, return_inverse=True)
    limits.check_size(len(pairs), vector.values.shape[1])
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


def merge_counts(counted: Sequence[Vector]) -> Vector:
    """The count_values of series in several lanes from those of each, at least one."""
    rows = stacked([of_vector(vector) for vector in counted])
    codes, first = rows.labels.groups()
    found = np.zeros((len(first), rows.columns["values"].shape[1]), np.int64)
    merge_kernels.added(rows.columns["values"].astype(np.int64), codes, found)
    return Vector(rows.labels.take(first), found.astype(np.float64), found > 0)


def _by_group(codes: Codes, groups: int) -> tuple[Codes, Codes]:
    order = np.argsort(codes, kind="stable")
    return order, np.searchsorted(codes[order], np.arange(groups + 1))


def _best(node: Aggregate, vector: Vector, param: Values, limits: Limits) -> Vector:
    steps = vector.values.shape[1]
    if not vector.labels.count or param.max(initial=-np.inf) < 1:
        return empty(steps)
    best = np.minimum(param.astype(np.int64), vector.labels.count)
    # of equal values those are best whose labels come first, wherever the series were read
    rows = vector.labels.order()
    codes, first = grouping(vector.labels.take(rows), node.grouping, node.without).groups()
    order, starts = _by_group(codes, len(first))
    rank = np.zeros(vector.values.shape, np.int64)
    order, sign = rows[order], _RANKED[node.op]
    for part in limits.parts(steps, _SORTING * len(order)):
        begin, end = part.start, part.stop
        kernels.ranked(vector.values, vector.present, order, starts, best, sign, begin, end, rank)
    found = Vector(vector.labels, vector.values, rank > 0)
    if steps == 1:
        found = found.take(rows[np.lexsort((rank[rows, 0], codes))])
    return found.seen()


def _sampled(vector: Vector, param: Values) -> Vector:
    if not vector.labels.count or (param == 0).all():
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


def _check_param(node: Aggregate, param: Values | None, annotations: Annotations) -> None:
    """Refuse or warn of a parameter, whether there is anything to aggregate or not."""
    if param is None or node.param is None or not len(param):
        return
    span = bare(node.param).span
    most, least = reduce(maximum, param), reduce(minimum, param)
    match node.op:
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
