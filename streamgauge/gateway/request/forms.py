"""The pairs of names and values in a URL or a body, read as Go's net/http reads them."""

import re
from urllib.parse import parse_qsl

from streamgauge.gateway.request.faults import ErrorType, InvalidRequest

MAX_FIELDS = 4096
"""Maximum number of parameters in a body, and in a URL."""
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
