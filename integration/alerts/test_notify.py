"""The bridge between the real Kafka and a real Alertmanager: nothing lost, nothing applied twice, in order."""

import json
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from integration.support.alertmanager import require_program
from integration.support.bridge import RESEND_S, System, change
from integration.support.stored import wait_for
from schemas.notified_messages import OFFSET_KEY
from schemas.topics import ALERT_PARTITIONS, NOTIFIED
from streamgauge.cli import main
from streamgauge.notify.post import MISSED
from streamgauge.rules.applied.rule_sets import RuleSets
from streamgauge.topics.notified import SESSION_MS
from streamgauge.topics.rule_topic import RuleTopic

RULES = """\
groups:
- name: up
  interval: 1s
  rules:
  - alert: Down
    expr: up == 0
"""


def forget_what_was_read(config) -> None:
    """As if nobody had read alerts.triggered yet."""
    producer = Producer({"bootstrap.servers": config.kafka.bootstrap})
    for partition in range(ALERT_PARTITIONS):
        producer.produce(NOTIFIED, None, OFFSET_KEY, partition=partition)
    producer.flush(30)


def apply(stack, folder, text) -> None:
    """Apply rules and wait until they count."""
    (folder / "notify.yml").write_text(text)
    arguments = ["--config", str(stack.home.config), "rules", "apply", "--yes", str(folder / "notify.yml")]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    topic = RuleTopic(stack.config.kafka)
    wait_for(lambda: RuleSets(topic.read()).last.effective_from < time.time() * 1000, 90)


@pytest.fixture(scope="module")
def system(stack, tmp_path_factory):
    require_program()
    folder = tmp_path_factory.mktemp("notify")
    forget_what_was_read(stack.config)
    apply(stack, tmp_path_factory.mktemp("rules"), RULES)
    whole = System(stack.config, folder)
    whole.alertmanager.start()
    whole.trigger(change("old", "firing", whole.tick()), change("over", "firing", whole.tick()))
    whole.trigger(change("over", "resolved", whole.tick()))
    whole.bridge.start()
    try:
        yield whole
    finally:
        if whole.bridge.process.poll() is None:
            whole.bridge.kill()
        whole.alertmanager.stop()
        whole.hook.close()


def test_what_fired_before_there_was_a_bridge_is_told_and_what_was_over_is_not(system):
    system.told("old", "firing")
    assert system.bridge.ids("over") == []


def verdicts(system):
    """How many messages changed nothing, by why."""
    name = "streamgauge_notify_changes_total"
    return {one: system.bridge.metric(f'{name}{{verdict="{one}"') for one in ("duplicate", "older")}


def test_firing_and_resolved_arrive_once_whatever_comes_twice(system):
    fired = change("a", "firing", system.tick(), before="pending")
    system.trigger(change("a", "pending", fired.tick - 500), fired)
    system.told("a", "firing")
    alert = system.alertmanager.alerts()["a"]
    assert alert["labels"] == {**fired.labels, "region": "here"}
    assert alert["annotations"] == fired.annotations
    assert alert["generatorURL"] == fired.generator_url
    assert datetime.fromisoformat(alert["startsAt"]).timestamp() * 1000 == fired.starts_at
    ends_in = datetime.fromisoformat(alert["endsAt"]).timestamp() - time.time()
    assert 2 * RESEND_S < ends_in <= 4 * RESEND_S
    resolved = change("a", "resolved", system.tick(), before="firing", starts_at=fired.starts_at)
    system.trigger(resolved)
    system.told("a", "firing", "resolved")
    before = verdicts(system)
    system.trigger(fired, resolved, change("a", "firing", fired.tick - 10), resolved)
    system.wait(lambda: verdicts(system) == {verdict: count + 2 for verdict, count in before.items()})
    assert system.bridge.ids("a") == [fired.id, resolved.id]
    assert system.hook.of("a") == ["firing", "resolved"]


def test_what_fired_and_ended_in_one_batch_is_told_as_both(system):
    start = system.tick()
    system.trigger(
        change("short", "firing", start), change("short", "resolved", system.tick(), starts_at=start)
    )
    system.told("short", "firing", "resolved")


def test_a_bad_message_and_a_bad_alert_keep_nothing_back(system):
    counts = (
        "streamgauge_notify_alerts_refused_total",
        'streamgauge_notify_changes_total{verdict="unreadable"',
    )
    before = [system.bridge.metric(name) for name in counts]
    bad = {"alertname": "Down", "instance": "bad", "": "x"}
    system.trigger("nonsense", change("bad", "firing", system.tick(), labels=bad))
    system.trigger(change("good", "firing", system.tick()))
    system.told("good", "firing")
    system.wait(lambda: [system.bridge.metric(name) for name in counts] == [count + 1 for count in before])
    assert "refused: alertmanager=" in system.bridge.log.read_text()


def test_killed_in_mid_stream_it_goes_on_and_the_same_ids_arrive(system):
    expected = defaultdict(list)
    for round_ in range(6):
        for number in range(20):
            name = f"k{number}"
            after = "firing" if round_ % 2 == 0 else "resolved"
            sent = change(name, after, system.tick())
            expected[name].append(sent.id)
            system.trigger(sent, sent)
            if number == 10:
                system.bridge.kill()
                system.bridge.start()
    system.trigger(change("after", "firing", system.tick()))
    system.told("after", "firing")
    system.wait(lambda: all(system.bridge.ids(name)[-1:] == ids[-1:] for name, ids in expected.items()))
    for name, ids in expected.items():
        assert system.bridge.ids(name) == ids
    assert not {name for name in system.alertmanager.alerts() if name.startswith("k")}


def test_what_changes_while_the_alertmanager_is_down_is_told_when_it_is_back(system):
    start = system.tick()
    system.trigger(change("known", "firing", start))
    system.told("known", "firing")
    system.alertmanager.stop()
    flash = system.tick()
    system.trigger(
        change("known", "resolved", system.tick(), starts_at=start),
        change("flash", "firing", flash),
        change("flash", "resolved", system.tick(), starts_at=flash),
        change("fresh", "firing", system.tick()),
    )
    system.wait(lambda: system.bridge.metric("streamgauge_notify_alerts_waiting") == 3)
    system.bridge.kill()
    system.bridge.start()
    system.wait(lambda: "cause=unreachable" in system.bridge.log.read_text())
    system.alertmanager.start()
    system.told("fresh", "firing")
    system.told("flash", "firing", "resolved")
    system.told("known", "firing", "resolved")
    system.wait(lambda: system.bridge.metric("streamgauge_notify_alerts_waiting") == 0)


def test_kafka_may_be_away_for_longer_than_what_fires_lasts(system, stack):
    """Its session and what fires at the Alertmanager would both end meanwhile."""
    system.trigger(change("before", "firing", system.tick()))
    system.told("before", "firing")
    until = time.monotonic() + MISSED * RESEND_S + SESSION_MS / 1000
    stack.stop("kafka")
    system.wait(lambda: time.monotonic() > until)
    stack.start("kafka")
    stack.wait_ready({"kafka"})
    system.trigger(change("before", "resolved", system.tick()), change("behind", "firing", system.tick()))
    system.told("behind", "firing")
    system.told("before", "firing", "resolved")
    assert system.bridge.process.poll() is None


def test_another_machine_goes_on_where_this_one_stopped(system):
    system.bridge.stop()
    missed = change("missed", "firing", system.tick())
    system.trigger(missed)
    before = system.bridge.sent()
    system.bridge.start(name="two")
    system.told("missed", "firing")
    after = system.bridge.sent()
    assert {alert: ids for alert, ids in after.items() if "missed" not in alert} == before


def test_a_dry_run_prints_what_fires_and_what_comes(system):
    command = [
        sys.executable,
        "-m",
        "streamgauge.cli",
        "--config",
        str(system.bridge.file),
        "notify",
        "--dry-run",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as printing:
        try:
            # alerts of other tests, which still fire, may have no instance
            fires = [json.loads(printing.stdout.readline())["labels"].get("instance")]
            system.trigger(change("printed", "firing", system.tick()))
            while fires[-1] != "printed":
                fires.append(json.loads(printing.stdout.readline())["labels"].get("instance"))
        finally:
            printing.terminate()
    assert printing.returncode == 0
    assert {"old", "good", "fresh"} <= set(fires)


def test_what_fires_is_kept_alive_until_its_rule_is_gone(system, stack, tmp_path):
    system.trigger(change("long", "firing", system.tick()))
    system.told("long", "firing")
    until = time.monotonic() + 5 * RESEND_S
    system.wait(lambda: time.monotonic() > until)
    assert "long" in system.alertmanager.alerts()
    apply(stack, tmp_path, "groups: []")
    system.wait(lambda: "long" not in system.alertmanager.alerts())
    assert "lapses: alertmanager=" in system.bridge.log.read_text()
    system.told("long", "firing", "resolved")
