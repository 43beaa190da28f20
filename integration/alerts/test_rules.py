"""Rules against the real Kafka and Cassandra: applied, read back, and tried on what is stored."""

import json
import time

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from integration.support.batches import BatchProducer
from integration.support.population import Population, series
from integration.support.stored import wait_for
from schemas.batches import batch
from schemas.rule_messages import MARKER_KEY
from schemas.topics import RULES
from schemas.units import MINUTE_MS
from streamgauge.cli import main
from streamgauge.rules.applied.rule_sets import RuleSets
from streamgauge.store import schema
from streamgauge.store.session import connect
from streamgauge.topics.rule_follower import RuleFollower
from streamgauge.topics.rule_topic import RuleTopic
from streamgauge.topics.topic_source import TopicSource

KEYSPACE = "rules_test"
FILE = """\
groups:
- name: hosts
  interval: 10s
  rules:
  - record: warm:count
    expr: count(temperature > bool 0)
  - alert: Warm
    expr: temperature >= 0 and on () warm:count == 3
    for: 1m
"""


@pytest.fixture
def rules(stack, tmp_path, monkeypatch):
    """Run `streamgauge rules` on the stack."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, config=stack.home.config):
        result = CliRunner().invoke(main, ["--config", str(config), "rules", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        run.complaints = result.stderr.splitlines()
        return result.exit_code, result.stdout.splitlines()

    return run


def test_a_rule_set_is_published_and_read_back(config, rules, tmp_path):
    (tmp_path / "a.yml").write_text(FILE)
    (tmp_path / "b.yml").write_text(FILE.replace("warm:count", "b:count"))
    topic = RuleTopic(config.kafka)
    admin = AdminClient({"bootstrap.servers": config.kafka.bootstrap})
    [settings] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, RULES)]).values()
    assert settings.result()["cleanup.policy"].value == "compact"
    assert RuleSets(topic.read()).last.groups == {}
    before = time.time() * 1000
    assert rules("apply", "--yes", "a.yml", "b.yml")[1][-1].endswith("4 rules added")
    found = RuleSets(topic.read())
    assert sorted(found.last.groups) == ["a/hosts", "b/hosts"]
    assert found.last.effective_from > before
    assert found.last.effective_from % 10_000 == 0
    assert rules("diff", "a.yml") == (0, ["no changes"])
    (tmp_path / "b.yml").write_text("groups: []")
    assert rules("diff", "b.yml")[0] == 2
    assert rules("apply", "--yes", "b.yml")[1][-1].endswith("2 rules removed")
    assert rules("list")[1][1:3] == ["a/hosts every 10s", "  record: warm:count: count(temperature > bool 0)"]
    assert topic.read()[-2].value is None
    assert rules("apply", "--yes", "--namespace", "shop", "a.yml")[1][-1].endswith("2 rules added")
    assert sorted(RuleSets(topic.read()).last.groups) == ["/shop/a/hosts", "a/hosts"]
    (tmp_path / "a.yml").write_text("groups: []")
    # nobody can be asked
    assert rules("apply", "--namespace", "shop", "a.yml")[0] == 1
    assert rules("apply", "--yes", "--namespace", "shop", "a.yml")[1][-1].endswith("2 rules removed")
    assert sorted(RuleSets(topic.read()).last.groups) == ["a/hosts"]


def test_a_follower_reads_to_the_end_and_then_sees_each_set_that_is_published(config, rules, tmp_path):
    topic, follower = RuleTopic(config.kafka), RuleFollower(config.kafka)
    try:
        assert follower.read_to_end() == topic.read()
        assert follower.poll() == []
        for text in (FILE, "groups: []"):
            (tmp_path / "followed.yml").write_text(text)
            assert rules("apply", "--yes", "followed.yml")[0] == 0
            found = []
            wait_for(lambda found=found: found.extend(follower.poll()) or found, 30)
            wait_for(lambda found=found: found.extend(follower.poll()) or found[-1].key == MARKER_KEY, 30)
            assert topic.read()[-len(found) :] == found
    finally:
        follower.close()


def test_a_backtest_finds_the_alerts_in_what_is_stored(config, rules, tmp_path):
    cassandra = config.cassandra.model_copy(update={"keyspace": KEYSPACE})
    own = config.model_copy(update={"cassandra": cassandra})
    schema.apply(own)
    session = connect(cassandra)
    end = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    start = end - 10 * MINUTE_MS
    times = range(start + 2 * MINUTE_MS, end, 10_000)
    sealed = dict.fromkeys(range(config.layout.lanes), end - 2 * MINUTE_MS)
    Population(session, config.shards, config.storage_classes[-1]).push(
        series(3, "temperature", times, job="mill"), sealed
    )
    session.cluster.shutdown()
    (tmp_path / "own.yml").write_text(own.model_dump_json(exclude={"local"}))
    (tmp_path / "a.yml").write_text(FILE)
    span = ["--from", str(start / 1000), "--to", str(end / 1000)]
    code, lines = rules("backtest", "a.yml", *span, "--json", "--fail-on-alert", config=tmp_path / "own.yml")
    found = json.loads("\n".join(lines))
    assert (code, found["errors"]) == (1, [])
    # samples of host-1 and host-2 come some ms after a tick
    all_there = start + 2 * MINUTE_MS + 10_000
    assert {(one["rule"], one["pendingSince"], one["firingFrom"], one["to"]) for one in found["alerts"]} == {
        ("Warm", all_there, all_there + MINUTE_MS, None)
    }
    assert {one["labels"]["instance"] for one in found["alerts"]} == {"host-0", "host-1", "host-2"}


def test_a_backtest_reads_what_kafka_has(config, rules, tmp_path):
    name = f"topic_{int(time.time())}"
    producer = BatchProducer(config)
    end = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    start = end - 10 * MINUTE_MS
    late = start + 5 * MINUTE_MS
    times = [*(at for at in range(start, end, 10_000) if at != late), late]
    for at in times:
        producer.send(
            [({"__name__": name, "host": f"h{host}"}, [(at, 5.0 * host)]) for host in range(4)], end
        )
    producer.put(batch.key_of(0), b"nothing", dict(batch.headers_of("test", end)), end)
    producer.flush()
    alert = f"{{alert: High, expr: {name} > 5, for: 1m}}"
    short = f"{{alert: Short, expr: 'count_over_time({name}[2m]) < 12'}}"
    (tmp_path / "t.yml").write_text(f"groups: [{{name: g, interval: 10s, rules: [{alert}, {short}]}}]")
    span = ["--from", str(start / 1000 + 120), "--to", str(end / 1000 - 10)]
    code, lines = rules("backtest", "t.yml", *span, "--json", "--topic")
    found = json.loads("\n".join(lines))
    assert (code, found["errors"]) == (0, [])
    assert {(one["rule"], one["labels"]["host"], one["firingFrom"]) for one in found["alerts"]} == {
        ("High", host, start + 3 * MINUTE_MS) for host in ("h2", "h3")
    }
    [left_out] = rules.complaints
    assert left_out.startswith("skipped messages that are not batches: ")
    assert int(left_out.rsplit(" ", 1)[1]) >= 1
    done: list[float] = []
    TopicSource(config.kafka, config.layout.lanes, [], end - MINUTE_MS).read(done.append)
    assert done == sorted(done)
    assert done[-1] == 1
