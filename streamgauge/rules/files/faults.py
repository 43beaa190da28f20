"""Errors of rule files and unit test files."""

from dataclasses import dataclass
from enum import StrEnum


class FileFault(StrEnum):
    """The kind of fault."""

    UNREADABLE = "unreadable"
    NOT_YAML = "not_yaml"
    SECOND_DOCUMENT = "second_document"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_KEY = "unknown_key"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_KEY = "missing_key"
    MISPLACED_KEY = "misplaced_key"
    MISPLACED_FILE = "misplaced_file"
    BAD_DURATION = "bad_duration"
    BAD_NUMBER = "bad_number"
    BAD_EXPRESSION = "bad_expression"
    BAD_SQL = "bad_sql"
    BAD_TEMPLATE = "bad_template"
    BAD_NAME = "bad_name"
    BAD_LABEL = "bad_label"
    BAD_SEVERITY = "bad_severity"
    BAD_SERIES = "bad_series"
    BAD_TIME = "bad_time"
    BAD_WORD = "bad_word"
    DUPLICATE_GROUP = "duplicate_group"
    DUPLICATE_RULE = "duplicate_rule"


LINT = frozenset({FileFault.DUPLICATE_RULE, FileFault.SECOND_DOCUMENT})
"""Faults that make no rule wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A line and a column, both from 1, in characters."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault, with its place."""

    file: str
    place: Position
    reason: FileFault
    detail: str

    @property
    def is_lint(self) -> bool:
        """Whether the file can be used all the same."""
        return self.reason in LINT

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.detail}"
