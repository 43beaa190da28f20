"""Infos about a query in parts: they must be those about the query as a whole."""

from collections.abc import Iterable

from streamgauge.gateway.cache.pieces import Note
from streamgauge.promql.data.annotations import COUNTER_SUFFIXES
from streamgauge.promql.syntax.ast import Call, Expr, MatrixSelector, bare, walk
from streamgauge.series.matchers import names_of

Notes = tuple[Note, ...]


def may_inform(expression: Expr) -> bool:
    """Whether there may be infos that name metrics: which ones depends on the series that have values at the steps."""
    return any(
        isinstance(node, Call) and node.function in ("rate", "increase") and not _is_counter(node.args[0])
        for node in walk(expression)
    )


def _is_counter(argument: Expr) -> bool:
    ranged = bare(argument)
    if not isinstance(ranged, MatrixSelector):
        return False
    names = names_of(ranged.selector.conditions)
    return bool(names) and all(name.endswith(COUNTER_SUFFIXES) for name in names)


def together(whole: Iterable[Notes], cut: Iterable[Notes]) -> Notes | None:
    """The infos about all parts; None if that cannot be told from those about each.

    Parts that have the same infos, or none, have them in the order in which the whole would. What is about a part of
    which only some steps were asked for may be about the others.

    :param whole: of the parts of which all steps were asked for. :param cut: of the others.
    """
    certain = {notes for notes in whole if notes}
    possible = {notes for notes in cut if notes}
    if len(certain) > 1 or not possible <= certain:
        return None
    return certain.pop() if certain else ()
