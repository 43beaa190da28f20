"""Sends queries to a gateway."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from streamgauge.redaction import redacted


class QueryFailed(Exception):
    """There is no answer: kind is Prometheus's word for why, "" if it was not asked at all."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if kind else message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the API. kind: vector, matrix, scalar or string. result: as in its JSON."""

    kind: str
    result: Any
    warnings: list[str]
    infos: list[str]


def ask(url: str, path: str, parameters: Mapping[str, str], timeout_s: float = 120) -> Answer:
    """The answer of a query.

    :param url: of the server. :param path: of the endpoint.
    :raises QueryFailed: if it is refused, or nobody answers as Prometheus does.
    """
    whole = f"{url.rstrip('/')}{path}"
    try:
        response = httpx.post(whole, data=dict(parameters), timeout=timeout_s, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = redacted(f"{whole} does not answer: {error or type(error).__name__}")
        raise QueryFailed("", detail) from None
    if response.is_redirect:
        place = response.headers["Location"][:200]
        detail = redacted(f"{whole} redirects to {place!r}: redirects are not followed")
        raise QueryFailed("", detail)
    try:
        content = json.loads(response.text)
        if content["status"] == "error":
            raise QueryFailed(str(content["errorType"]), str(content["error"]))
        data = content["data"]
        return Answer(
            data["resultType"], data["result"], content.get("warnings", []), content.get("infos", [])
        )
    except (ValueError, KeyError, TypeError):
        code = response.status_code
        raise QueryFailed(
            "", f"{redacted(whole)} returned HTTP status {code} and no response of Prometheus's API"
        ) from None
