"""Forms, and their numbers, times and durations, read as Prometheus reads them: by Go's rules, with its quirks."""

import math
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest
from streamgauge.promql.syntax.literals import duration

MAX_FIELDS = 4096
"""So many parameters may stand in a body, and as many in a URL."""
MAX_BOUNDARY = 70
"""Characters between parts, as RFC 2046 has it."""
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_PARAMETER = re.compile(
    r"""\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))""", re.ASCII | re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")

Pairs = list[tuple[str, str]]


def pairs_of(url_query: str, body: bytes, content_type: str) -> Pairs:
    """The pairs of a request: those of a form in its body come before those of the URL, those of parts after them.

    A body of another type has none.

    :raises InvalidRequest: for a form that is not UTF-8, or has too many pairs.
    """
    of_url = _of_query(url_query)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == URL_ENCODED:
        try:
            return _of_query(body.decode()) + of_url
        except UnicodeDecodeError:
            raise _unreadable("not UTF-8") from None
    return of_url + _of_parts(body, content_type) if kind == MULTIPART else of_url


def _of_query(text: str) -> Pairs:
    """The pairs of a query string. Those with a semicolon or an invalid escape are left out.

    :raises InvalidRequest: if they are too many.
    """
    if ";" in text or _BAD_ESCAPE.search(text):
        text = "&".join(pair for pair in text.split("&") if ";" not in pair and not _BAD_ESCAPE.search(pair))
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _too_many() from None


def _of_parts(body: bytes, content_type: str) -> Pairs:
    """The pairs of the parts that are no files; none where the last part has no end."""
    boundary = _parameters(content_type).get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        return []
    own = re.escape(boundary.encode(errors="replace"))
    delimiters = re.finditer(rb"(?:^|\r?\n)--" + own + rb"(--)?[ \t]*(?=\r?\n|$)", body)
    pairs: Pairs = []
    before = None
    for number, delimiter in enumerate(delimiters):
        if number > MAX_FIELDS:
            raise _too_many()
        if before is not None and (pair := _pair(body[before : delimiter.start()])) is not None:
            pairs.append(pair)
        if delimiter[1]:
            return pairs
        before = delimiter.end()
    return []


def _pair(part: bytes) -> tuple[str, str] | None:
    """The name and the content of a part; None for a file, and for one without a name."""
    end = _BLANK_LINE.search(part)
    if end is None:
        return None
    for line in part[: end.start()].decode(errors="replace").split("\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == "content-disposition":
            found = _parameters(value)
            if "name" not in found or "filename" in found:
                return None
            try:
                return found["name"], part[end.end() :].decode()
            except UnicodeDecodeError:
                raise _unreadable("not UTF-8") from None
    return None


def _parameters(value: str) -> dict[str, str]:
    """The parameters of a header's value, `; name=value`, by their names in lower case; none after what is none."""
    found: dict[str, str] = {}
    at = value.find(";")
    while at >= 0 and (parameter := _PARAMETER.match(value, at)):
        name, quoted, token = parameter.groups()
        found.setdefault(name.lower(), token if quoted is None else _ESCAPED.sub(r"\1", quoted))
        at = parameter.end()
    return found


def _unreadable(what: str) -> InvalidRequest:
    return InvalidRequest(ErrorType.BAD_DATA, f"error parsing form values: {what}")


def _too_many() -> InvalidRequest:
    return _unreadable(f"more than {MAX_FIELDS:,} parameters")


INT64 = 2**63
"""Of a signed number of 64 bits: the first that is too large."""
SYNTAX = "invalid syntax"
RANGE = "value out of range"
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_HEX = r"[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
_DECIMAL = re.compile(rf"[-+]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
_HEXADECIMAL = re.compile(rf"[-+]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][-+]?{_DIGITS}")
_NO_NUMBER = re.compile(r"nan|[-+]?inf(?:inity)?", re.ASCII | re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]+))?(?:Z|(?P<sign>[-+])(?P<east>[0-9]{2}):(?P<east_minute>[0-9]{2}))"
)
_BOUNDARIES_S = {
    "-292273086-05-16T16:47:06Z": -9_223_309_901_257_974,
    "292277025-08-18T07:12:54.999999999Z": 9_223_309_901_257_974,
}
"""What Prometheus's client library sends for the first and the last time."""
_YEAR_1_S = 62_135_596_800
"""From the first second of the year 1 to 1970."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GREGORIAN = timedelta(days=146_097)
"""400 years."""
MAX_DIGITS = 4096
"""No text with a longer number is looked at."""


class InvalidNumber(ValueError):
    """A text that is no number, or one out of range; its text says which, in Go's words."""


def integer(text: str, bits: int = 64) -> int:
    """A decimal number of so many bits.

    :raises InvalidNumber: for anything else.
    """
    if not _INTEGER.fullmatch(text):
        raise InvalidNumber(SYNTAX)
    # int() refuses more digits than it can read in linear time
    found = int(text) if len(text) <= MAX_DIGITS else INT64
    if not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
        raise InvalidNumber(RANGE)
    return found


def number(text: str) -> float | None:
    """A number in decimal or hexadecimal notation, an infinity or NaN; None for anything else, or beyond a double."""
    if _NO_NUMBER.fullmatch(text) or _DECIMAL.fullmatch(text):
        found = float(text)
        return None if math.isinf(found) and not _NO_NUMBER.fullmatch(text) else found
    if _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError:
            return None
    return None


def time_ms(text: str) -> int | None:
    """A time, ms since 1970: of Unix seconds, or of RFC 3339; None for anything else.

    Any number is a time: beyond 64 bits it is the one that Go's conversion gives on amd64.
    """
    seconds = number(text)
    if seconds is not None:
        return _of_seconds(seconds)
    if text in _BOUNDARIES_S:
        return _BOUNDARIES_S[text] * 1000 + (999 if text.endswith("9Z") else 0)
    found = _TIME.fullmatch(text)
    if (
        not found
        or int(found["hour"]) > 23
        or int(found["east"] or 0) > 24
        or int(found["east_minute"] or 0) > 60
    ):
        return None
    # Python's years begin with 1
    is_first = found["date"].startswith("0000")
    date = found["date"].replace("0000", "0400", 1) if is_first else found["date"]
    try:
        day = datetime.fromisoformat(f"{date}T{found['hour']:0>2}:{found['minute']}:{found['second']}Z")
    except ValueError:
        return None
    east = timedelta(hours=int(found["east"] or 0), minutes=int(found["east_minute"] or 0))
    since = (
        day - _EPOCH - (-east if found["sign"] == "-" else east) - (_GREGORIAN if is_first else timedelta())
    )
    return since // timedelta(milliseconds=1) + int(f"{found['fraction'] or '':0<3.3}")


def duration_ns(text: str) -> int | None:
    """A duration in ns: a number of seconds, or as it is written in PromQL; None for anything else.

    :raises OverflowError: for seconds beyond 64 bits of ns.
    """
    seconds = number(text)
    if seconds is not None:
        found = seconds * 1e9
        if not -INT64 <= found < INT64:
            raise OverflowError
        return int(found)
    try:
        return duration(text) * 10**6 if text else None
    except ValueError:
        return None


def _of_seconds(seconds: float) -> int:
    fraction, whole = math.modf(seconds) if math.isfinite(seconds) else (math.nan, seconds)
    scaled = fraction * 1000
    if math.isfinite(scaled):
        # as Go rounds, half away from zero
        scaled = math.copysign(math.floor(abs(scaled) + 0.5), scaled) / 1000
    nanoseconds = _int64(scaled * 1e9)
    carried, nanoseconds = divmod(nanoseconds, 10**9)
    # Go counts from the year 1, in 64 bits
    since_year_1 = (_int64(whole) + carried + _YEAR_1_S + INT64) % (2 * INT64) - INT64
    return (since_year_1 - _YEAR_1_S) * 1000 + nanoseconds // 10**6


def _int64(value: float) -> int:
    """The conversion of amd64: whatever has no place in 64 bits becomes the smallest number."""
    return int(value) if math.isfinite(value) and -INT64 <= value < INT64 else -INT64
