"""How close the operators of PromQL bind."""

from streamgauge.promql.syntax.ast import BinaryOp

LEVELS = {
    BinaryOp.OR: 1,
    BinaryOp.AND: 2,
    BinaryOp.UNLESS: 2,
    BinaryOp.EQUAL: 3,
    BinaryOp.NOT_EQUAL: 3,
    BinaryOp.GREATER: 3,
    BinaryOp.LESS: 3,
    BinaryOp.GREATER_EQUAL: 3,
    BinaryOp.LESS_EQUAL: 3,
    BinaryOp.TRIM_UPPER: 3,
    BinaryOp.TRIM_LOWER: 3,
    BinaryOp.ADD: 4,
    BinaryOp.SUB: 4,
    BinaryOp.MUL: 5,
    BinaryOp.DIV: 5,
    BinaryOp.MOD: 5,
    BinaryOp.ATAN2: 5,
    BinaryOp.POW: 6,
}
# the only level that associates to the right; a sign before an operand lets it alone bind first
POWER = LEVELS[BinaryOp.POW]
