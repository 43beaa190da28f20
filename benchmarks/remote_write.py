"""Speed of the collector's remote write path on one core, in samples per second.

python benchmarks/remote_write.py [--kafka HOST:PORT]

Requests of 5000 series, with 1 and with 10 samples a series (a second apart), after warm-up: decoding alone,
with unpacking, with batches cut and encoded, and produced to Kafka and acknowledged where one is named.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.metrics import Metrics
from streamgauge.collect.producing.batcher import batches
from streamgauge.collect.producing.delivery import Delivery
from streamgauge.collect.producing.producer import BatchProducer
from streamgauge.collect.receive import remote_write
from streamgauge.collect.receive.remote_write_request import compress, encode
from streamgauge.config import Config, Kafka
from streamgauge.times import now_ms

SERIES = 5000
LIMIT = 1 << 26
ROUNDS = 5
SECONDS = 1.0


def request(samples: int) -> bytes:
    """A compressed request of series such as a Kubernetes node exports, ending now."""
    start = now_ms() // 60_000 * 60_000 - 60_000
    return compress(
        encode(
            (
                {
                    "__name__": f"http_requests_total_{n % 50}",
                    "cluster": "eu-west-1a",
                    "instance": f"10.0.{n // 250}.{n % 250}:9100",
                    "job": "node",
                    "method": "GET",
                    "path": f"/api/v1/thing/{n}",
                    "pod": f"api-{n:06d}-xyz",
                },
                [(start + 1000 * i, random.random() * 100) for i in range(samples)],
            )
            for n in range(SERIES)
        )
    )


def speed(samples: int, step: Callable[[], object]) -> float:
    """Samples a second of CPU, the best of some rounds."""
    step()
    best = 0.0
    for _ in range(ROUNDS):
        began, cpu, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - began < SECONDS / ROUNDS or not done:
            step()
            done += 1
        best = max(best, done * samples / (time.process_time() - cpu))
    return best


async def produced(config: Config, body: bytes, samples: int, lanes: int) -> float:
    """Samples a second of CPU with every request acknowledged by Kafka, some in flight at a time."""
    producer = BatchProducer(config, now_ms, Metrics())
    running = asyncio.create_task(producer.run())
    while producer.outage is not None:
        await asyncio.sleep(0.1)
    table = SeriesTable(lanes, 10 * SERIES)

    async def one() -> None:
        rows = remote_write.decode(remote_write.decompress(body, LIMIT), table).rows
        delivery = Delivery()
        producer.send(batches(table, [rows]), delivery)
        await delivery.wait()

    await one()
    cpu, done, began = time.process_time(), 0, time.perf_counter()
    while time.perf_counter() - began < 3 * SECONDS:
        await asyncio.gather(*(one() for _ in range(8)))
        done += 8
    result = done * samples / (time.process_time() - cpu)
    running.cancel()
    await asyncio.wait([running])
    await asyncio.to_thread(producer.stop, 10.0)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka", help="bootstrap address; without it nothing is produced")
    arguments = parser.parse_args()
    config = Config(kafka=Kafka(bootstrap=arguments.kafka or "127.0.0.1:9092"))
    lanes = config.layout.lanes
    shown = Table("step", "1 sample a series", "10 samples a series", title="million samples/s of one core")
    columns: list[dict[str, float]] = []
    for each in (1, 10):
        body, samples = request(each), each * SERIES
        plain = remote_write.decompress(body, LIMIT)
        table = SeriesTable(lanes, 10 * SERIES)
        column = {
            "decode": speed(samples, lambda b=plain, t=table: remote_write.decode(b, t)),
            "unpack and decode": speed(
                samples, lambda b=body, t=table: remote_write.decode(remote_write.decompress(b, LIMIT), t)
            ),
            "unpack, decode, encode batches": speed(
                samples,
                lambda b=body, t=table: list(
                    batches(t, [remote_write.decode(remote_write.decompress(b, LIMIT), t).rows])
                ),
            ),
            "cold: every series new": speed(
                samples, lambda b=plain: remote_write.decode(b, SeriesTable(lanes, 10 * SERIES))
            ),
        }
        if arguments.kafka:
            column["all of it, acknowledged by Kafka"] = asyncio.run(produced(config, body, samples, lanes))
        columns.append(column)
    for step in columns[0]:
        shown.add_row(step, *(f"{column[step] / 1e6:.2f}" for column in columns))
    Console().print(shown)


if __name__ == "__main__":
    main()
