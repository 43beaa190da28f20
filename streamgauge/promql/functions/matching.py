"""Binary operators between two vectors: which series belong together, and what becomes of them."""

from typing import NamedTuple

import numpy as np

from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.labels import METADATA, Codes, Column, LabelTable, concat
from streamgauge.promql.data.vectors import Mask, Values, Vector, counts, joined, merged, written
from streamgauge.promql.functions.arithmetic import arithmetic, compared
from streamgauge.promql.syntax.ast import BinaryOp, Card, Matching


class _Pairs(NamedTuple):
    """Values of both sides that belong together. many, one: the labels of each pair's two sides."""

    many: LabelTable
    one: LabelTable
    signature: Codes
    left: Values
    right: Values
    present: Mask


def set_operation(op: BinaryOp, left: Vector, right: Vector, matching: Matching) -> Vector:
    """and, or, unless: by whether the other side has a series with equal matching labels at the step."""
    left_codes, right_codes, groups = _signatures(left.labels, right.labels, matching)
    if op is BinaryOp.OR:
        there = counts(left_codes, groups, left.present)[right_codes] > 0
        return joined(left, Vector(right.labels, right.values, right.present & ~there).seen())
    there = counts(right_codes, groups, right.present)[left_codes] > 0
    return Vector(left.labels, left.values, left.present & (there if op is BinaryOp.AND else ~there))


def vector_operation(
    op: BinaryOp, left: Vector, right: Vector, matching: Matching, return_bool: bool
) -> Vector:
    """An arithmetic operator or a comparison.

    :raises InvalidQuery: if a series has several to match with, or two results have the same labels.
    """
    swapped = matching.card is Card.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    many, one = many.seen(), one.seen()
    fills = matching.fill_left, matching.fill_right
    fill_many, fill_one = reversed(fills) if swapped else fills
    many_codes, one_codes, groups = _signatures(many.labels, one.labels, matching)
    filled = fill_many is not None or fill_one is not None
    evaluated = np.ones(one.present.shape[1], bool) if filled else many.present.any(axis=0)
    if (step := _first_doubled(one, one_codes, groups, evaluated)) is not None:
        # what is wrong at an earlier step comes first
        if step:
            vector_operation(op, _until(left, step), _until(right, step), matching, return_bool)
        raise _doubled(one, one_codes, step, matching)
    parts = [_matched(many, one, many_codes, one_codes, matching)]
    if fill_one is not None:
        there = counts(one_codes, groups, one.present)[many_codes] > 0
        absent = _matching_labels(many.labels, matching)
        fill = np.full(many.values.shape, fill_one.value)
        parts.append(_Pairs(many.labels, absent, many_codes, many.values, fill, many.present & ~there))
    if fill_many is not None:
        there = counts(many_codes, groups, many.present)[one_codes] > 0
        absent = _matching_labels(one.labels, matching)
        fill = np.full(one.values.shape, fill_many.value)
        parts.append(_Pairs(absent, one.labels, one_codes, fill, one.values, one.present & ~there))
    pairs = _together(parts)
    labels = _result_labels(op, pairs, matching, return_bool)
    _check_many_side(labels, pairs, groups, matching)
    lhs, rhs = (pairs.right, pairs.left) if swapped else (pairs.left, pairs.right)
    if not op.is_comparison:
        return merged(Vector(labels, arithmetic(op, lhs, rhs), pairs.present))
    holds = compared(op, lhs, rhs)
    if return_bool:
        return merged(Vector(labels, holds.astype(np.float64), pairs.present))
    return merged(Vector(labels, lhs, pairs.present & holds))


def _signatures(left: LabelTable, right: LabelTable, matching: Matching) -> tuple[Codes, Codes, int]:
    """The match group of each series of both sides, and how many there are."""
    both = concat([_matching_labels(left, matching), _matching_labels(right, matching)])
    codes, first = both.groups()
    return codes[: left.count], codes[left.count :], len(first)


def _matching_labels(labels: LabelTable, matching: Matching) -> LabelTable:
    return labels.keep(matching.labels) if matching.on else labels.drop({*matching.labels, *METADATA})


def _first_doubled(one: Vector, codes: Codes, groups: int, evaluated: Mask) -> int | None:
    """The first step at which a match group has several series on the side that may have one."""
    if groups >= one.labels.count and len(np.unique(codes)) == one.labels.count:
        return None
    doubled = ((counts(codes, groups, one.present) > 1) & evaluated).any(axis=0)
    return int(doubled.argmax()) if doubled.any() else None


def _doubled(one: Vector, codes: Codes, step: int, matching: Matching) -> InvalidQuery:
    rows = np.flatnonzero(one.present[:, step])
    again = np.ones(len(rows), bool)
    again[np.unique(codes[rows], return_index=True)[1]] = False
    second = int(rows[np.argmax(again)])
    first = int(rows[np.argmax(codes[rows] == codes[second])])
    named = sorted(written(one.labels.row(row)) for row in (first, second))
    alike = written(_matching_labels(one.labels, matching).row(first))
    side = "left" if matching.card is Card.ONE_TO_MANY else "right"
    return InvalidQuery(
        QueryFault.MATCHING,
        f"found duplicate series for the match group {alike} on the {side} hand-side of the operation: "
        f"[{', '.join(named)}];many-to-many matching not allowed: matching labels must be unique on one side",
    )


def _until(vector: Vector, step: int) -> Vector:
    return Vector(vector.labels, vector.values[:, :step], vector.present[:, :step])


def _matched(many: Vector, one: Vector, many_codes: Codes, one_codes: Codes, matching: Matching) -> _Pairs:
    """Every pair of series of one match group."""
    order = np.argsort(one_codes, kind="stable")
    ranked = one_codes[order]
    begins = np.searchsorted(ranked, many_codes, "left")
    sizes = np.searchsorted(ranked, many_codes, "right") - begins
    many_rows = np.repeat(np.arange(len(many_codes)), sizes)
    within = np.arange(len(many_rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    one_rows = order[np.repeat(begins, sizes) + within]
    taken = many.labels.take(many_rows)
    wanted = one.labels.keep(matching.include).take(one_rows)
    present = many.present[many_rows] & one.present[one_rows]
    return _Pairs(taken, wanted, many_codes[many_rows], many.values[many_rows], one.values[one_rows], present)


def _together(parts: list[_Pairs]) -> _Pairs:
    if len(parts) == 1:
        return parts[0]
    return _Pairs(
        concat([part.many for part in parts]),
        concat([part.one for part in parts]),
        np.concatenate([part.signature for part in parts]),
        np.concatenate([part.left for part in parts]),
        np.concatenate([part.right for part in parts]),
        np.concatenate([part.present for part in parts]),
    )


def _result_labels(op: BinaryOp, pairs: _Pairs, matching: Matching, return_bool: bool) -> LabelTable:
    labels = pairs.many
    if return_bool or not op.is_comparison:
        labels = labels.drop(METADATA)
    if matching.card is Card.ONE_TO_ONE:
        labels = labels.keep(matching.labels) if matching.on else labels.drop(matching.labels)
    for name in matching.include:
        none = Column(np.zeros(labels.count, np.int64), ("",))
        labels = labels.with_column(name, pairs.one.columns.get(name, none))
    return labels


def _check_many_side(labels: LabelTable, pairs: _Pairs, groups: int, matching: Matching) -> None:
    if matching.card is Card.ONE_TO_ONE:
        codes, size = pairs.signature, groups
        detail = "many-to-one matching must be explicit (group_left/group_right)"
    else:
        alike, first = labels.groups()
        codes, size = alike * groups + pairs.signature, len(first) * groups
        detail = "grouping labels must ensure unique matches"
    distinct, codes = np.unique(codes, return_inverse=True)
    if (
        len(distinct) < len(codes)
        and counts(codes, min(size, len(distinct)), pairs.present).max(initial=0) > 1
    ):
        raise InvalidQuery(QueryFault.MATCHING, f"multiple matches for labels: {detail}")
