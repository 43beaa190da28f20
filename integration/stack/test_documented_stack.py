"""The documented command lines that start and stop a whole stack, in the order in which a new user meets them."""

import os
import shutil
import subprocess
import sys

import pytest

from integration.stack.test_documented import LINES, OF_A_STACK
from integration.support.flink_jobs import end_jobs, live_jobs
from integration.support.stored import wait_for
from streamgauge import config as configuration
from streamgauge.local.own_stack import home_of, on_own_ports
from streamgauge.local.servers import flink, jars
from streamgauge.local.stack import Stack
from streamgauge.local.supervision.home import ROOT

HOME = home_of("documented")


@pytest.fixture(scope="module")
def own():
    """A stack that nothing has started yet."""
    found = Stack(on_own_ports(HOME))
    found.down()
    shutil.rmtree(HOME, ignore_errors=True)
    yield found
    found.down()


@pytest.fixture(scope="module")
def run(own, tmp_path_factory):
    """Run a documented line where a user does, with the configuration of the stack; what it prints."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "jobs").symlink_to(ROOT / "jobs")
    (folder / ".venv").symlink_to(sys.prefix)
    for jar in jars.fetch().rglob("flink-sql-connector-kafka-*.jar"):
        (folder / jar.name).symlink_to(jar)
    file = folder / "streamgauge.yml"
    configuration.write(own.config, file)
    programs = (folder / ".venv" / "bin", flink.folder() / "bin")
    variables = os.environ | {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "FLINK_CONF_DIR": str(own.home.conf / "flink"),
        configuration.ENVIRONMENT_VARIABLE: str(file),
    }

    def ran(text: str) -> str:
        assert text in OF_A_STACK
        # what make sets up is the project's own
        where = ROOT if text.startswith("make ") else folder
        done = subprocess.run(
            ["bash", "-c", text], cwd=where, env=variables, capture_output=True, text=True, timeout=400
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        assert "Traceback" not in printed
        return printed

    return ran


def test_the_lines_are_in_the_pages():
    assert {line.text for line in LINES} >= OF_A_STACK


def test_a_stack_comes_up_shows_a_metric_takes_a_job_by_hand_and_goes_down_again(own, run):
    shown = run("make demo")
    assert "and its last 1-minute rollups" in shown
    assert own.config.gateway.url in shown
    own.stop("rollup")
    run(next(text for text in OF_A_STACK if text.startswith("flink run -d")))
    wait_for(lambda: [job["state"] for job in live_jobs(own.config, "rollup")] == ["RUNNING"], 90)
    end_jobs(own.config, "rollup")
    run("streamgauge down")
    assert not own.running()
    run("streamgauge up")
    assert {one["state"] for one in own.state()["jobs"].values()} <= {"RUNNING", "stopped"}
    run("streamgauge logs store -n 100")


def test_ci_runs_what_the_readme_says_of_tests():
    """`make test` cannot run inside itself."""
    assert "make test" in {line.text for line in LINES}
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()
