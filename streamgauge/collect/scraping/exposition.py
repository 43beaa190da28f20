"""The Prometheus text format 0.0.4, read line by line."""

import math
import re
import struct
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

NORMAL_NAN: float = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
"""The NaN that Prometheus keeps for every NaN it scrapes."""
MAX_LINE_CHARACTERS = 256 * 1024
"""To match a long line takes a hundred times its memory; labels with all their escapes need less than this."""
MAX_COMMENT_CHARACTERS = 4 * 1024 * 1024
"""Maximum characters of comments to read from a page; later ones are ignored."""

_LINE = re.compile(r"[^\n]+")
_SERIES = re.compile(r'([A-Za-z_:][A-Za-z0-9_:]*)(?:[ \t]*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?', re.ASCII)
_LABEL = re.compile(r'[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|$)', re.ASCII)
_REST = re.compile(r"[ \t]*([^ \t]+)(?:[ \t]+(-?\d{1,19}))?[ \t]*", re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


class ExpositionFault(StrEnum):
    """Reason for which a page is invalid."""

    NOT_UTF8 = "not_utf8"
    BAD_LINE = "bad_line"
    BAD_LABELS = "bad_labels"
    BAD_VALUE = "bad_value"


class InvalidExposition(ValueError):
    """A page that is not in the text format.

    :param reason: the kind of fault, for counters.
    :param detail: where and what, for people.
    """

    def __init__(self, reason: ExpositionFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class Line(NamedTuple):
    """One sample: the text that names its series, its value, and its time in ms where it has one."""

    series: str
    value: float
    timestamp: int | None


def lines(page: bytes, comments: dict[str, None] | None = None) -> Iterator[Line]:
    """The samples of a page, in order.

    :param comments: gets the lines that begin with #, TYPE and HELP among them, each once.
    :raises InvalidExposition: at the first line that is not in the format.
    """
    try:
        text = page.decode()
    except UnicodeDecodeError as error:
        raise InvalidExposition(ExpositionFault.NOT_UTF8, str(error)) from None
    room = MAX_COMMENT_CHARACTERS
    for found in _LINE.finditer(text):
        stripped = found[0].strip(" \t\r")
        if stripped.startswith("#"):
            room -= len(stripped)
            if comments is not None and room >= 0:
                comments[stripped] = None
        elif stripped:
            try:
                yield _line(stripped)
            except InvalidExposition as error:
                number = text.count("\n", 0, found.start()) + 1
                raise InvalidExposition(error.reason, f"line {number}: {error.detail}") from None


def series_labels(series: str) -> dict[str, str]:
    """Parse the labels of `Line.series`, `__name__` included.

    :raises InvalidExposition: if they are not in the format.
    """
    match = _SERIES.fullmatch(series.rstrip(" \t"))
    if match is None:
        raise InvalidExposition(ExpositionFault.BAD_LABELS, series[:200])
    labels = {"__name__": match[1]}
    content = (match[2] or "").strip(" \t")
    at = 0
    while at < len(content):
        label = _LABEL.match(content, at)
        if label is None or label[1] in labels:
            raise InvalidExposition(ExpositionFault.BAD_LABELS, series[:200])
        labels[label[1]] = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), label[2])
        at = label.end()
    return labels


def _line(line: str) -> Line:
    if len(line) > MAX_LINE_CHARACTERS:
        detail = f"{len(line)} characters, at most {MAX_LINE_CHARACTERS}: {line[:200]}"
        raise InvalidExposition(ExpositionFault.BAD_LINE, detail)
    match = _SERIES.match(line)
    rest = _REST.fullmatch(line, match.end()) if match else None
    if (
        match is None
        or rest is None
        or (match[2] is None and line[match.end() : match.end() + 1] not in " \t")
    ):
        raise InvalidExposition(ExpositionFault.BAD_LINE, line[:200])
    try:
        value = _number(rest[1])
    except (ValueError, OverflowError):
        raise InvalidExposition(ExpositionFault.BAD_VALUE, rest[1][:50]) from None
    timestamp = int(rest[2]) if rest[2] else None
    if timestamp is not None and not -(2**63) <= timestamp < 2**63:
        raise InvalidExposition(ExpositionFault.BAD_VALUE, str(timestamp))
    return Line(match[0], value, timestamp)


def _number(text: str) -> float:
    """A float as Go reads it: hexadecimal too, and no underscores."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    value = float.fromhex(text) if "x" in text.lower() else float(text)
    return NORMAL_NAN if math.isnan(value) else value
