"""The collector against real Kafka: what it answers 204 is there, as the jobs read it."""

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections import defaultdict

import httpx
import pytest
import yaml
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from integration.support.collecting import DEADLINE_S, collecting, named
from schemas import topics
from schemas.batches import batch
from streamgauge.collect.app import application
from streamgauge.collect.collector import Collector
from streamgauge.collect.receive.remote_write_request import compress, encode
from streamgauge.local.servers.ports import free_ports
from streamgauge.series.ids import partition_of
from streamgauge.series.labels import parse
from streamgauge.times import now_ms


@pytest.fixture(scope="module", autouse=True)
def topic(config):
    admin = AdminClient({"bootstrap.servers": config.kafka.bootstrap})
    for wanted in topics.topics(config.kafka.partitions, 1, 24 * topics.HOUR_MS):
        new = NewTopic(wanted.name, wanted.partitions, wanted.replication, config=wanted.settings)
        try:
            admin.create_topics([new])[wanted.name].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


class Reader:
    """Reads `metrics.raw` from where it ends now."""

    def __init__(self, config):
        self._lanes = config.layout.lanes
        self._consumer = Consumer({"bootstrap.servers": config.kafka.bootstrap, "group.id": "test"})
        found = self._consumer.list_topics(topics.RAW, timeout=10).topics[topics.RAW].partitions
        self._partitions = len(found)
        places = []
        for number in found:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topics.RAW, number), timeout=10)
            places.append(TopicPartition(topics.RAW, number, end))
        self._consumer.assign(places)
        self.heartbeats = defaultdict(list)
        self.samples = {}

    def until(self, condition, producer):
        """Read this producer's messages, each checked as the jobs do it, until the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{len(self.samples)} samples"
            message = self._consumer.poll(0.2)
            if message is None:
                continue
            assert message.error() is None
            headers = dict(message.headers())
            if headers.get("producer") != producer.encode():
                continue
            newest = message.timestamp()[1]
            envelope = batch.envelope(message.key(), headers, newest, self._lanes)
            assert message.partition() == partition_of(envelope.lane, self._partitions)
            if message.value() in (None, batch.HEARTBEAT):
                self.heartbeats[envelope.lane].append((envelope.sent, newest))
                continue
            decoded = batch.decode(message.value(), envelope.lane, envelope.minute, self._lanes, labels=True)
            for row, labels in enumerate(decoded.labels.to_pylist()):
                start, end = decoded.samples.offsets[row : row + 2]
                for at, value in zip(
                    decoded.samples.timestamps[start:end].tolist(),
                    decoded.samples.values[start:end].tolist(),
                    strict=True,
                ):
                    self.samples[labels, at] = value

    def close(self):
        self._consumer.close()


@pytest.fixture
def reader(config):
    with contextlib.closing(Reader(config)) as reading:
        yield reading


def labels_of(number):
    return {"__name__": f"metric_{number % 10}", "instance": f"host-{number}", "job": "test"}


def test_everything_answered_204_is_on_the_topic(config, reader):
    start = now_ms() - 600_000
    series = [(labels_of(n), [(start + 10_000 * i, float(n * i)) for i in range(60)]) for n in range(200)]
    expected = {(tuple(sorted(labels.items())), at): v for labels, points in series for at, v in points}

    async def send():
        async with collecting(named(config, "whole")) as http:
            body = compress(encode(series))
            answers = await asyncio.gather(*(http.post("/api/v1/write", content=body) for _ in range(3)))
            assert [answer.status_code for answer in answers] == [204] * 3

    asyncio.run(send())
    reader.until(lambda: len(reader.samples) >= len(expected), "whole")
    found = {(tuple(sorted(parse(labels).items())), at): v for (labels, at), v in reader.samples.items()}
    assert found == expected


def test_a_request_with_future_samples_is_answered_400_and_the_others_are_there(config, reader):
    now = now_ms()
    series = [(labels_of(1), [(now - 5, 1.0)]), (labels_of(2), [(now + 90_000, 2.0)])]

    async def send():
        async with collecting(named(config, "future")) as http:
            answer = await http.post("/api/v1/write", content=compress(encode(series)))
            assert answer.status_code == 400
            assert "too_far_in_future: 1 samples" in answer.text
            assert "host-2" in answer.text

    asyncio.run(send())
    reader.until(lambda: reader.samples, "future")
    assert [at for _, at in reader.samples] == [now - 5]


def test_bad_requests_are_refused_and_counted(config):
    async def send():
        async with collecting(named(config, "bad", max_body_bytes=2000)) as http:
            assert (await http.post("/api/v1/write", content=b"\xff" * 9)).status_code == 400
            assert (await http.post("/api/v1/write", content=b"x" * 2001)).status_code == 413
            bomb = compress(encode([({"__name__": "m"}, [(1, 1.0)] * 500)]))
            assert len(bomb) < 2000
            assert (await http.post("/api/v1/write", content=bomb)).status_code == 413
            v2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
            assert (await http.post("/api/v1/write", content=b"", headers=v2)).status_code == 415
            text = (await http.get("/metrics")).text
            assert 'request_faults_total{reason="too_large"} 2.0' in text
            assert 'request_faults_total{reason="not_snappy"} 1.0' in text

    asyncio.run(send())


def test_silent_lanes_carry_heartbeats_by_the_collectors_clock(config, reader):
    begin, started = now_ms() - 3_600_000, time.monotonic()

    def fast():
        return begin + int((time.monotonic() - started) * 30_000)

    async def idle():
        async with collecting(named(config, "heart"), fast):
            await asyncio.to_thread(
                reader.until,
                lambda: (
                    len(reader.heartbeats) == config.layout.lanes
                    and min(len(beats) for beats in reader.heartbeats.values()) > 10
                ),
                "heart",
            )

    asyncio.run(idle())
    for beats in reader.heartbeats.values():
        assert all(sent == newest and begin <= sent <= fast() for sent, newest in beats)
        assert all(later[0] // 1000 > earlier[0] // 1000 for earlier, later in itertools.pairwise(beats))


def slow_bodies(at):
    """By path a body that takes seconds: each series new, each sample too far in the future to be stored."""
    names = [f"slow_{number}" for number in range(150_000)]
    lines = "\n".join(f'{{"metric":"{name}","value":1,"timestamp":{at}}}' for name in names)
    return {
        "/api/v1/write": compress(encode(({"__name__": name}, [(at, 1.0)]) for name in names)),
        "/api/v1/push": lines.encode(),
    }


def test_heartbeats_go_on_while_a_body_is_decoded_that_takes_long(config, reader):
    spans = []

    async def send():
        # a slow machine may take longer than a sender is usually kept waiting
        async with collecting(named(config, "busy", max_wait_s=300)) as http:
            for path, body in slow_bodies(now_ms() + 600_000).items():
                began = now_ms()
                kind = "application/json" if path.endswith("push") else "application/x-protobuf"
                answer = await http.post(path, content=body, headers={"Content-Type": kind})
                assert answer.status_code == 400, answer.text
                spans.append((began, now_ms()))

    asyncio.run(send())
    reader.until(
        lambda: (
            len(reader.heartbeats) == config.layout.lanes
            and min(beats[-1][0] for beats in reader.heartbeats.values()) >= spans[-1][1] - 1000
        ),
        "busy",
    )
    for beats in reader.heartbeats.values():
        for began, ended in spans:
            own = [began, *(sent for sent, _ in beats if began <= sent <= ended), ended]
            longest = max(later - earlier for earlier, later in itertools.pairwise(own))
            assert longest < max(2000, (ended - began) / 3), (longest, ended - began)


def test_targets_are_scraped_and_go_stale_when_the_collector_ends(config, reader, tmp_path):
    async def scrape():
        async def page(_, writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\na 7\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(page, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        file = tmp_path / "scrape.yml"
        job = {"job_name": "j", "scrape_interval": "1s", "static_configs": [{"targets": [address]}]}
        file.write_text(yaml.safe_dump({"scrape_configs": [job]}))
        async with server, collecting(named(config, "scrape", scrape_config=file)) as http:
            deadline = time.monotonic() + DEADLINE_S
            health = ""
            while health != "up":
                assert time.monotonic() < deadline
                state = (await http.get("/api/v1/targets")).json()["data"]["activeTargets"][0]
                health = state["health"]
                await asyncio.sleep(0.05)
            assert address in (await http.get("/")).text
        return address

    address = asyncio.run(scrape())
    wanted = {"a", "up"}

    def stale():
        ended = {parse(labels)["__name__"] for (labels, _), v in reader.samples.items() if v != v}
        return wanted <= ended

    reader.until(stale, "scrape")
    values = {parse(labels)["__name__"]: v for (labels, _), v in reader.samples.items() if v == v}
    assert (values["a"], values["up"], values["scrape_samples_scraped"]) == (7.0, 1.0, 1.0)
    assert {parse(labels)["instance"] for labels, _ in reader.samples} == {address}


def test_without_kafka_the_answer_is_503_and_says_when_to_come_again(config):
    nowhere = config.model_copy(
        update={"kafka": config.kafka.model_copy(update={"bootstrap": "127.0.0.1:1"})}
    )

    async def send():
        collector = Collector(nowhere)
        transport = httpx.ASGITransport(application(collector))
        async with collector.running(), httpx.AsyncClient(transport=transport, base_url="http://c") as http:
            answer = await http.post("/api/v1/push", json={"metric": "m", "value": 1})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert (await http.get("/-/healthy")).status_code == 200
            assert (await http.get("/-/ready")).status_code == 503

    asyncio.run(send())


def test_a_collector_killed_in_mid_stream_loses_nothing_it_answered_204(config, reader, tmp_path):
    (port,) = free_ports(1)
    file = tmp_path / "streamgauge.yml"
    own = named(config, "killed", listen=f"127.0.0.1:{port}").model_dump(mode="json")
    file.write_text(yaml.safe_dump(own))
    code = (
        "import sys; from pathlib import Path; from streamgauge.config import read;"
        "from streamgauge.collect.command import run; run(read(Path(sys.argv[1])))"
    )
    url = f"http://127.0.0.1:{port}"
    now, answered = now_ms(), {}

    def start():
        return subprocess.Popen([sys.executable, "-c", code, str(file)])

    process = start()
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
            deadline = time.monotonic() + 3 * DEADLINE_S
            kills = 0
            while len(answered) < 400:
                assert time.monotonic() < deadline, f"{len(answered)} answered"
                number = len(answered)
                series = [(labels_of(n), [(now - 60_000 + number, float(number))]) for n in range(20)]
                if number == (100, 250, None)[kills]:
                    process.kill()
                    process.wait()
                    process, kills = start(), kills + 1
                try:
                    if http.post("/api/v1/write", content=compress(encode(series))).status_code == 204:
                        answered[number] = series
                except httpx.TransportError:
                    time.sleep(0.1)
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
    reader.until(lambda: len(reader.samples) >= 400 * 20, "killed")
    assert {at for _, at in reader.samples} == {now - 60_000 + number for number in answered}
