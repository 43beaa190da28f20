"""What our image runs in containers: a part of Flink, or what keeps the jobs running on it.

python -m streamgauge.local.container jobmanager | taskmanager | jobs | healthy
"""

import logging
import os
import signal
import socket
import sys
import threading

from streamgauge import config as configuration
from streamgauge.clients.flink_rest import FlinkRest
from streamgauge.config import Config
from streamgauge.local.servers import flink
from streamgauge.local.servers.service import environment
from streamgauge.local.supervision.home import Home
from streamgauge.local.supervision.jobs import JOBS, Submissions
from streamgauge.local.supervision.keeper import Keeper

EVERYWHERE = "0.0.0.0"

log = logging.getLogger(__name__)


def main() -> None:
    """Run the part that the one argument names, with the configuration that STREAMGAUGE_CONFIG names."""
    config = configuration.read()
    home = Home(config.local.home)
    part = sys.argv[1]
    if part == "healthy":
        sys.exit(0 if all_run(config, home) else 1)
    home.make()
    # what Flink starts looks for it there, as on the local stack
    configuration.write(config, home.config)
    if part == "jobs":
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        keep(config, home)
        return
    flink.write_configuration(config, home)
    service = {"jobmanager": flink.jobmanager, "taskmanager": flink.taskmanager}[part](config, home)
    command = service.command() + [part for setting in _listen() for part in ("-D", setting)]
    os.execvpe(command[0], command, {**environment(home), **service.environment})


def keep(config: Config, home: Home) -> None:
    """Keep the jobs running until SIGTERM or SIGINT, then stop them with a savepoint."""
    ending = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: ending.set())
    keeper = Keeper(config, home, environment(home), may_submit=lambda: True)
    keeper.start()
    log.info("keeps the jobs: %s", ", ".join(keeper.jobs))
    ending.wait()
    keeper.stop()


def all_run(config: Config, home: Home) -> bool:
    """Whether Flink runs every job's newest submission."""
    submissions = Submissions(home)
    try:
        states = FlinkRest(config.flink.rest).states()
    except (OSError, ValueError):
        return False
    newest = [submissions.newest(name) for name in JOBS]
    return all(each is not None and states.get(each.id) == "RUNNING" for each in newest)


def _listen() -> list[str]:
    """A container answers on all its addresses, under its own name."""
    bind = ("jobmanager.bind-host", "rest.bind-address", "taskmanager.bind-host")
    return [*(f"{key}={EVERYWHERE}" for key in bind), f"taskmanager.host={socket.gethostname()}"]


if __name__ == "__main__":
    main()
