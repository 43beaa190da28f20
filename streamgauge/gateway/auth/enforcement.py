"""Adds the enforced matchers of a user to every request before it reads any series."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.gateway.request.parameters import Form
from streamgauge.gateway.request.principals import Principal
from streamgauge.promql.syntax import parser, printer
from streamgauge.promql.syntax.ast import (
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    Paren,
    Subquery,
    Unary,
    VectorSelector,
)
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.literals import matcher_text
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher
from streamgauge.series.regexes import RegexAllowance

Matchers = tuple[Matcher, ...]
Part = TypeVar("Part", bound=Expr)


def enforced(form: Form) -> Form:
    """The form as the principal may ask it.

    Every selector in `query` and `match[]` gets the principal's matchers, beside those that it has: to ask for others'
    series is to ask for nothing. Where no `match[]` is given, the principal's own is. What is no PromQL stays, and is
    refused by whoever reads it; of several `query` the first counts.

    :raises InvalidRequest: for more `match[]`, or larger regexes, than a request may have.
    """
    matchers = form.principal.enforced
    if not matchers:
        return form
    regexes = RegexAllowance()
    pairs = [(name, value) for name, value in form.pairs if name not in ("query", "match[]")]
    pairs += [("query", _restricted(value, matchers, regexes)) for value in form.all("query")[:1]]
    selectors = form.selectors()
    pairs += [
        ("match[]", _restricted(value, matchers, regexes, parser.series_selector)) for value in selectors
    ]
    if not selectors:
        pairs.append(("match[]", f"{{{','.join(map(matcher_text, matchers))}}}"))
    return form.with_pairs(pairs)


def refuse_restricted(principal: Principal) -> None:
    """Refuse requests that are not about series.

    :raises InvalidRequest: for principals who may see some only.
    """
    if principal.enforced:
        detail = "not available to users who may see only some series"
        raise InvalidRequest(ErrorType.FORBIDDEN, detail)


def restricted(expr: Part, matchers: Matchers) -> Part:
    """The expression with matchers in each of its selectors."""
    match expr:
        case VectorSelector():
            # where there are other conditions for the metric name, it may only stand among them
            is_named_again = any(matcher.name == NAME for matcher in (*expr.matchers, *matchers))
            own, name = (expr.conditions, "") if is_named_again else (expr.matchers, expr.name)
            # in the order in which the parser puts them
            found = sorted((*own, *matchers), key=matcher_text)
            return replace(expr, name=name, matchers=tuple(found))
        case MatrixSelector():
            return replace(expr, selector=restricted(expr.selector, matchers))
        case Subquery() | Paren() | Unary():
            return replace(expr, expr=restricted(expr.expr, matchers))
        case Aggregate():
            param = None if expr.param is None else restricted(expr.param, matchers)
            return replace(expr, expr=restricted(expr.expr, matchers), param=param)
        case Binary():
            return replace(expr, lhs=restricted(expr.lhs, matchers), rhs=restricted(expr.rhs, matchers))
        case Call():
            return replace(expr, args=tuple([restricted(each, matchers) for each in expr.args]))
        case _:
            return expr


def _restricted(
    text: str,
    matchers: Matchers,
    regexes: RegexAllowance,
    read: Callable[[str, RegexAllowance], Expr] = parser.parse,
) -> str:
    """The text with the matchers. read: what reads it later too: what only that one takes would slip by."""
    try:
        return printer.canonical(restricted(read(text, regexes), matchers))
    except InvalidExpression as error:
        if regexes.is_spent:
            # whoever reads it next may still take it
            raise InvalidRequest(ErrorType.BAD_DATA, str(error)) from None
        return text
