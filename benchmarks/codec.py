"""Bytes on disk and speed of raw blocks and rollup columns, beside a plain Gorilla codec.

python benchmarks/codec.py

Bytes: 33 minutes of real exporters (`benchmarks/data`) as one lane, packed as Cassandra packs them: the rows of a
partition in clustering order with the columns of a row by name, 28 bytes of key and cell headers a row, cut into
chunks of 256 KB, each compressed by zstd at level 3. A part alone is packed the same way without the others, so parts
do not quite add up.
Speed: a block of 2048 series with 6 samples each, on one core, the best of some rounds, without zstd.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import cramjam
import exporters
import gorilla
import numpy as np
from rich.console import Console
from rich.table import Table

from schemas.blocks import codec, columns
from schemas.tables import ROLLUP_COLUMNS, Resolution
from schemas.units import MINUTE_MS
from streamgauge.rollup.aggregates import aggregate
from streamgauge.series.samples import Samples, concat

CHUNK = 256 << 10
ROW_HEADER = 28
SERIES = 2048
SECONDS = 0.3
Row = Mapping[str, bytes]


def on_disk(rows: Iterable[bytes]) -> int:
    """Bytes of a partition's rows after compression."""
    data = b"".join(rows)
    return sum(len(cramjam.zstd.compress(data[at : at + CHUNK], 3)) for at in range(0, len(data), CHUNK))


def sizes(partitions: Iterable[list[tuple[int, Row]]]) -> dict[str, int]:
    """Bytes of each part alone, and of "all"."""
    total: dict[str, int] = {"all": 0}
    for rows in partitions:
        for name in rows[0][1]:
            total[name] = total.get(name, 0) + on_disk(blobs[name] for _, blobs in rows)
        total["all"] += on_disk(
            start.to_bytes(ROW_HEADER, "big") + b"".join(blobs[name] for name in sorted(blobs))
            for start, blobs in rows
        )
    return total


def raw_row(samples: Samples, start: int) -> dict[str, bytes]:
    """The blobs of a raw block. Its counts lie with the times."""
    block = codec.encode_raw(samples, start)
    return {"ids": block.ids, "times": block.timestamps, "values": block.samples}


def rollup_rows(minutes: Mapping[int, Samples], width: int) -> list[tuple[int, dict[str, bytes], int]]:
    """Start, blobs and number of series of each rollup row of this width (ms)."""
    windows: dict[int, list[Samples]] = {}
    for minute, samples in minutes.items():
        windows.setdefault(minute - minute % width, []).append(samples)
    rows = []
    for start, parts in windows.items():
        made = aggregate(concat(parts), start)
        blobs = {name: columns.encode_column(name, made.columns[name]) for name in ROLLUP_COLUMNS}
        rows.append((start, {"ids": codec.encode_ids(made.ids), **blobs}, len(made.ids)))
    return rows


def partitions(rows: Iterable[tuple[int, Row]], period: int) -> list[list[tuple[int, Row]]]:
    """Rows by the period (ms) that is a partition."""
    found: dict[int, list[tuple[int, Row]]] = {}
    for start, blobs in rows:
        found.setdefault(start - start % period, []).append((start, blobs))
    return list(found.values())


def raw_table(populations: Mapping[str, Mapping[int, Samples]]) -> Table:
    table = Table("raw blocks, bytes a sample", "ids", "counts", "times", "values", "all")
    for name, minutes in populations.items():
        count = sum(len(samples.values) for samples in minutes.values())
        for kind, encode in (("Gorilla", gorilla.encode), ("ours", raw_row)):
            rows = [(start, encode(samples, start)) for start, samples in minutes.items()]
            found = sizes(partitions(rows, Resolution.RAW.value.period_ms))
            cells = [
                f"{found[part] / count:.3f}" if part in found else "" for part in ("ids", "counts", "times")
            ]
            table.add_row(f"{name}, {kind}", *cells, *(f"{found[p] / count:.3f}" for p in ("values", "all")))
    return table


def rollup_table(populations: Mapping[str, Mapping[int, Samples]]) -> Table:
    found = {}
    for name, minutes in populations.items():
        for level in (Resolution.MIN1.value, Resolution.MIN5.value):
            rows = rollup_rows(minutes, level.width_ms)
            count = sum(series for *_, series in rows)
            parts = sizes(partitions([(start, blobs) for start, blobs, _ in rows], level.period_ms))
            found[f"{name}, {level.label}"] = {part: size / count for part, size in parts.items()}
    table = Table("rollups, bytes a series and bucket", *found)
    for part in ["ids", *ROLLUP_COLUMNS, "all"]:
        table.add_row(part, *(f"{sizes[part]:.2f}" for sizes in found.values()))
    return table


def speed(step: Callable[[], object], numbers: int) -> str:
    """Millions of numbers a second, the best round."""
    step()
    best, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        begin = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - begin)
    return f"{numbers / best / 1e6:.0f}"


def block_of(values: np.ndarray, start: int) -> Samples:
    """SERIES series that share their times, all of other metrics."""
    each = len(values) // SERIES
    ids = np.random.default_rng(1).integers(0, 1 << 63, SERIES).astype(np.uint64)
    times = start + 660 + 10_000 * np.tile(np.arange(each), SERIES)
    return Samples(np.column_stack([np.sort(ids), ids]), np.arange(0, len(values) + 1, each), times, values)


def speed_table(real: Samples, start: int) -> Table:
    random = np.random.default_rng(1)
    size = SERIES * 6
    shapes = {
        "real": np.tile(real.values, SERIES // len(real.ids)),
        "constant": np.repeat(random.random(SERIES), 6),
        "integers below a million": random.integers(0, 10**6, size) * 1.0,
        "two decimals": random.integers(0, 10**6, size) / 100,
        "random doubles": random.random(size),
    }
    table = Table("raw blocks, M samples/s", "encode", "Gorilla", "decode", "Gorilla", "all but 3 skipped")
    for name, values in shapes.items():
        samples = block_of(values, start)
        block, old = codec.encode_raw(samples, start), gorilla.encode(samples, start)
        few = np.ascontiguousarray(samples.ids[:: SERIES // 3 + 1])
        steps: list[Callable[[], object]] = [
            lambda samples=samples: codec.encode_raw(samples, start),
            lambda samples=samples: gorilla.encode(samples, start),
            lambda block=block: codec.decode_raw(block, start, MINUTE_MS),
            lambda old=old: gorilla.decode(old, start, MINUTE_MS),
            lambda block=block, few=few: codec.decode_raw(block, start, MINUTE_MS, few),
        ]
        table.add_row(name, *(speed(step, size) for step in steps))
    return table


def column_table(real: Samples) -> Table:
    random = np.random.default_rng(1)
    shapes = {
        "real": np.tile(real.values[real.offsets[:-1]], SERIES // len(real.ids)),
        "constant": np.full(SERIES, 6.0),
        "two decimals": random.integers(0, 10**6, SERIES) / 100,
        "random doubles": random.random(SERIES),
    }
    table = Table("rollup columns, M numbers/s", "encode", "decode", "bytes a number")
    for name, values in shapes.items():
        blob = columns.encode_column("sum", values)
        table.add_row(
            name,
            speed(lambda values=values: columns.encode_column("sum", values), SERIES),
            speed(lambda blob=blob: columns.decode_column("sum", blob, SERIES), SERIES),
            f"{len(blob) / SERIES:.2f}",
        )
    return table


def main() -> None:
    populations = {"both": exporters.minutes(), "node": exporters.minutes("node")}
    start, real = list(populations["node"].items())[5]
    console = Console()
    for table in (
        raw_table(populations),
        rollup_table(populations),
        speed_table(real, start),
        column_table(real),
    ):
        console.print(table)


if __name__ == "__main__":
    main()
