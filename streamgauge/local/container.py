"""What our image runs in containers: a part of Flink, or the submission of the jobs.

python -m streamgauge.local.container jobmanager | taskmanager | submit
"""

import os
import socket
import sys
import time

from streamgauge import config as configuration
from streamgauge.config import Config
from streamgauge.local import flink
from streamgauge.local.flink_rest import ALIVE, FlinkRest
from streamgauge.local.home import Home
from streamgauge.local.jobs import JOBS, Submission, Submissions, new_id, submit
from streamgauge.local.service import environment

SLOTS_TIMEOUT_S = 180.0
EVERYWHERE = "0.0.0.0"


def main() -> None:
    """Run the part that the one argument names, with the configuration that STREAMGAUGE_CONFIG names."""
    config = configuration.read()
    home = Home(config.local.home)
    home.make()
    if sys.argv[1] == "submit":
        submit_all(config, home)
        return
    flink.write_configuration(config, home)
    service = {"jobmanager": flink.jobmanager, "taskmanager": flink.taskmanager}[sys.argv[1]](config, home)
    command = service.command() + [part for setting in _listen() for part in ("-D", setting)]
    os.execvpe(command[0], command, {**environment(home), **service.environment})


def submit_all(config: Config, home: Home) -> None:
    """Submit each job that does not run, from its newest snapshot.

    :raises TimeoutError: if the cluster has no slots in time. :raises SubmissionFailed: with Flink's reason.
    """
    rest = FlinkRest(config.flink.rest)
    submissions = Submissions(home)
    for name in JOBS:
        newest = submissions.newest(name)
        if newest and rest.states().get(newest.id) in ALIVE:
            continue
        _await_slots(rest, config.flink.parallelism)
        submission = Submission(new_id(), submissions.snapshot(name))
        submissions.remember(name, submission)
        submit(name, submission, home, environment(home))


def _listen() -> list[str]:
    """A container answers on all its addresses, under its own name."""
    bind = ("jobmanager.bind-host", "rest.bind-address", "taskmanager.bind-host")
    return [*(f"{key}={EVERYWHERE}" for key in bind), f"taskmanager.host={socket.gethostname()}"]


def _await_slots(rest: FlinkRest, wanted: int) -> None:
    deadline = time.monotonic() + SLOTS_TIMEOUT_S
    while rest.free_slots() < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Flink has fewer than {wanted} free slots after {SLOTS_TIMEOUT_S:.0f} s")
        time.sleep(1)


if __name__ == "__main__":
    main()
