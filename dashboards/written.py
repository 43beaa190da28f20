"""The files of the dashboards."""

import json
from pathlib import Path

from dashboards import hosts, system

FOLDER = Path(__file__).parent / "json"


def texts() -> dict[str, str]:
    """The JSON of each dashboard by the name of its file."""
    dashboards = {"streamgauge.json": system.DASHBOARD, "hosts.json": hosts.DASHBOARD}
    return {
        name: json.dumps(dashboard.json(), indent=1, ensure_ascii=False) + "\n"
        for name, dashboard in dashboards.items()
    }
