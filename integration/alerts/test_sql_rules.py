"""SQL rules on the real stack: from samples on Kafka through Flink SQL to alerts, over the kill of a worker."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest

from integration.support.alerting import every_change
from integration.support.batches import BatchProducer, raw_partitions
from integration.support.stored import wait_for
from schemas.batches import batch
from schemas.topics import ALERT_STATE, RAW
from streamgauge.local.supervision.home import ROOT
from streamgauge.rules.machine.alert_output import NO_EXTERNAL_URL
from streamgauge.topics.partition import headers_of, read_partition

EXAMPLE = ROOT / "rules" / "checkout_errors.sql"
STEP_MS = 5000
EVERY_MS = 10_000
ERRORS = """\
-- name: HighErrors
-- for: 20s
-- severity: critical
-- labels: {team: "{{ $labels.instance }}-people"}
-- annotations: {summary: "{{ $labels.instance }} has {{ $value | humanize }} errors a second"}
SELECT labels['instance'] AS instance, AVG(`value`) AS `value`
FROM TABLE(TUMBLE(TABLE samples('http_errors', 'job="web"'), DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time, labels['instance'] HAVING AVG(`value`) > 5
"""
HOT = """\
-- name: Hot
-- every: 10s
-- no_data: keep
SELECT labels['room'] AS room, `value` FROM samples('warmth') WHERE `value` > 80
"""


def _flink(stack, *arguments):
    command = [
        sys.executable,
        "-m",
        "streamgauge.cli",
        "--config",
        str(stack.home.config),
        "flink",
        *arguments,
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=400, env={**os.environ}, check=False
    )


def _run(stack, folder):
    return _flink(stack, "run", "-d", "-py", str(ROOT / "jobs" / "sql_rules.py"), "--rules", str(folder))


class Stream:
    """Puts samples on Kafka, each sent at its own time, which begins so long ago that it meets no real time.

    Rules whose last tick is an hour ago count as taken away, so it begins later than that.
    """

    def __init__(self, config) -> None:
        self.now = (int(time.time() * 1000) - 2_700_000) // 60_000 * 60_000
        self._producer = BatchProducer(config)

    def step(self, *samples) -> None:
        """Go on by STEP_MS, and send samples of that moment, (name, value, labels)."""
        self.now += STEP_MS
        self._producer.send(
            [({"__name__": name, **labels}, [(self.now, value)]) for name, value, labels in samples], self.now
        )
        self._producer.heartbeat(self.now)
        self._producer.flush()
        time.sleep(0.1)

    def minute(self, errors: float, warmth: float | None) -> int:
        """A minute of samples; the time (ms) at which it begins."""
        start = self.now
        for _ in range(60_000 // STEP_MS):
            noise = ("http_errors", 99.0, {"job": "other", "instance": "x"})
            steady = ("http_errors", 1.0, {"job": "web", "instance": "web-2"})
            hot = [("warmth", warmth, {"room": "lab"})] if warmth is not None else []
            self.step(noise, steady, ("http_errors", errors, {"job": "web", "instance": "web-1"}), *hot)
        return start


@pytest.fixture
def running(stack, tmp_path):
    """The job with both rules, and what came of it; its own workers."""
    (tmp_path / "errors.sql").write_text(ERRORS)
    (tmp_path / "hot.sql").write_text(HOT)
    shutil.copy(EXAMPLE, tmp_path)
    others = set(stack.python_workers())
    ran = _run(stack, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count(NO_EXTERNAL_URL) == 1
    job = re.search(r"JobID ([0-9a-f]{32})", ran.stdout)[1]
    yield lambda: [one for one in stack.python_workers() if one not in others]
    httpx.patch(f"{stack.config.flink.rest}/jobs/{job}?mode=cancel")


def _changes(config, group):
    """What became of the alerts of a group, by id; what came twice is the same but for the delay."""
    found = {}
    for one in every_change(config):
        if one.group == group:
            first = found.setdefault(one.id, one)
            assert (first.tick, first.value, first.annotations) == (one.tick, one.value, one.annotations)
    return sorted(found.values(), key=lambda one: one.tick)


def _shown(config, key):
    newest = None
    for message in read_partition(config.kafka, ALERT_STATE, 0):
        if message.key().decode() == key:
            newest = message.value()
    return newest


def _written(config, name):
    """How often which series of a metric are in metrics.raw, written by rules."""
    found = set()
    for partition in range(raw_partitions(config)):
        for message in read_partition(config.kafka, RAW, partition):
            if headers_of(message).get("producer") != "alerts":
                continue
            minute = batch.minute_of(message.timestamp()[1])
            lane = int(message.key())
            rows = batch.decode(message.value(), lane, minute, config.layout.lanes, labels=True)
            found |= {data for data in batch.labels_by_id(rows).values() if name.encode() in data}
    return found


def test_a_rule_fires_and_resolves_over_the_kill_of_a_worker(config, running):
    stream = Stream(config)

    def begun():
        stream.step()
        return all(_shown(config, f"/sql/{name}#") for name in ("HighErrors", "Hot"))

    wait_for(begun, 180, lambda: "no tick of the rules comes")
    stream.now += -stream.now % 60_000
    stream.minute(1.0, 20.0)
    high = stream.minute(9.5, 95.0)
    workers = running()
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    low = stream.minute(1.0, None)
    cool = stream.minute(1.0, 20.0)

    def ended():
        stream.step()
        return [len(_changes(config, f"/sql/{name}")) for name in ("HighErrors", "Hot")] == [3, 2]

    wait_for(ended, 120, lambda: str([_changes(config, f"/sql/{name}") for name in ("HighErrors", "Hot")]))
    # the first sample of a minute comes a step after it, and its last one at its end, in the next window
    changes = _changes(config, "/sql/HighErrors")
    assert [(one.before, one.after, one.tick) for one in changes] == [
        ("inactive", "pending", high + EVERY_MS),
        ("pending", "firing", high + EVERY_MS + 20_000),
        ("firing", "resolved", low + EVERY_MS + EVERY_MS),
    ]
    assert {tuple(sorted(one.labels.items())) for one in changes} == {
        (
            ("alertname", "HighErrors"),
            ("instance", "web-1"),
            ("severity", "critical"),
            ("team", "web-1-people"),
        )
    }
    assert changes[1].annotations == {"summary": "web-1 has 9.5 errors a second"}
    assert changes[1].generator_url.startswith("/graph?g0.expr=http_errors%7Bjob%3D%22web%22%7D")
    hot = _changes(config, "/sql/Hot")
    assert [(one.after, one.tick) for one in hot] == [
        ("firing", high + EVERY_MS),
        ("resolved", cool + EVERY_MS),
    ]
    series = _written(config, "HighErrors")
    assert any(b"ALERTS\xff" in data and b"firing" in data for data in series)
    assert any(b"ALERTS_FOR_STATE\xff" in data for data in series)
    asked = httpx.get(f"http://{config.gateway.listen}/api/v1/rules", params={"file[]": "sql"}).json()
    shown = {group["name"]: group["rules"][0] for group in asked["data"]["groups"]}
    assert {"HighErrors", "Hot"} <= shown.keys()
    assert (shown["Hot"]["health"], shown["Hot"]["state"]) == ("ok", "inactive")
    assert "FROM samples(" in shown["Hot"]["query"]


def test_rules_that_flink_refuses_are_named_with_their_places(stack, tmp_path):
    ran = _run(stack, tmp_path / "missing")
    assert ran.returncode != 0
    assert f"{tmp_path / 'missing'}:1:1: no such folder" in ran.stdout + ran.stderr
    (tmp_path / "a.sql").write_text(ERRORS.replace("AVG(`value`) AS", "AVG(instance) AS"))
    (tmp_path / "b.sql").write_text(
        "-- name: Counted\nSELECT ts, labels['x'] AS x, MAX(`value`) AS `value`\n"
        "FROM samples('http_errors') GROUP BY ts, labels['x']\n"
    )
    shutil.copy(EXAMPLE, tmp_path / "c.sql")
    (tmp_path / EXAMPLE.name).write_text(
        EXAMPLE.read_text().replace("Checkout", "Other").replace("SUM(`value`)", "SUM(total)", 1)
    )
    ran = _run(stack, tmp_path)
    assert ran.returncode != 0
    said = ran.stdout + ran.stderr
    assert f"{tmp_path / 'a.sql'}:6:44: Column 'instance' not found in any table" in said
    assert (
        f"{tmp_path / 'b.sql'}:1:4: ts is no longer the time attribute of the rows: group by a window" in said
    )
    page = (ROOT / "docs" / "sql-rules.md").read_text()
    shown = re.search(rf"^    rules/({EXAMPLE.name}:9:.*)$", page, re.MULTILINE)
    assert f"{tmp_path}/{shown[1]}" in said
    assert "c.sql:" not in said
