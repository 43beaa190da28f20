"""Which samples an expression looks at when it is evaluated at a moment."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streamgauge.promql.engine.selection import milliseconds
from streamgauge.promql.syntax.ast import (
    At,
    AtBoundary,
    Duration,
    Expr,
    MatrixSelector,
    Subquery,
    VectorSelector,
    children,
)
from streamgauge.rules.machine.compiled import CompiledGroup
from streamgauge.series.matchers import Matcher

Conditions = tuple[Matcher, ...]
"""Those of a selector, that of the metric's name included."""


class Reach(NamedTuple):
    """A selector looks at the samples from `before` ms before a moment to `after` ms after it, both included."""

    conditions: Conditions
    before: int
    after: int


class FixedTime(Exception):
    """An expression looks at a time that does not move with the moment of its evaluation."""


class _Span(NamedTuple):
    """The times at which a part is evaluated: from `before` ms before the moment to `after` ms after it."""

    before: int
    after: int

    def moved(self, at: At | None, offset: Duration) -> "_Span":
        back = milliseconds(offset)
        if isinstance(at, int):
            raise FixedTime
        if isinstance(at, AtBoundary):
            # which an aggregation's parameter overlooks
            return _Span(max(self.before, 0) + back, max(self.after, 0) - back)
        return _Span(self.before + back, self.after - back)


def reaches(expression: Expr, lookback_ms: int) -> list[Reach]:
    """What each selector looks at, once for every place where it stands.

    :param lookback_ms: how old a sample may be that stands for a series.
    :raises FixedTime: if that cannot be said for all moments.
    """
    found = []
    waiting = [(expression, _Span(0, 0))]
    while waiting:
        node, span = waiting.pop()
        if isinstance(node, VectorSelector | MatrixSelector):
            found.append(_selected(node, span, lookback_ms))
            continue
        if isinstance(node, Subquery):
            end = span.moved(node.at, node.offset)
            span = _Span(end.before + milliseconds(node.range), end.after)
        waiting.extend((child, span) for child in reversed(children(node)))
    return found


def reach_of(groups: Sequence[CompiledGroup], lookback_ms: int) -> list[Reach]:
    """What the rules of groups look at, but for expressions with fixed times and the queries of templates."""
    found: list[Reach] = []
    for group in groups:
        for rule in group.rules:
            for expression in (rule.expr, rule.resolve, rule.data):
                with contextlib.suppress(FixedTime):
                    found += reaches(expression, lookback_ms) if expression is not None else []
    most = max((group.query_offset_ms for group in groups), default=0)
    return [Reach(one.conditions, one.before + most, one.after) for one in united(found)]


def united(found: Iterable[Reach]) -> list[Reach]:
    """Each selector once, with all that it looks at anywhere."""
    spans: dict[Conditions, _Span] = {}
    for conditions, before, after in found:
        old = spans.get(conditions, _Span(before, after))
        spans[conditions] = _Span(max(old.before, before), max(old.after, after))
    return [Reach(conditions, *span) for conditions, span in spans.items()]


def _selected(node: VectorSelector | MatrixSelector, span: _Span, lookback_ms: int) -> Reach:
    selector = node if isinstance(node, VectorSelector) else node.selector
    end = span.moved(selector.at, selector.offset)
    around = selector.anchored or selector.smoothed
    before = end.before + (lookback_ms if around or isinstance(node, VectorSelector) else 0)
    if isinstance(node, MatrixSelector):
        before += milliseconds(node.range)
    return Reach(selector.conditions, before, end.after + (lookback_ms if selector.smoothed else 0))
