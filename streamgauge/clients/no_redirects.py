"""HTTP requests that go to the server that is named, and to no other."""

import http.client
import json
import urllib.request
from typing import Any

from streamgauge.redaction import redacted


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none: a POST would become a GET, and credentials would go to whom the answer names."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def open_url(request: urllib.request.Request | str, timeout_s: float) -> http.client.HTTPResponse:
    """The answer to a request; one that redirects is an error as any other, and says so.

    :raises urllib.error.HTTPError: for what is not 2xx. :raises OSError: without an answer.
    """
    answer: http.client.HTTPResponse = _OPENER.open(request, timeout=timeout_s)
    return answer


def get_json(url: str, timeout_s: float = 5.0) -> object:
    """The JSON document at a URL.

    :raises OSError: no answer, or not a good one. :raises ValueError: not JSON.
    """
    try:
        with open_url(url, timeout_s) as response:
            return json.load(response)
    except http.client.HTTPException as error:
        # an invalid URL is in the error in pieces
        detail = "not a URL" if isinstance(error, http.client.InvalidURL) else repr(error)
        raise OSError(f"no HTTP at {redacted(url)}: {detail}") from None
