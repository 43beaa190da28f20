"""Checks that the parts of an expression fit together, in the order and the words of Prometheus."""

from dataclasses import replace
from typing import NoReturn

from streamgauge.promql.syntax.ast import (
    Aggregate,
    AggregateOp,
    Binary,
    Call,
    Card,
    Expr,
    MatrixSelector,
    Paren,
    Span,
    Subquery,
    Unary,
    VectorSelector,
)
from streamgauge.promql.syntax.functions_table import FUNCTIONS, Function, ValueType
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, parse_error
from streamgauge.promql.syntax.literals import quoted
from streamgauge.series.labels import NAME

NO_MATCHER = "vector selector must contain at least one non-empty matcher"
_OPERANDS = (ValueType.SCALAR, ValueType.VECTOR)


def check(expr: Expr, text: str) -> Expr:
    """Check an expression whose binary parts all have the matching that their text gives.

    :return: the expression with matching only between vectors, and many-to-many for set operators.
    :raises InvalidExpression: with the reason TYPE.
    """
    return _Checker(text).check(expr)


class _Checker:
    def __init__(self, text: str) -> None:
        self._text = text

    def check(self, expr: Expr) -> Expr:
        match expr:
            case Binary():
                lhs, rhs = self.check(expr.lhs), self.check(expr.rhs)
                self._check_binary(expr, lhs, rhs)
                return _matched(expr, lhs, rhs)
            case Call():
                function = FUNCTIONS[expr.function]
                self._check_count(expr, function)
                labels_only = 1 if function.name == "info" else None
                if labels_only is not None and len(expr.args) > labels_only:
                    self._check_info(expr, expr.args[labels_only])
                args = []
                for number, arg in enumerate(expr.args):
                    args.append(arg if number == labels_only else self.check(arg))
                    self._check_argument(args[-1], function, number)
                return replace(expr, args=tuple(args))
            case Aggregate():
                inner = self.check(expr.expr)
                self._expect(inner, ValueType.VECTOR, "aggregation expression")
                if expr.param is None:
                    return replace(expr, expr=inner)
                param = self.check(expr.param)
                wanted = ValueType.STRING if expr.op is AggregateOp.COUNT_VALUES else ValueType.SCALAR
                self._expect(param, wanted, "aggregation parameter")
                return replace(expr, expr=inner, param=param)
            case Paren():
                return replace(expr, expr=self.check(expr.expr))
            case Unary():
                inner = self.check(expr.expr)
                if inner.type not in _OPERANDS:
                    allowed = "unary expression only allowed on expressions of type scalar or instant vector"
                    self._fail(f"{allowed}, got {quoted(inner.type.documented)}", expr.span)
                return replace(expr, expr=inner)
            case Subquery():
                inner = self.check(expr.expr)
                if inner.type is not ValueType.VECTOR:
                    allowed = "subquery is only allowed on instant vector"
                    self._fail(f"{allowed}, got {inner.type.value} instead", expr.span)
                return replace(expr, expr=inner)
            case MatrixSelector():
                self._check_selector(expr.selector)
            case VectorSelector():
                self._check_selector(expr)
        return expr

    def _check_binary(self, expr: Binary, lhs: Expr, rhs: Expr) -> None:
        types = (lhs.type, rhs.type)
        matching = expr.matching
        assert matching is not None
        operator = self._operator_span(expr)
        if expr.return_bool and not expr.op.is_comparison:
            self._fail("bool modifier can only be used on comparison operators", operator)
        if expr.op.is_comparison and not expr.return_bool and types == (ValueType.SCALAR, ValueType.SCALAR):
            self._fail("comparisons between scalars must use BOOL modifier", operator)
        twice = next((label for label in matching.labels if label in matching.include), None)
        if matching.on and twice is not None:
            self._fail(f"label {quoted(twice)} must not occur in ON and GROUP clause at once", operator)
        for side in (lhs, rhs):
            if side.type not in _OPERANDS:
                self._fail("binary expression must contain only scalar and instant vector types", side.span)
        filled = matching.fill_left is not None or matching.fill_right is not None
        if ValueType.SCALAR in types:
            if matching.labels:
                self._fail("vector matching only allowed between instant vectors", expr.span)
            if filled:
                self._fail("filling in missing series only allowed between instant vectors", expr.span)
        if not expr.op.is_set:
            return
        name = quoted(expr.op.value)
        if ValueType.SCALAR in types:
            self._fail(f"set operator {name} not allowed in binary scalar expression", expr.span)
        if matching.card is not Card.ONE_TO_ONE:
            self._fail(f"no grouping allowed for {name} operation", expr.span)
        if filled:
            self._fail("filling in missing series not allowed for set operators", expr.span)

    def _operator_span(self, expr: Binary) -> Span:
        start, end = expr.lhs.span.end, expr.rhs.span.start
        between = self._text[start:end]
        return Span(start + len(between) - len(between.lstrip(" \t\r\n")), end)

    def _check_count(self, call: Call, function: Function) -> None:
        given, least, most = len(call.args), function.least, function.most
        if given >= least and (most is None or given <= most):
            return
        too_few = f"{least}" if function.variadic == 0 else f"at least {least}"
        wanted = too_few if given < least or function.variadic == 0 else f"at most {most}"
        self._fail(
            f"expected {wanted} argument(s) in call to {quoted(function.name)}, got {given}", call.span
        )

    def _check_info(self, call: Call, selector: Expr) -> None:
        """The second argument is a selector that stands for its labels only, so it may select any series."""
        self._expect(selector, ValueType.VECTOR, 'call to function "info"', call.span)
        if not isinstance(selector, VectorSelector):
            self._fail("expected label selectors only", selector.span)
        if selector.name:
            self._fail("expected label selectors only, got vector selector instead", selector.span)

    def _check_argument(self, arg: Expr, function: Function, number: int) -> None:
        wanted = function.args[min(number, len(function.args) - 1)]
        self._expect(arg, wanted, f"call to function {quoted(function.name)}")

    def _check_selector(self, selector: VectorSelector) -> None:
        if selector.name:
            other = next((matcher for matcher in selector.matchers if matcher.name == NAME), None)
            if other is not None:
                names = f"{quoted(selector.name)} or {quoted(other.value)}"
                self._fail(f"metric name must not be set twice: {names}", selector.span)
        elif all(matcher.matches(b"") for matcher in selector.matchers):
            self._fail(NO_MATCHER, selector.span)

    def _expect(self, expr: Expr, wanted: ValueType, context: str, span: Span | None = None) -> None:
        if expr.type is not wanted:
            detail = f"expected type {wanted.documented} in {context}, got {expr.type.documented}"
            self._fail(detail, span or expr.span)

    def _fail(self, detail: str, span: Span) -> NoReturn:
        raise parse_error(ExpressionFault.TYPE, detail, span, self._text)


def _matched(expr: Binary, lhs: Expr, rhs: Expr) -> Binary:
    matching = expr.matching
    if lhs.type is not ValueType.VECTOR or rhs.type is not ValueType.VECTOR:
        matching = None
    elif expr.op.is_set and matching is not None:
        matching = replace(matching, card=Card.MANY_TO_MANY)
    return replace(expr, lhs=lhs, rhs=rhs, matching=matching)
