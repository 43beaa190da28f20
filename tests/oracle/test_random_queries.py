from random import Random

from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    AtBoundary,
    Binary,
    BinaryOp,
    Call,
    Card,
    MatrixSelector,
    Subquery,
    VectorSelector,
    walk,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from tests.oracle.random_queries import LEFT_OUT, Queries

OF_NATIVE_HISTOGRAMS = {"</", ">/"}


def features(node):
    """What of the language a node shows."""
    match node:
        case Call():
            return {node.function}
        case Aggregate():
            return {node.op, "without" if node.without else "by" if node.grouping else "no grouping"}
        case Binary(matching=None):
            return {node.op, "bool"} if node.return_bool else {node.op}
        case Binary():
            matching = node.matching
            fills = [name for name in ("fill_left", "fill_right") if getattr(matching, name) is not None]
            include = {"group_x (label)"} if matching.include else set()
            return {node.op, matching.card, "on" if matching.on else "ignoring", *fills, *include}
        case VectorSelector() | Subquery():
            found = {"@"} if isinstance(node.at, int) else {node.at}
            if isinstance(node.offset, int):
                found.add("offset" if node.offset > 0 else "negative offset" if node.offset < 0 else None)
            else:
                found.add("computed offset")
            if isinstance(node, Subquery):
                return found | {"default step" if node.step is None else "step"}
            return found | {name for name in ("anchored", "smoothed") if getattr(node, name)}
        case MatrixSelector() if not isinstance(node.range, int):
            return {"computed range"}
    return set()


def test_they_show_all_of_the_language():
    supply, seen = Queries(Random("queries 1")), set()
    texts = [supply.next().text for _ in range(5000)]
    for text in texts:
        try:
            seen.update(*map(features, walk(parse(text))))
        except InvalidExpression:
            continue
    wanted = {
        *(set(FUNCTIONS) - LEFT_OUT),
        *AggregateOp,
        *(op for op in BinaryOp if op.value not in OF_NATIVE_HISTOGRAMS),
        *Card,
        *AtBoundary,
        *(
            "by",
            "without",
            "no grouping",
            "bool",
            "on",
            "ignoring",
            "group_x (label)",
            "fill_left",
            "fill_right",
        ),
        *("@", "offset", "negative offset", "computed offset", "computed range", "default step", "step"),
        *("anchored", "smoothed"),
    }
    assert not wanted - seen
    assert all(any(part in text for text in texts) for part in ("#", "\n", "ä", "grün", "0x", "OFFSET", "`"))
