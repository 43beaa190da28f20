"""Where the local stack keeps its files, and where the project's own files are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The project's folder: jobs/, flink-conf/ and pom.xml are in it."""


class Home:
    """The one folder of a stack: `conf`, `data`, `logs`, `run` and `tls` below `path`."""

    def __init__(self, path: Path) -> None:
        path = path.absolute()
        self.path = path
        self.conf = path / "conf"
        self.data = path / "data"
        self.logs = path / "logs"
        self.run = path / "run"
        self.tls = path / "tls"
        self.config = self.conf / "streamgauge.yml"
        self.state = self.run / "state.json"
        self.stopped = self.run / "stopped"
        self.checkpoints = self.data / "flink" / "checkpoints"
        self.savepoints = self.data / "flink" / "savepoints"
        self.refused = self.data / "flink" / "refused"

    def make(self) -> None:
        """Create the folders that are not there yet."""
        for folder in (self.conf, self.data, self.logs, self.stopped, self.checkpoints, self.savepoints):
            folder.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        """The log of a process or job."""
        return self.logs / f"{name}.log"

    def pid(self, name: str) -> Path:
        """The file that names a process's id and start time."""
        return self.run / f"{name}.pid"
