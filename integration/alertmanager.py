"""A real Alertmanager in a process of its own, and a receiver that keeps what it is told."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import yaml

from integration.commands import require
from integration.stored import wait_for
from streamgauge.cache_folder import cache


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
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.told += [(alert["status"], alert["labels"]) for alert in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def of(self, instance: str) -> list[str]:
        """The statuses of the alerts of an instance."""
        return [status for status, labels in self.told if labels.get("instance") == instance]

    def close(self) -> None:
        """End."""
        self._http.shutdown()
        self._http.server_close()


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
