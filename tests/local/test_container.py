"""What keeps the jobs running in containers, without a cluster behind it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from streamgauge import config as configuration
from streamgauge.config import Config, Flink, Local
from streamgauge.local.container import all_run
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import JOBS, Submission, Submissions
from tests.support.http_server import json_response, serving

TIMEOUT_S = 60


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Of the jobs' container, of a cluster that does not answer."""
    file = tmp_path / "streamgauge.yml"
    [port] = free_ports(1)
    file.write_text(
        yaml.safe_dump({"flink": {"rest": f"http://127.0.0.1:{port}"}, "local": {"home": "home"}})
    )
    program = [sys.executable, "-m", "streamgauge.local.container"]
    return ["env", f"STREAMGAUGE_CONFIG={file}", *program]


def test_it_waits_for_the_cluster_and_ends_well_when_told(command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen([*command, "jobs"], stderr=subprocess.PIPE, text=True) as keeper:
        assert keeper.stderr
        # it says so once it can be told to stop
        assert "supervising the jobs" in keeper.stderr.readline()
        assert keeper.poll() is None
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(TIMEOUT_S) == 0
    home = Home(tmp_path / "home")
    # jobs are given this file by name
    assert configuration.read(home.config).local.home == home.path
    assert home.config.stat().st_mode & 0o077 == 0
    assert subprocess.run([*command, "healthy"], timeout=TIMEOUT_S).returncode == 1


@pytest.mark.parametrize("state", ["RUNNING", "RESTARTING", ""])
def test_it_is_healthy_when_the_newest_submission_of_every_job_runs(state: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    submissions = Submissions(home)
    ids = {name: f"{number:032x}" for number, name in enumerate(JOBS)}
    for name, job in ids.items():
        submissions.remember(name, Submission(job, ""))
    found = dict.fromkeys(ids.values(), "RUNNING")
    last = ids["alerts"]
    found = {**found, last: state} if state else {job: "RUNNING" for job in found if job != last}
    answer = {"jobs": [{"id": job, "status": state} for job, state in found.items()]}
    with serving(lambda _: json_response(answer)) as url:
        assert all_run(Config(flink=Flink(rest=url), local=Local(home=tmp_path)), home) == (
            state == "RUNNING"
        )
