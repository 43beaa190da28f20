"""One Alertmanager, as its HTTP API is used."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from streamgauge import __version__
from streamgauge.clients.no_redirects import open_url
from streamgauge.config.urls import check_url

PATH = "/api/v2/alerts"
DETAIL_BYTES = 500


class Trouble(StrEnum):
    """Why alerts did not arrive."""

    UNREACHABLE = "unreachable"
    NOT_ALLOWED = "not_allowed"
    BUSY = "busy"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"


class SendFailed(Exception):
    """Alerts did not arrive. reason REFUSED: these never will, as they are; else they may, later."""

    def __init__(self, reason: Trouble, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


class Alertmanager:
    """Posts alerts to one Alertmanager.

    :param url: of its root; user and password in it are sent as basic authentication, and shown nowhere.
    :param token_file: holds a bearer token, which is read for each request.
    :raises ValueError: for what is no such URL.
    """

    def __init__(self, url: str, token_file: Path | None, timeout_s: float) -> None:
        parts = check_url(url)
        host = parts.netloc.rpartition("@")[2]
        self.name = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._timeout_s = timeout_s
        self._token_file = token_file
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._basic = f"Basic {pair}" if parts.username else ""

    def send(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Post alerts in their order.

        :raises SendFailed: if they have not all been taken.
        """
        body = json.dumps(alerts, ensure_ascii=False).encode(errors="replace")
        request = urllib.request.Request(f"{self.name}{PATH}", body, self._headers(), method="POST")
        try:
            with open_url(request, self._timeout_s) as response:
                response.read(DETAIL_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                said = _said(error)
            raise SendFailed(_trouble(error.code), f"HTTP {error.code}: {said}") from None
        except (OSError, http.client.HTTPException) as error:
            raise SendFailed(Trouble.UNREACHABLE, str(getattr(error, "reason", error))) from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": f"streamgauge/{__version__}"}
        authorization = self._basic
        if self._token_file is not None:
            try:
                authorization = f"Bearer {self._token_file.read_text().strip()}"
            except OSError as error:
                raise SendFailed(Trouble.NOT_ALLOWED, f"no token: {error}") from None
        return headers | ({"Authorization": authorization} if authorization else {})


def _said(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        place = error.headers.get("Location", "")[:DETAIL_BYTES]
        return f"it redirects to {place!r}, and no redirect is followed"
    return error.read(DETAIL_BYTES).decode(errors="replace").strip()


def _trouble(code: int) -> Trouble:
    if code in (401, 403):
        return Trouble.NOT_ALLOWED
    if code in (408, 429):
        return Trouble.BUSY
    # of a 404 the alerts are not to blame
    return Trouble.REFUSED if code in (400, 413, 422) else Trouble.SERVER_ERROR
