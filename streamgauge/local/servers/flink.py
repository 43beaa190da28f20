"""Flink standalone: one JobManager and one TaskManager of the apache-flink package."""

import importlib.util
import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import yaml

from streamgauge.clients.no_redirects import get_json
from streamgauge.config import Config
from streamgauge.local.servers import jars
from streamgauge.local.servers.service import Service, address, answers
from streamgauge.local.supervision.home import ROOT, Home

CONF = ROOT / "flink-conf"
SLOTS_PER_PARALLELISM = 5
"""Each job takes `flink.parallelism` slots; one job more than there is leaves room for a restart."""


def folder() -> Path:
    """The Flink distribution inside the apache-flink package, found without importing it."""
    package = importlib.util.find_spec("pyflink")
    if package is None or package.origin is None:
        raise RuntimeError("the apache-flink package is not installed")
    return Path(package.origin).parent


def variables(home: Home) -> Mapping[str, str]:
    """What Flink's scripts need in their environment."""
    return {
        "FLINK_HOME": str(folder()),
        "FLINK_CONF_DIR": str(home.conf / "flink"),
        "FLINK_LIB_DIR": str(home.conf / "flink" / "lib"),
        "FLINK_LOG_DIR": str(home.logs),
        "FLINK_PID_DIR": str(home.run),
        "FLINK_IDENT_STRING": "streamgauge",
    }


def write_configuration(config: Config, home: Home) -> None:
    """Write Flink's configuration folder: the project's files and the settings of this machine."""
    target = home.conf / "flink"
    target.mkdir(parents=True, exist_ok=True)
    _link_jars(target / "lib")
    for logging in CONF.glob("log4j-*.properties"):
        shutil.copy(logging, target)
    settings = yaml.safe_load((CONF / "config.yaml").read_text()) | _settings(config, home)
    (target / "config.yaml").write_text(yaml.safe_dump(settings, width=10_000))


def jobmanager(config: Config, home: Home) -> Service:
    """The JobManager: it keeps jobs in memory only, so a new one has none."""
    _, rest_port = address(config.flink.rest)
    metrics_port = config.local.flink_metrics_ports[0]

    def command() -> list[str]:
        write_configuration(config, home)
        return _script("jobmanager.sh", metrics_port)

    ports = {
        "flink.rest": rest_port,
        "local.flink_rpc_port": config.local.flink_rpc_port,
        "local.flink_metrics_ports[0]": metrics_port,
    }
    ready = lambda: answers(f"{config.flink.rest}/overview")  # noqa: E731
    return Service("jobmanager", command, ready, ports=ports, environment=variables(home))


def taskmanager(config: Config, home: Home) -> Service:
    """The TaskManager; its Python workers are its children."""
    identity = ""
    metrics_port = config.local.flink_metrics_ports[1]

    def command() -> list[str]:
        nonlocal identity
        # a new name at each start tells it from the one that the JobManager may still believe alive
        identity = f"taskmanager-{uuid.uuid4().hex[:8]}"
        return [*_script("taskmanager.sh", metrics_port), "-D", f"taskmanager.resource-id={identity}"]

    def ready() -> bool:
        try:
            listed = get_json(f"{config.flink.rest}/taskmanagers")
        except (OSError, ValueError):
            return False
        return isinstance(listed, dict) and any(each["id"] == identity for each in listed["taskmanagers"])

    ports = {"local.flink_metrics_ports[1]": metrics_port}
    return Service(
        "taskmanager", command, ready, ("jobmanager",), ports, environment=variables(home), grace_s=15
    )


def _script(name: str, metrics_port: int) -> list[str]:
    script = str(folder() / "bin" / name)
    return [script, "start-foreground", "-D", f"metrics.reporter.prom.port={metrics_port}"]


def _link_jars(target: Path) -> None:
    """Flink's own jars, its Python bridge and the Kafka connector, which jobs then need not bring."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    bridge = next((folder() / "opt").glob("flink-python-*.jar"))
    for jar in [*(folder() / "lib").glob("*.jar"), bridge, jars.connector()]:
        (target / jar.name).symlink_to(jar)


def _settings(config: Config, home: Home) -> dict[str, object]:
    host, rest_port = address(config.flink.rest)
    scratch = home.data / "flink" / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": config.local.flink_rpc_port,
        "jobmanager.bind-host": host,
        "taskmanager.host": host,
        "taskmanager.bind-host": host,
        "taskmanager.numberOfTaskSlots": SLOTS_PER_PARALLELISM * config.flink.parallelism,
        "parallelism.default": config.flink.parallelism,
        "rest.address": host,
        "rest.bind-address": host,
        "rest.port": rest_port,
        "rest.bind-port": rest_port,
        "io.tmp.dirs": str(scratch),
        "web.tmpdir": str(scratch),
        "execution.target": "remote",
        "execution.checkpointing.interval": f"{config.flink.checkpoint_interval_s} s",
        "execution.checkpointing.dir": home.checkpoints.as_uri(),
        "execution.checkpointing.savepoint-dir": home.savepoints.as_uri(),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
