"""The pairs of names and values in a URL or a body, read as Go's net/http reads them."""

import re
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qsl

from streamgauge.gateway.faults import ErrorType, InvalidRequest

MAX_FIELDS = 4096
"""So many parameters may stand in a body, and as many in a URL."""
URL_ENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")

Pairs = list[tuple[str, str]]


def pairs_of(url_query: str, body: bytes, content_type: str) -> Pairs:
    """The pairs of a request: those of a form in its body come before those of the URL, those of parts after them.

    A body of another type has none.

    :raises InvalidRequest: for a form that is not UTF-8, has too many pairs, or parts that have parts.
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
    boundary = _header("Content-Type", content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary.isascii() or f"--{boundary}--".encode() not in body:
        return []
    if body.count(b"--" + boundary.encode()) > MAX_FIELDS + 1:
        raise _too_many()
    # each level of parts in parts would be looked for in every line
    if b"multipart/" in body.lower():
        raise _unreadable("parts within parts")
    head = f'Content-Type: {MULTIPART}; boundary="{boundary}"\r\n\r\n'.encode()
    parts = BytesParser().parsebytes(head + body).get_payload()
    pairs = []
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, Message):
            continue
        disposition = _header("Content-Disposition", str(part.get("content-disposition", "")))
        name = disposition.get_param("name", header="content-disposition")
        if not isinstance(name, str) or disposition.get_filename() is not None:
            continue
        content = part.get_payload(decode=True)
        try:
            pairs.append((name, content.decode() if isinstance(content, bytes) else ""))
        except UnicodeDecodeError:
            raise _unreadable("not UTF-8") from None
    return pairs


def _header(name: str, value: str) -> Message:
    found = Message()
    found[name] = value
    return found


def _unreadable(what: str) -> InvalidRequest:
    return InvalidRequest(ErrorType.BAD_DATA, f"error parsing form values: {what}")


def _too_many() -> InvalidRequest:
    return _unreadable(f"more than {MAX_FIELDS:,} parameters")
