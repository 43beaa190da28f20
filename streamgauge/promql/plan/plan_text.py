"""Plans for people: an indented tree of what runs where."""

from dataclasses import replace

from streamgauge.promql.plan.planner import Piece, Plan, Ships
from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    Call,
    Expr,
    Subquery,
    Unary,
    VectorSelector,
    bare,
    children,
    walk,
)
from streamgauge.promql.syntax.printer import canonical

_INDENT = "  "
_BELOW = VectorSelector("_")
_SHIPPED = {
    AggregateOp.SUM: "sum, lost, count",
    AggregateOp.AVG: "sum, lost, count",
    AggregateOp.COUNT: "count",
    AggregateOp.GROUP: "presence",
    AggregateOp.MAX: "max",
    AggregateOp.MIN: "min",
    AggregateOp.STDDEV: "mean, squares, count",
    AggregateOp.STDVAR: "mean, squares, count",
    AggregateOp.QUANTILE: "all values, grouping labels",
    AggregateOp.COUNT_VALUES: "count of each value",
    AggregateOp.TOPK: "its topk",
    AggregateOp.BOTTOMK: "its bottomk",
    AggregateOp.LIMITK: "its limitk",
}
_WHOLE = {Ships.SERIES: "its series", Ships.SAMPLES: "its samples", Ships.PRESENCE: "presence"}


def explain(planned: Plan) -> str:
    """The plan as a tree, one line a part, what is below it indented.

    What is evaluated where all series are stands as in the query, `_` for what is below it. `merge` and `gather`
    stand for the place at which parts from all lanes come together.
    """
    pieces = {id(piece.node): piece for piece in planned.pieces}
    return "\n".join(_lines(planned.expression, pieces, 0))


def _lines(node: Expr, pieces: dict[int, Piece], level: int) -> list[str]:
    node = bare(node)
    if (piece := pieces.get(id(node))) is not None:
        return _piece(piece, level)
    if not any(id(part) in pieces for part in walk(node)):
        return [_INDENT * level + canonical(node)]
    below = [line for child in _shown(node, pieces) for line in _lines(child, pieces, level + 1)]
    return [_INDENT * level + _head(node, pieces), *below]


def _piece(piece: Piece, level: int) -> list[str]:
    if piece.node is piece.lane:
        head, shipped = "gather", _WHOLE[piece.ships]
    else:
        head = f"merge {_head(piece.node, {id(piece.node): piece}, piece)}"
        shipped = _SHIPPED[piece.node.op] if isinstance(piece.node, Aggregate) else _WHOLE[piece.ships]
    return [
        _INDENT * level + head,
        f"{_INDENT * (level + 1)}each lane ships {shipped} of: {canonical(piece.lane)}",
    ]


def _shown(node: Expr, pieces: dict[int, Piece]) -> list[Expr]:
    return [child for child in children(node) if any(id(part) in pieces for part in walk(child))]


def _head(node: Expr, pieces: dict[int, Piece], piece: Piece | None = None) -> str:
    """The node with `_` in the place of what stands on lines of its own."""
    shown = [node.expr] if piece is not None and isinstance(node, Aggregate) else _shown(node, pieces)
    if piece is not None and isinstance(node, Call):
        shown = list(node.args)

    def short(child: Expr) -> Expr:
        return _BELOW if any(child is one for one in shown) else child

    match node:
        case Aggregate():
            param = None if node.param is None else short(node.param)
            return canonical(replace(node, expr=short(node.expr), param=param))
        case Binary():
            return canonical(replace(node, lhs=short(node.lhs), rhs=short(node.rhs)))
        case Call():
            return canonical(replace(node, args=tuple([short(argument) for argument in node.args])))
        case Unary() | Subquery():
            return canonical(replace(node, expr=short(node.expr)))
        case _:
            return canonical(node)
