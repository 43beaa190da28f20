"""The jars of the stack: pinned in pom.xml, fetched by Maven, kept in the user's cache."""

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from streamgauge.cache_folder import cache
from streamgauge.local.supervision.home import ROOT

POM = ROOT / "pom.xml"
SERVERS = ("kafka", "cassandra", "flink")
"""Profiles of pom.xml: each server has a class path of its own."""


class JarsUnavailable(RuntimeError):
    """Maven could not fetch the jars; the message ends with its last lines and the path of its log."""


def fetch(report: Callable[[str], None] = lambda _: None) -> Path:
    """The folder with one folder of jars per server, fetched first if it is not there.

    :param report: is told about each step that takes long.
    :raises JarsUnavailable: if Maven is missing or fails.
    """
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    folder = cache() / "jars" / digest
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise JarsUnavailable(
            "Maven (mvn) is not on the PATH: it is needed to fetch the jars listed in pom.xml"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as unfinished:
        for server in SERVERS:
            report(f"fetching the jars of {server}")
            _copy_dependencies(server, Path(unfinished) / server, folder.with_suffix(".log"))
        with contextlib.suppress(OSError):
            Path(unfinished).rename(folder)
    return folder


def connector() -> Path:
    """The jar with Flink's Kafka connector, for `flink run --jarfile`."""
    return next((fetch() / "flink").glob("flink-sql-connector-kafka-*.jar"))


def class_path(server: str) -> str:
    """The class path of a server's jars."""
    return f"{fetch() / server}/*"


def _copy_dependencies(server: str, target: Path, log: Path) -> None:
    maven = ["mvn", "-B", "-ntp", "-f", str(POM), "-P", server]
    with log.open("ab") as output:
        code = subprocess.call(
            [*maven, "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if code:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise JarsUnavailable(f"Maven failed on the jars of {server}:\n{last}\nwhole log: {log}")


if __name__ == "__main__":
    print(fetch(lambda line: print(line, flush=True)))
