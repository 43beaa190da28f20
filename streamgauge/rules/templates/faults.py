"""Errors of parsing and expanding templates."""

from enum import StrEnum


class TemplateFault(StrEnum):
    """Why a template was refused or gave nothing."""

    SYNTAX = "syntax_error"
    UNKNOWN_FUNCTION = "unknown_function"
    UNKNOWN_VARIABLE = "unknown_variable"
    EXECUTION = "execution_failed"
    TOO_MUCH = "too_much"


class InvalidTemplate(ValueError):
    """A template that cannot be parsed or expanded.

    :param reason: the kind of fault, for counters. :param detail: what is wrong, for people.
    :param position: where in the template, in characters.
    """

    def __init__(self, reason: TemplateFault, detail: str, position: int) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.position = position


class FunctionFault(ValueError):
    """A function was called with what it cannot take; the evaluator adds the place."""
