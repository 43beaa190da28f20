"""A real Alertmanager in a process of its own, and a receiver that keeps what it is told."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import yaml
from werkzeug import Request, Response

from integration.support.commands import require
from integration.support.stored import wait_for
from streamgauge.cache_folder import cache
from tests.support.http_server import serving


def program() -> Path | None:
    """The one that `make alertmanager` built, or that STREAMGAUGE_ALERTMANAGER names."""
    found = Path(os.environ.get("STREAMGAUGE_ALERTMANAGER") or cache() / "alertmanager-0.34.1")
    return found if os.access(found, os.X_OK) else None


def require_program() -> None:
    """Skip what needs one where there is none; fail where it must not be left out."""
    require(program(), "no Alertmanager is there: `make alertmanager` builds one")


class Webhook:
    """What an Alertmanager tells people, as (status, labels) of each alert in the order of arrival."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict]] = []
        self._server = ExitStack()
        self.url = self._server.enter_context(serving(self._answer)) + "/"

    def of(self, instance: str) -> list[str]:
        """The statuses of the alerts of an instance."""
        return [status for status, labels in self.told if labels.get("instance") == instance]

    def close(self) -> None:
        """End."""
        self._server.close()

    def _answer(self, request: Request) -> Response:
        self.told += [(alert["status"], alert["labels"]) for alert in request.get_json()["alerts"]]
        return Response()


class Alertmanager:
    """Notifies at once, each alert by itself."""

    def __init__(self, folder: Path, port: int, webhook: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        receivers = [{"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": receivers}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, with what it knew before."""
        arguments = [
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
            "--log.level=debug",
        ]
        with (self._folder / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen([program(), *arguments], stdout=log, stderr=log)
        try:
            wait_for(self._is_ready, 30, lambda: (self._folder / "alertmanager.log").read_text()[-2000:])
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def alerts(self) -> dict[str, dict]:
        """The active alerts by their instance."""
        found = httpx.get(f"{self.url}/api/v2/alerts").json()
        return {alert["labels"].get("instance", ""): alert for alert in found}

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False
