"""The pairs of names and values in a URL or a body, read as Go's net/http reads them."""

import re
from email.message import Message
from urllib.parse import parse_qsl

from streamgauge.gateway.faults import ErrorType, InvalidRequest

MAX_FIELDS = 4096
"""So many parameters may stand in a body, and as many in a URL."""
MAX_HEADER = 1024
"""Characters of a header that parameters are looked for in."""
MAX_BOUNDARY = 70
"""Characters between parts, as RFC 2046 has it."""
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
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
    """The pairs of a query string. Those that have a semicolon or an escape that is none are left out.

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
    boundary = _parameter(content_type, "boundary")
    if boundary is None or not 0 < len(boundary) <= MAX_BOUNDARY:
        return []
    delimiter = b"\r\n--" + boundary.encode(errors="replace")
    pairs: Pairs = []
    for number, part in enumerate((b"\r\n" + body).split(delimiter)[1:]):
        if part.startswith(b"--"):
            return pairs
        if number == MAX_FIELDS:
            raise _too_many()
        head, _, content = part.partition(b"\r\n\r\n")
        if (name := _name(head)) is None:
            continue
        try:
            pairs.append((name, content.decode()))
        except UnicodeDecodeError:
            raise _unreadable("not UTF-8") from None
    return []


def _name(head: bytes) -> str | None:
    """The name of a part by its header lines; None for a file, and for one without."""
    for line in head.decode(errors="replace").split("\r\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == "content-disposition":
            return None if _parameter(value, "filename") is not None else _parameter(value, "name")
    return None


def _parameter(value: str, name: str) -> str | None:
    """A parameter of a header's value; None without it, and where the value is long: taking it apart takes longer."""
    if len(value) > MAX_HEADER:
        return None
    header = Message()
    header["Content-Type"] = value
    found = header.get_param(name)
    return found if isinstance(found, str) else None


def _unreadable(what: str) -> InvalidRequest:
    return InvalidRequest(ErrorType.BAD_DATA, f"error parsing form values: {what}")


def _too_many() -> InvalidRequest:
    return _unreadable(f"more than {MAX_FIELDS:,} parameters")
