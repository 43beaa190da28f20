"""A soak: mixed writes, queries and rules for an hour while something is killed every two minutes, and what holds then.

    python benchmarks/soak.py [--minutes 60] [--kill-every 120] [--series 400]

A stack of its own with every job, and with bounds checks in its kernels. A client pushes samples, some of them late,
until each is acknowledged, and remembers them in a plain model. Others ask range queries with and without the cache;
rules fire and resolve. Every two minutes one process is killed with -9. In the end:

- answers that are kept, computed, and made of the plain model by a loop are the same;
- the audit finds nothing missing;
- no job or process was restarted but as the consequence of a kill (soak_watch.py says which those are);
- no process grew: after its first five minutes, its memory at the end of its life is at most a fifth and 30 MB above
  that at the beginning.

Exits with 1 if one of these is not so.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import cramjam
import httpx
import psutil
from own_stack import audited, command, configuration, own_stack
from rich.console import Console
from rich.table import Table
from soak_model import METRIC, OFFSET_MS, QUERIES, STEP_MS, Model, differences
from soak_watch import Watch

from streamgauge.collect.receive.remote_write_request import encode
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack, StackError

LATE_SHARE = 0.02
MOST_LATE_MS = 20 * 60_000
SETTLE_S = 240.0
KILLED = (
    "worker",
    "taskmanager",
    "gateway",
    "collector",
    "redis",
    "worker",
    "jobmanager",
    "kafka",
    "cassandra",
)
RULES = """
groups:
  - name: soak
    interval: 5s
    rules:
      - record: soak:sum
        expr: sum by (group) (soak_value)
      - alert: SoakToggles
        expr: soak_toggle > 0
        for: 10s
        labels: {severity: warning}
        annotations: {summary: 'toggled {{ $labels.i }}'}
"""


Sample = tuple[dict[str, str], int, float]
"""Labels, ms, value."""
OTHERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("query", {"query": "soak_value[2m]", "time": "{now}", "limit": "3"}),
    ("query", {"query": "topk(3, rate(soak_value[5m]))", "time": "{now}", "stats": "all"}),
    ("query_range", {"query": "soak:sum", "start": "{now}", "end": "{now}", "step": "10", "limit": "1"}),
    ("query_range", {"query": "quantile(0.9, soak_value)", "start": "{now}", "end": "{now}", "step": "1"}),
    ("series", {"match[]": 'soak_value{{group="1"}}', "limit": "7"}),
    ("labels", {"match[]": "soak_value"}),
    ("label/i/values", {"limit": "9"}),
    ("rules", {}),
    ("alerts", {}),
    ("status/tsdb", {}),
)
"""Endpoints beside range queries, with the time of the query where one belongs."""


class Soak:
    """Writers, clients and a killer, each in threads of its own until `ended`."""

    def __init__(self, stack: Stack, config: Config, series: int) -> None:
        self.stack = stack
        self.config = config
        self.model = Model(series)
        self.watch = Watch(stack)
        self.ended = threading.Event()
        self.statuses: dict[str, int] = defaultdict(int)
        self.troubles: list[str] = []
        self.kills = 0
        self.random = random.Random(7)

    def write(self) -> None:
        """A sample a series and step; some wait and come late."""
        late: list[tuple[int, int, int]] = []
        with httpx.Client(timeout=20) as http:
            due = (int(time.time() * 1000) // STEP_MS + 1) * STEP_MS + OFFSET_MS
            while not self.ended.is_set():
                self.ended.wait(max(0.0, due / 1000 - time.time()))
                now = []
                for series in range(self.model.series):
                    if self.random.random() < LATE_SHARE:
                        late.append((due + self.random.randrange(60_000, MOST_LATE_MS), series, due))
                    else:
                        now.append((series, due))
                now += [(series, at) for when, series, at in late if when <= due]
                late = [each for each in late if each[0] > due]
                self._push(http, now, due)
                due += STEP_MS
            self._push(http, [(series, at) for _, series, at in late], due)

    def _push(self, http: httpx.Client, samples: list[tuple[int, int]], due: int) -> None:
        toggles = [
            ({"__name__": "soak_toggle", "i": str(n)}, due, float(due // 60_000 % 4 == n)) for n in range(4)
        ]
        every = [(self.model.labels(s), at, self.model.value(s, at)) for s, at in samples] + toggles
        # remote write and JSON in turns
        path, headers, body = _remote_write(every) if due // STEP_MS % 2 else _json(every)
        while True:
            try:
                answer = http.post(
                    f"http://{self.config.collector.listen}{path}", content=body, headers=headers
                )
                status = answer.status_code
            except httpx.TransportError:
                status = 0
            self.statuses[f"write {status}"] += 1
            if status == 204:
                break
            if 400 <= status < 500:
                self.troubles.append(f"write refused: {answer.text}")
                return
            time.sleep(0.5)
        for series, at in samples:
            self.model.samples[series][at] = self.model.value(series, at)

    def ask(self) -> None:
        """Range queries of the last minutes, kept and computed in turns."""
        number = 0
        own = random.Random(threading.get_ident())
        with httpx.Client(timeout=40) as http:
            while not self.ended.wait(0.2):
                number += 1
                end = int(time.time()) // 60 * 60
                name = own.choice(list(QUERIES))
                form = {
                    "query": QUERIES[name].format(metric=METRIC),
                    "start": str(end - own.choice((600, 1800, 3600))),
                    "end": str(end),
                    "step": own.choice(("15", "60")),
                }
                self._ask(http, "query_range", form, {"Cache-Control": "no-store"} if number % 2 else {})
                other, more = own.choice(OTHERS)
                self._ask(http, other, {name: value.format(now=end) for name, value in more.items()}, {})

    def _ask(self, http: httpx.Client, endpoint: str, form: dict[str, str], headers: dict[str, str]) -> None:
        try:
            # GET, for not every endpoint takes a form
            answer = http.get(f"{self.config.gateway.url}/api/v1/{endpoint}", params=form, headers=headers)
            status = answer.status_code
        except httpx.TransportError:
            status = 0
        self.statuses[f"query {status}"] += 1
        if 0 < status != 200 and status not in (422, 503, 504):
            self.troubles.append(f"{endpoint} {form}: {status} {answer.text[:300]}")

    def kill(self, every_s: float) -> None:
        """kill -9 of one after the other."""
        while not self.ended.wait(every_s):
            victim = KILLED[self.kills % len(KILLED)]
            self.kills += 1
            self.watch.killed(victim)
            print(f"  {time.strftime('%H:%M:%S')} kill -9 {victim}", file=sys.stderr)
            try:
                if victim == "worker":
                    os.kill(self.stack.python_workers()[0], signal.SIGKILL)
                else:
                    self.stack.kill(victim)
            except (StackError, IndexError, psutil.Error, ProcessLookupError) as error:
                print(f"  not killed: {error}", file=sys.stderr)


def _remote_write(samples: list[Sample]) -> tuple[str, dict[str, str], bytes]:
    body = cramjam.snappy.compress_raw(encode([(labels, [(at, value)]) for labels, at, value in samples]))
    return (
        "/api/v1/write",
        {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"},
        bytes(body),
    )


def _json(samples: list[Sample]) -> tuple[str, dict[str, str], bytes]:
    pushed = [
        {"metric": name, "labels": others, "timestamp": at, "value": value}
        for (name, others), at, value in ((_split(labels), at, value) for labels, at, value in samples)
    ]
    return "/api/v1/push", {"Content-Type": "application/json"}, json.dumps(pushed).encode()


def _split(labels: dict[str, str]) -> tuple[str, dict[str, str]]:
    return labels["__name__"], {name: value for name, value in labels.items() if name != "__name__"}


def _apply_rules(stack: Stack) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "soak.yml"
        file.write_text(RULES)
        apply = command(stack, "rules", "apply", "--yes", str(file))
        subprocess.run(apply, check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kill-every", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--series", type=int, default=400)
    given = parser.parse_args()
    # kernels with bounds checks are compiled before the stack starts, for else each of its processes would compile them
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    subprocess.run([sys.executable, "-m", "streamgauge.warm"], check=True, stdout=sys.stderr)
    config = configuration("soak", Layout(lanes=8, groups=4))
    parts = Stack(config).parts() - {"sql"}
    with own_stack(config, parts) as stack:
        _apply_rules(stack)
        soak = Soak(stack, config, given.series)
        begin = (int(time.time()) // 60 + 6) * 60_000
        threads = [
            threading.Thread(target=part)
            for part in (soak.write, soak.ask, soak.ask, lambda: soak.kill(given.kill_every))
        ]
        try:
            for thread in threads:
                thread.start()
            time.sleep(given.minutes * 60)
            soak.ended.set()
            for thread in threads:
                thread.join()
            end = int(time.time()) // 60 * 60_000 - 60_000
            stack.wait_ready(parts, timeout_s=300)
            time.sleep(SETTLE_S)
            differ = differences(soak.model, config.gateway.url, begin, end)
            audit = audited(stack)
        finally:
            soak.ended.set()
            soak.watch.end()
    sys.exit(1 if _failed(soak, differ, audit) else 0)


def _failed(soak: Soak, differ: list[str], audit: dict[str, object]) -> bool:
    """Print the report, and say whether anything does not hold."""
    console = Console(width=120)
    lifetimes = soak.watch.lifetimes()
    table = Table("process", "longest life, min", "MB after 5 min", "MB at the end", "")
    for each in lifetimes:
        table.add_row(
            each.name,
            f"{each.minutes:.0f}",
            f"{each.early:.0f}",
            f"{each.late:.0f}",
            "grew" if each.grew else "",
        )
    console.print(table)
    samples = sum(map(len, soak.model.samples.values()))
    console.print(
        f"{samples:,} samples acknowledged; {soak.kills} kills, {soak.watch.restarts} restarts after them"
    )
    console.print(f"answers by status: {dict(sorted(soak.statuses.items()))}")
    console.print(
        f"audit: {audit['verified']} batches verified, {audit['waiting']} too new, missing: {audit['missing']}"
    )
    for what, found in (
        ("answers that differ", differ),
        ("restarts that no kill explains", soak.watch.uncaused),
        ("requests that were refused", soak.troubles),
    ):
        console.print(f"{what}: {len(found)}")
        for line in found[:20]:
            console.print(f"  {line}")
    grew = any(each.grew for each in lifetimes)
    return bool(differ or soak.watch.uncaused or soak.troubles or audit["missing"] or grew)


if __name__ == "__main__":
    main()
