"""What a query is going to read, before it is evaluated: exactly what its evaluation asks its source for."""

from collections.abc import Sequence

from streamgauge.promql.data.query import Grid, Level, Query
from streamgauge.promql.engine import selection
from streamgauge.promql.engine.evaluator import subquery_grid
from streamgauge.promql.engine.invariance import invariant_parts
from streamgauge.promql.engine.selection import Read, window_ends
from streamgauge.promql.syntax.ast import (
    Aggregate,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    VectorSelector,
    bare,
    children,
)


class PlannedReads:
    """The reads of an expression whose durations are resolved, for any query of it.

    :param levels: of the source, none if it has samples only.
    """

    def __init__(self, expression: Expr, levels: Sequence[Level]) -> None:
        self._expression = expression
        self._levels = levels
        self._invariant = invariant_parts(expression)

    def of(self, query: Query) -> list[Read]:
        """Those of each selector that is evaluated, always in the same order."""
        found: list[Read] = []
        waiting: list[tuple[Expr, Grid, bool, str]] = [(self._expression, query.grid, True, "")]
        while waiting:
            node, grid, heeds, function = waiting.pop()
            if id(node) in self._invariant and not grid.is_instant:
                grid = grid.first
            match node:
                case VectorSelector():
                    ends = window_ends(node.at, node.offset, grid, query, heeds)
                    found.append(selection.of_vector(node, ends, grid, query, self._levels)[0])
                case MatrixSelector():
                    ends = window_ends(node.selector.at, node.selector.offset, grid, query, heeds)
                    rolled = selection.of_function(function, node, ends, grid, query, self._levels)
                    found.extend(rolled or [selection.of_matrix(node, ends, query, self._levels)])
                case Subquery():
                    ends = window_ends(node.at, node.offset, grid, query, heeds)
                    below = subquery_grid(node, ends, query)
                    if below.count:
                        waiting.append((node.expr, below, heeds, ""))
                case Call():
                    waiting.extend((_argument(each), grid, heeds, node.function) for each in node.args)
                case Aggregate():
                    waiting.append((node.expr, grid, heeds, ""))
                    if node.param is not None:
                        waiting.append((node.param, grid, False, ""))
                case Paren():
                    waiting.append((node.expr, grid, heeds, function))
                case _:
                    waiting.extend((child, grid, heeds, "") for child in children(node))
        return found


def _argument(argument: Expr) -> Expr:
    """A range is taken out of its parentheses by the function that it is given to."""
    return bare(argument) if isinstance(bare(argument), MatrixSelector | Subquery) else argument
