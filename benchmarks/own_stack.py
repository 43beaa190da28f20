"""A stack for one benchmark, on free ports and in a folder of its own, which is deleted in the end.

Its logs stay, so that a benchmark that failed can be understood.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator

from streamgauge.config import Config, Layout, StorageClassSettings
from streamgauge.local.own_stack import changed, home_of, on_own_ports
from streamgauge.local.stack import Stack

KEPT_HOURS = 72
"""Of samples and messages, so that simulated time may lie a day back."""
CLUSTER = frozenset({"kafka", "cassandra", "schema", "jobmanager", "taskmanager"})
STORES = frozenset({"kafka", "cassandra", "schema"})


def configuration(
    name: str, layout: Layout, partitions: int = 4, checkpoint_s: int = 10, lag_ms: int = 1000
) -> Config:
    """A configuration below `.streamgauge/bench-NAME`."""
    return changed(
        on_own_ports(home_of(f"bench-{name}")),
        kafka={"retention_hours": KEPT_HOURS, "partitions": partitions},
        flink={"checkpoint_interval_s": checkpoint_s},
        stream={"lag_ms": lag_ms},
        storage={"classes": {"standard": StorageClassSettings(retention={"raw": f"{KEPT_HOURS}h"})}},
        collector={"name": "bench", "max_series": 2_000_000},
        layout=dict(layout),
    )


@contextlib.contextmanager
def own_stack(config: Config, parts: Collection[str]) -> Iterator[Stack]:
    """Bring the parts up on empty tables; take them down and delete their data in the end, also on SIGTERM."""
    stack = Stack(config)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stack.down()
    shutil.rmtree(stack.home.path, ignore_errors=True)
    try:
        stack.up(parts, report=lambda line: print(f"  {line}", file=sys.stderr))
        yield stack
    finally:
        stack.down()
        shutil.rmtree(stack.home.data, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)


def command(stack: Stack, *arguments: str) -> list[str]:
    """`streamgauge ...` with the configuration of a stack."""
    return [sys.executable, "-m", "streamgauge.cli", "--config", str(stack.home.config), *arguments]


def audited(stack: Stack) -> dict[str, object]:
    """`streamgauge audit` of the last day, whose exit code says the same as `missing`."""
    asked = command(stack, "audit", "--since", "1d", "--json")
    found: dict[str, object] = json.loads(subprocess.run(asked, capture_output=True, text=True).stdout)
    return found
