"""A soak: mixed writes, queries and rules for an hour while something is killed every two minutes, and what holds then.

    python benchmarks/soak.py [--minutes 60] [--kill-every 120] [--series 400]

A stack of its own with every job. A client pushes samples, some of them late, until each is acknowledged, and
remembers them in a plain model. Others ask range queries with and without the cache; rules fire and resolve. Every two
minutes one process is killed with -9. In the end:

- answers that are kept, computed, and made of the plain model by a loop are the same;
- the audit finds nothing missing;
- no job or process was restarted but after a kill;
- no process grew: the median of its memory in the last quarter is at most a fifth above that of the second one.

Exits with 1 if one of these is not so.
"""

import argparse
import os
import random
import signal
import statistics
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

from streamgauge.collect.remote_write_request import encode
from streamgauge.config import Config, Layout
from streamgauge.local.stack import Stack, StackError

METRIC = "soak_value"
STEP_MS = 5_000
OFFSET_MS = 1_234
"""No sample lies on a step of a query, so windows with and without their ends hold the same."""
LATE_SHARE = 0.02
MOST_LATE_MS = 20 * 60_000
SETTLE_S = 240.0
CAUSED_WITHIN_S = 150.0
"""A restart so long after a kill is its consequence: jobs go on when all they need is there again."""
GROWTH = 1.2
LOOK_S = 5.0
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
QUERIES = {
    "value": '{metric}{{i=~"[0-4]"}}',
    "sum": "sum({metric})",
    "over_time": "sum by (group) (sum_over_time({metric}[1m]))",
    "count": 'count_over_time({metric}{{group="2"}}[2m])',
    "max": "max by (group) (max_over_time({metric}[5m]))",
}
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


class Model:
    """Acknowledged values by series and time (ms). A value follows from the series and the time."""

    def __init__(self, series: int) -> None:
        self.series = series
        self.samples: dict[int, dict[int, float]] = defaultdict(dict)

    @staticmethod
    def value(series: int, at: int) -> float:
        return float((series * 7919 + at // STEP_MS * 104_729) % 1000)

    def labels(self, series: int) -> dict[str, str]:
        return {"__name__": METRIC, "i": str(series), "group": str(series % 8)}

    def window(self, series: int, start: int, end: int) -> list[float]:
        """Values after `start` and up to `end`."""
        first = (start - OFFSET_MS) // STEP_MS * STEP_MS + OFFSET_MS
        own = self.samples[series]
        return [own[at] for at in range(first, end + 1, STEP_MS) if at > start and at in own]

    def last(self, series: int, at: int) -> float | None:
        found = self.window(series, at - 300_000, at)
        return found[-1] if found else None

    def answer(self, name: str, steps: list[int]) -> dict[str, dict[int, float]]:
        """The answer of a query at each step (ms), by a text of its labels."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for at in steps:
            for key, value in self._at(name, at).items():
                found[key][at] = value
        return dict(found)

    def _at(self, name: str, at: int) -> dict[str, float]:
        every = range(self.series)
        if name == "value":
            lasts = {f"i={series}": self.last(series, at) for series in range(min(5, self.series))}
            return {key: value for key, value in lasts.items() if value is not None}
        if name == "sum":
            values = [value for series in every if (value := self.last(series, at)) is not None]
            return {"": sum(values)} if values else {}
        if name == "count":
            counts = {f"i={s}": float(len(self.window(s, at - 120_000, at))) for s in every if s % 8 == 2}
            return {key: count for key, count in counts.items() if count}
        width, fold = (60_000, sum) if name == "over_time" else (300_000, max)
        windows: dict[str, list[float]] = defaultdict(list)
        for series in every:
            windows[f"group={series % 8}"] += self.window(series, at - width, at)
        return {key: float(fold(values)) for key, values in windows.items() if values}


class Soak:
    """Everything that goes on at the same time."""

    def __init__(self, stack: Stack, config: Config, series: int) -> None:
        self.stack = stack
        self.config = config
        self.model = Model(series)
        self.ended = threading.Event()
        self.statuses: dict[str, int] = defaultdict(int)
        self.troubles: list[str] = []
        self.kills: list[tuple[float, str]] = []
        self.memory: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.restarts: dict[str, int] = {}
        self.uncaused: list[str] = []
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
        request = [(self.model.labels(s), [(at, self.model.value(s, at))]) for s, at in samples]
        request += [
            ({"__name__": "soak_toggle", "i": str(n)}, [(due, float(due // 60_000 % 4 == n))])
            for n in range(4)
        ]
        body = bytes(cramjam.snappy.compress_raw(encode(request)))
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        while True:
            try:
                answer = http.post(
                    f"http://{self.config.collector.listen}/api/v1/write", content=body, headers=headers
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
                headers = {"Cache-Control": "no-store"} if number % 2 else {}
                try:
                    answer = http.post(
                        f"{self.config.gateway.url}/api/v1/query_range", data=form, headers=headers
                    )
                    self.statuses[f"query {answer.status_code}"] += 1
                except httpx.TransportError:
                    self.statuses["query 0"] += 1

    def kill(self, every_s: float) -> None:
        """kill -9 of one after the other."""
        number = 0
        while not self.ended.wait(every_s):
            victim = KILLED[number % len(KILLED)]
            number += 1
            self.kills.append((time.monotonic(), victim))
            print(f"  {time.strftime('%H:%M:%S')} kill -9 {victim}", file=sys.stderr)
            try:
                if victim == "worker":
                    os.kill(self.stack.python_workers()[0], signal.SIGKILL)
                else:
                    self.stack.kill(victim)
            except (StackError, IndexError, psutil.Error, ProcessLookupError) as error:
                print(f"  not killed: {error}", file=sys.stderr)

    def look(self) -> None:
        """Restarts, and what each process takes."""
        while not self.ended.wait(LOOK_S):
            state = self.stack.state()
            for kind in ("processes", "jobs"):
                for name, each in state.get(kind, {}).items():
                    count = each["restarts"] + each.get("resubmissions", 0)
                    if count > self.restarts.get(name, count) and not self._is_caused():
                        self.uncaused.append(f"{time.strftime('%H:%M:%S')} {name}: {each['last_failure']}")
                    self.restarts[name] = count
            for name, each in state.get("processes", {}).items():
                if each.get("pid"):
                    self.memory[name].append((time.monotonic(), _resident(each["pid"])))

    def _is_caused(self) -> bool:
        return bool(self.kills) and time.monotonic() - self.kills[-1][0] < CAUSED_WITHIN_S

    def grown(self) -> list[tuple[str, float, float, bool]]:
        """By process, MB in the second and in the last quarter, and whether that is too much."""
        found = []
        for name, seen in sorted(self.memory.items()):
            quarter = len(seen) // 4
            if quarter < 3:
                continue
            early = statistics.median(size for _, size in seen[quarter : 2 * quarter]) / 2**20
            late = statistics.median(size for _, size in seen[3 * quarter :]) / 2**20
            found.append((name, early, late, late > GROWTH * early + 30))
        return found

    def differences(self, begin: int, end: int) -> list[str]:
        """Differences between kept, computed and plain answers of all queries over the soak."""
        found = []
        with httpx.Client(timeout=60) as http:
            for name, text in QUERIES.items():
                for step in (15_000, 60_000):
                    # within what a query may have, from whole minutes to whole minutes
                    for start in range(begin, end, 2 * 3_600_000):
                        last = min(start + 2 * 3_600_000, end)
                        form = {"query": text.format(metric=METRIC), "step": str(step // 1000)}
                        form |= {"start": str(start / 1000), "end": str(last / 1000)}
                        plain = self.model.answer(name, list(range(start, last + 1, step)))
                        for how, headers in (
                            ("computed", {"Cache-Control": "no-store"}),
                            ("kept", {}),
                            ("kept again", {}),
                        ):
                            answer = _matrix(http, self.config, form, headers)
                            if answer != plain:
                                found.append(f"{name} step {step} {how}: {_first_difference(answer, plain)}")
        return found


def _matrix(
    http: httpx.Client, config: Config, form: dict[str, str], headers: dict[str, str]
) -> dict[str, dict[int, float]]:
    answer = http.post(f"{config.gateway.url}/api/v1/query_range", data=form, headers=headers)
    answer.raise_for_status()
    found = {}
    for one in answer.json()["data"]["result"]:
        labels = one["metric"]
        key = f"i={labels['i']}" if "i" in labels else f"group={labels['group']}" if "group" in labels else ""
        found[key] = {round(at * 1000): float(value) for at, value in one["values"]}
    return found


def _first_difference(found: dict[str, dict[int, float]], plain: dict[str, dict[int, float]]) -> str:
    places = [
        (at, key, found.get(key, {}).get(at), plain.get(key, {}).get(at))
        for key in found.keys() | plain.keys()
        for at in found.get(key, {}).keys() | plain.get(key, {}).keys()
        if found.get(key, {}).get(at) != plain.get(key, {}).get(at)
    ]
    at, key, one, other = min(places)[:4]
    return f"{len(places)} of them, first at {at} {key}: {one} instead of {other}"


def _resident(session: int) -> int:
    total = 0
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                total += process.memory_info().rss
        except (psutil.Error, ProcessLookupError):
            continue
    return total


def _apply_rules(stack: Stack) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "soak.yml"
        file.write_text(RULES)
        apply = command(stack, "rules", "apply", str(file))
        subprocess.run(apply, check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kill-every", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--series", type=int, default=400)
    given = parser.parse_args()
    config = configuration("soak", Layout(lanes=8, groups=4))
    with own_stack(config, Stack(config).parts() - {"sql"}) as stack:
        _apply_rules(stack)
        soak = Soak(stack, config, given.series)
        begin = (int(time.time()) // 60 + 6) * 60_000
        parts = [soak.write, soak.ask, soak.ask, soak.look, lambda: soak.kill(given.kill_every)]
        threads = [threading.Thread(target=part) for part in parts]
        for thread in threads:
            thread.start()
        time.sleep(given.minutes * 60)
        soak.ended.set()
        for thread in threads:
            thread.join()
        end = int(time.time()) // 60 * 60_000 - 60_000
        stack.wait_ready(stack.parts() - {"sql"}, timeout_s=300)
        time.sleep(SETTLE_S)
        differences = soak.differences(begin, end)
        audit = audited(stack)
    failed = _report(soak, differences, audit)
    sys.exit(1 if failed else 0)


def _report(soak: Soak, differences: list[str], audit: dict[str, object]) -> bool:
    console = Console(width=140)
    grown = soak.grown()
    table = Table("process", "MB, second quarter", "MB, last quarter", "")
    for name, early, late, too_much in grown:
        table.add_row(name, f"{early:.0f}", f"{late:.0f}", "grew" if too_much else "")
    console.print(table)
    samples = sum(map(len, soak.model.samples.values()))
    console.print(
        f"{samples:,} samples acknowledged; {len(soak.kills)} kills; answers: {dict(soak.statuses)}"
    )
    console.print(
        f"audit: {audit['verified']} batches verified, {audit['waiting']} too new, missing: {audit['missing']}"
    )
    for what, found in (
        ("differs", differences),
        ("restarted without cause", soak.uncaused),
        ("trouble", soak.troubles),
    ):
        console.print(f"{what}: {len(found)}")
        for line in found[:20]:
            console.print(f"  {line}")
    return bool(
        differences or soak.uncaused or soak.troubles or audit["missing"] or any(row[3] for row in grown)
    )


if __name__ == "__main__":
    main()
