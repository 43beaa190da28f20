"""Jobs that a test has submitted itself, for no supervisor keeps them."""

from typing import Any

import httpx

from integration.support.stored import wait_for
from streamgauge.clients.flink_rest import ALIVE, FlinkRest
from streamgauge.config import Config


def live_jobs(config: Config, word: str) -> list[dict[str, Any]]:
    """Return the jobs with a word in their name that have not ended, as Flink's overview has them."""
    found = httpx.get(f"{config.flink.rest}/jobs/overview").raise_for_status().json()["jobs"]
    return [job for job in found if word in job["name"] and job["state"] in ALIVE]


def end_jobs(config: Config, word: str) -> None:
    """Cancel these jobs; return when they have ended."""
    rest = FlinkRest(config.flink.rest)
    for job in live_jobs(config, word):
        rest.cancel(job["jid"])
    wait_for(lambda: not live_jobs(config, word), 60, lambda: str(live_jobs(config, word)))
