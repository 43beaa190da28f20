"""Checks the headers of requests with samples.

A page of any other site can make a browser post forms and text to the collector, without being asked and without seeing
the answer. It cannot post JSON or protobuf, nor hide its origin, without the browser asking the collector first, which
does not agree.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from streamgauge.collect.incoming.faults import InvalidRequest, RequestFault

JSON_TYPES = ("application/json", "application/x-ndjson")
PROTOBUF = "application/x-protobuf"
WRITE_1, WRITE_2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse requests from pages of other origins; only browsers send an origin.

    :raises InvalidRequest: then.
    """
    origin = headers.get("origin")
    if origin is not None and _host(origin) != headers.get("host", "").lower():
        raise InvalidRequest(
            RequestFault.FOREIGN_ORIGIN, "samples from pages of other origins are not accepted"
        )


def _host(origin: str) -> str | None:
    """Host and port of an origin in lower case, None for what is no URL."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def check_pushed(headers: Mapping[str, str]) -> None:
    """Refuse requests whose content type is not JSON.

    :raises InvalidRequest: then.
    """
    kind, _ = _content_type(headers)
    if kind not in JSON_TYPES:
        raise InvalidRequest(
            RequestFault.UNSUPPORTED_TYPE, f"Content-Type is {kind or 'missing'}, must be {JSON_TYPES[0]}"
        )


def check_written(headers: Mapping[str, str]) -> None:
    """Refuse requests other than remote write 1.0; without headers it is assumed, as in Prometheus.

    :raises InvalidRequest: then.
    """
    kind, parameters = _content_type(headers)
    if kind not in ("", PROTOBUF):
        raise InvalidRequest(RequestFault.UNSUPPORTED_TYPE, f"Content-Type is {kind}, must be {PROTOBUF}")
    message = parameters.get("proto", WRITE_1)
    if message == WRITE_2:
        raise InvalidRequest(RequestFault.UNSUPPORTED_VERSION, "remote write 2.0 is not supported, only 1.0")
    if message != WRITE_1:
        raise InvalidRequest(RequestFault.UNSUPPORTED_TYPE, f"proto is {message}, must be {WRITE_1}")
    encoding = headers.get("content-encoding", "")
    if encoding not in ("", "snappy"):
        raise InvalidRequest(
            RequestFault.UNSUPPORTED_ENCODING, f"Content-Encoding is {encoding}, must be snappy"
        )


def _content_type(headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The type and its parameters, keys in lower case."""
    kind, *rest = (part.strip() for part in headers.get("content-type", "").split(";"))
    pairs = (part.partition("=") for part in rest)
    return kind.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
