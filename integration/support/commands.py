"""Our own commands as processes, and what tests need that may not be there."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml


def start(command: str, document: Mapping[str, object], file: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start `streamgauge COMMAND` with a configuration, which is written to a file; what it prints goes to the log."""
    file.write_text(yaml.safe_dump(dict(document)))
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "streamgauge.cli", "--config", str(file), command],
            stdout=output,
            stderr=output,
        )


def require(is_there: object, absent: str) -> None:
    """Skip what needs something that is not there; fail where no test may be left out."""
    if is_there:
        return
    if os.environ.get("STREAMGAUGE_ORACLE_REQUIRED"):
        pytest.fail(absent)
    pytest.skip(absent)
