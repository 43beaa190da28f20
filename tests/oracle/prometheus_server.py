"""A real Prometheus in a process of its own, which scrapes nothing and holds what it is given."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

from streamgauge.collect.receive.remote_write_request import compress, encode

FEATURES = (
    "promql-experimental-functions",
    "promql-duration-expr",
    "promql-extended-range-selectors",
    "promql-binop-fill-modifiers",
)
CONFIG = "storage: {tsdb: {out_of_order_time_window: 3650d}}\n"
_START_S, _STOP_S = 60, 20


def binary() -> Path | None:
    """The oracle that `make oracle` built, or that STREAMGAUGE_ORACLE, a folder, holds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("STREAMGAUGE_ORACLE") or cache / "streamgauge" / "oracle-3.16")
    return folder / "prometheus" if os.access(folder / "prometheus", os.X_OK) else None


class Prometheus:
    """Start with a new, empty folder, more arguments and another configuration; use as a context."""

    def __init__(
        self, program: Path, folder: Path, *more: str, timeout_s: float = 60, config: str = CONFIG
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder, self._log = folder, folder / "log"
        (folder / "prometheus.yml").write_text(config)
        arguments = [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--web.enable-remote-write-receiver",
            f"--enable-feature={','.join(FEATURES)}",
            *more,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        self.pid = self._process.pid
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_s)

    def __enter__(self) -> "Prometheus":
        until = time.monotonic() + _START_S
        while True:
            try:
                if self._ask("GET", "/-/ready")[0] == 200:
                    return self
            except OSError:
                self._connection.close()
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError(f"Prometheus does not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def __exit__(self, *_) -> None:
        self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def load(self, series) -> None:
        """Take (labels, (time in ms, value) pairs) by remote write."""
        self.take(compress(encode(series)))

    def take(self, request: bytes) -> None:
        """Take a remote write request, compressed."""
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, text = self._ask("POST", "/api/v1/write", request, headers)
        if status != 204:
            raise RuntimeError(f"Prometheus refused the samples: {status} {text.decode()}")

    def query(self, text: str, start: int, end: int, step: int) -> dict:
        """The JSON of an answer; step is 0 for an instant query, all times in ms."""
        if step:
            path = "/api/v1/query_range"
            form = {"query": text, "start": start / 1000, "end": end / 1000, "step": f"{step}ms"}
        else:
            path, form = "/api/v1/query", {"query": text, "time": start / 1000}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return json.loads(self._ask("POST", path, urlencode(form).encode(), headers)[1])

    def get(self, path: str) -> tuple[int, dict]:
        """The status and the JSON of a path."""
        status, text = self._ask("GET", path)
        return status, json.loads(text)

    def _ask(self, method, path, body=None, headers=None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        return answer.status, answer.read()
