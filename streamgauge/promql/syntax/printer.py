"""Prints an expression: in one canonical way on a line, or laid out for people.

For every tree of the parser, `parse(canonical(tree)) == tree`, and so different trees print differently:
the text can be a key. For a tree of another origin it has the same meaning, with parentheses put where they
are needed.
"""

from streamgauge.promql.syntax.ast import (
    LEVELS,
    POWER,
    Aggregate,
    At,
    AtBoundary,
    Binary,
    BinaryOp,
    Call,
    Card,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)
from streamgauge.promql.syntax.durations import offset_text, range_text
from streamgauge.promql.syntax.literals import (
    duration_text,
    label_text,
    matcher_text,
    number_text,
    quoted,
)

LINE_LENGTH = 100
_INDENT = "  "
# words that cannot stand among labels without quotes
_NO_LABELS = frozenset({"inf", "nan", "without"})
# nothing binds closer than what stands alone
_ALONE = POWER + 2
_SUFFIXED = POWER + 1


def canonical(expr: Expr) -> str:
    """The expression on one line."""
    match expr:
        case NumberLiteral():
            return _number(expr)
        case StringLiteral():
            return quoted(expr.value)
        case VectorSelector():
            return _selector(expr) + _modifiers(expr)
        case MatrixSelector():
            return f"{_selector(expr.selector)}[{range_text(expr.range)}]{_modifiers(expr.selector)}"
        case Subquery():
            return _operand(expr.expr, _SUFFIXED) + _subquery_suffix(expr)
        case Call():
            return f"{expr.function}({', '.join([canonical(arg) for arg in expr.args])})"
        case Aggregate():
            return f"{_aggregation(expr)}({', '.join([canonical(part) for part in _parts(expr)])})"
        case Paren():
            return f"({canonical(expr.expr)})"
        case Unary():
            return expr.op.value + canonical(_right(expr.expr, POWER))
        case Binary():
            left, right = _sides(expr)
            return f"{_operand(expr.lhs, left)} {_operator(expr)} {canonical(_right(expr.rhs, right))}"


def pretty(expr: Expr) -> str:
    """The expression on as many lines as it takes to have no part of more than `LINE_LENGTH` bytes on one.

    The layout is that of Prometheus's format_query.
    """
    return _pretty(expr, 0)


def _pretty(expr: Expr, level: int) -> str:
    line = canonical(expr)
    indent = _INDENT * level
    if len(line.encode(errors="replace")) <= LINE_LENGTH:
        return indent + line
    match expr:
        case Aggregate():
            parts = ",\n".join([_pretty(part, level + 1) for part in _parts(expr)])
            return f"{indent}{_aggregation(expr)}(\n{parts}\n{indent})"
        case Call(args=(_, *_)):
            parts = ",\n".join([_pretty(arg, level + 1) for arg in expr.args])
            return f"{indent}{expr.function}(\n{parts}\n{indent})"
        case Paren():
            return f"{indent}(\n{_pretty(expr.expr, level + 1)}\n{indent})"
        case Binary():
            left, right = _sides(expr)
            lhs = _pretty(_bracketed(expr.lhs, left), level + 1)
            rhs = _pretty(_right(expr.rhs, right), level + 1)
            return f"{lhs}\n{indent}{_operator(expr)}\n{rhs}"
        case Unary():
            return indent + expr.op.value + _pretty(_right(expr.expr, POWER), level).lstrip()
        case Subquery():
            return _pretty(_bracketed(expr.expr, _SUFFIXED), level) + _subquery_suffix(expr)
        case _:
            return indent + line


def _sides(expr: Binary) -> tuple[int, int]:
    """How close each side has to bind at least: the power associates to the right, all else to the left."""
    level = LEVELS[expr.op]
    return (level + 1, level) if expr.op is BinaryOp.POW else (level, level + 1)


def _operand(expr: Expr, least: int) -> str:
    return canonical(_bracketed(expr, least))


def _bracketed(expr: Expr, least: int) -> Expr:
    return expr if _closeness(expr) >= least else Paren(expr)


def _right(expr: Expr, least: int) -> Expr:
    """A right side or what follows a sign: a sign may start it, however close what is before binds."""
    is_signed = isinstance(expr, Unary | NumberLiteral)
    return expr if is_signed else _bracketed(expr, least)


def _closeness(expr: Expr) -> int:
    """How close an expression binds: the level of its operator, where a sign has that of the products."""
    match expr:
        case Binary():
            return LEVELS[expr.op]
        case Unary():
            return LEVELS[BinaryOp.MUL]
        case NumberLiteral():
            return LEVELS[BinaryOp.MUL] if _number(expr)[0] in "+-" else _ALONE
        case _:
            return _ALONE


def _parts(expr: Aggregate) -> tuple[Expr, ...]:
    return (expr.expr,) if expr.param is None else (expr.param, expr.expr)


def _aggregation(expr: Aggregate) -> str:
    if not expr.grouping and not expr.without:
        return expr.op.value
    return f"{expr.op.value} {'without' if expr.without else 'by'} {_labels(expr.grouping)} "


def _operator(expr: Binary) -> str:
    words = [expr.op.value]
    if expr.return_bool:
        words.append("bool")
    if expr.matching is not None:
        words.extend(_matching(expr.matching))
    return " ".join(words)


def _matching(matching: Matching) -> list[str]:
    words = []
    grouped = matching.card in (Card.MANY_TO_ONE, Card.ONE_TO_MANY)
    if matching.on or matching.labels or grouped:
        words.append(f"{'on' if matching.on else 'ignoring'} {_labels(matching.labels)}")
    if grouped:
        side = "left" if matching.card is Card.MANY_TO_ONE else "right"
        words.append(f"group_{side} {_labels(matching.include)}")
    left, right = matching.fill_left, matching.fill_right
    if left is not None and left == right:
        words.append(f"fill ({_number(left)})")
    else:
        words.extend(
            f"{word} ({_number(value)})"
            for word, value in (("fill_left", left), ("fill_right", right))
            if value is not None
        )
    return words


def _labels(names: tuple[str, ...]) -> str:
    return (
        f"({', '.join([quoted(name) if name.lower() in _NO_LABELS else label_text(name) for name in names])})"
    )


def _number(literal: NumberLiteral) -> str:
    if not literal.is_duration:
        return number_text(literal.value)
    text = duration_text(round(literal.value * 1000))
    return f"-{text}" if str(literal.value) == "-0.0" else text


def _selector(selector: VectorSelector) -> str:
    matchers = ",".join(map(matcher_text, selector.matchers))
    return f"{selector.name}{{{matchers}}}" if matchers or not selector.name else selector.name


def _modifiers(selector: VectorSelector) -> str:
    words = ""
    if selector.anchored:
        words += " anchored"
    if selector.smoothed:
        words += " smoothed"
    return words + _at(selector.at) + offset_text(selector.offset)


def _subquery_suffix(expr: Subquery) -> str:
    step = "" if expr.step is None else range_text(expr.step)
    return f"[{range_text(expr.range)}:{step}]{_at(expr.at)}{offset_text(expr.offset)}"


def _at(at: At | None) -> str:
    if at is None:
        return ""
    if isinstance(at, AtBoundary):
        return f" @ {at.value}()"
    sign = "-" if at < 0 else ""
    seconds, milliseconds = divmod(abs(at), 1000)
    return f" @ {sign}{seconds}.{milliseconds:03}"
