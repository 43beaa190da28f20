"""Writes the series index: labels by id, ids by label, values by label name.

Per lane and period. The row in `series` comes last, so that a series found there has all its other rows. Then what was
made of the index before is outdated (`changes`).
"""

import re
import struct
import time
from collections import defaultdict
from collections.abc import Iterator

import xxhash
from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType

from schemas.limits import MAX_INDEX_WRITE_BYTES
from schemas.tables import INDEX_PERIOD_MS, INDEX_RETENTION_MS, index_period, ttl_seconds
from sinks.cassandra.bounded_writes import write_all
from streamgauge.series import labels as series_labels
from streamgauge.series.ids import ID_BYTES, Shards
from streamgauge.store.changes import GenerationStore

ROWS_A_WRITE = 100


_SIZES = re.compile(
    r"Key length of \d+ is longer than|exceeds allowed maximum|oversized mutation|too large", re.IGNORECASE
)


def is_about_size(error: Exception) -> bool:
    """Whether an error means that a write is too large, rather than a wrong table or column.

    The driver packs the parts of a key with their lengths in 16 bits, and fails with `struct.error` itself.
    """
    return isinstance(error, struct.error) or _SIZES.search(str(error)) is not None


class IndexStore:
    """Writes each series once per lane and period; remembers the periods it last wrote to."""

    def __init__(self, session: Session, shards: Shards) -> None:
        self._session = session
        self._shards = shards
        self._changes = GenerationStore(session)
        self._known: dict[tuple[int, int], set[bytes]] = {}
        self._pairs: dict[tuple[int, int], set[tuple[str, str]]] = {}
        self._select_ids = session.prepare(
            "SELECT id FROM series WHERE lane = ? AND period = ? AND metric_group = ?"
        )
        self._insert_series = session.prepare(
            "INSERT INTO series (lane, period, metric_group, id, labels) VALUES (?, ?, ?, ?, ?) USING TTL ?"
        )
        self._insert_ids = session.prepare(
            "INSERT INTO series_by_label (lane, period, label, chunk, ids) VALUES (?, ?, ?, ?, ?) USING TTL ?"
        )
        self._insert_value = session.prepare(
            "INSERT INTO label_values (lane, period, name, value) VALUES (?, ?, ?, ?) USING TTL ?"
        )

    def write(self, lane: int, timestamp: int, rows: dict[bytes, bytes]) -> dict[bytes, str]:
        """Store the series with these ids and canonical labels that had samples at `timestamp` (ms).

        Gives the ids of those that Cassandra refuses for their size, and what it says; the others are stored.

        :raises InvalidLabels: if labels are not canonical; nothing is written then.
        """
        period = index_period(timestamp, lane)
        ttl = ttl_seconds(int(time.time() * 1000), period + INDEX_PERIOD_MS, INDEX_RETENTION_MS)
        if ttl <= 0:
            return {}
        known = self._load(lane, period)
        new = {identity: data for identity, data in rows.items() if identity not in known}
        refused: dict[bytes, str] = {}
        if new:
            refused = self._write_new(lane, period, new, ttl)
            known.update(new)
        # also if all is there: whoever wrote it may have failed before it was noted
        self._changes.write_series(lane, period)
        return refused

    def outdate_blocks(self, lane: int, timestamp: int) -> None:
        """Outdate what was made of the blocks that hold `timestamp` (ms), for it may lack series; after `write`."""
        self._changes.write_all(lane, timestamp)

    def _write_new(self, lane: int, period: int, new: dict[bytes, bytes], ttl: int) -> dict[bytes, str]:
        """Write these series; if Cassandra refuses something for its size, each half alone, and so on."""
        try:
            self._write_together(lane, period, new, ttl)
        except (InvalidRequest, struct.error) as error:
            if not is_about_size(error):
                raise
            if len(new) == 1:
                return dict.fromkeys(new, str(error))
            rows = list(new.items())
            halves = dict(rows[: len(rows) // 2]), dict(rows[len(rows) // 2 :])
            return {
                identity: said
                for half in halves
                for identity, said in self._write_new(lane, period, half, ttl).items()
            }
        return {}

    def _write_together(self, lane: int, period: int, new: dict[bytes, bytes], ttl: int) -> None:
        by_label: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for identity, data in new.items():
            for pair in series_labels.parse(data).items():
                by_label[pair].append(identity)
        self._write_labels(lane, period, by_label, ttl)
        self._write_series(lane, period, new, ttl)

    def _load(self, lane: int, period: int) -> set[bytes]:
        known = self._known.get((lane, period))
        if known is None:
            groups = range(self._shards.groups)
            futures = [self._session.execute_async(self._select_ids, (lane, period, g)) for g in groups]
            known = {row.id for future in futures for row in future.result()}
            self._known[lane, period] = known
            self._pairs[lane, period] = set()
            self._forget(lane)
        return known

    def _forget(self, lane: int) -> None:
        """Keep a lane's two newest periods."""
        for place in sorted(place for place in self._known if place[0] == lane)[:-2]:
            del self._known[place], self._pairs[place]

    def _write_labels(
        self, lane: int, period: int, by_label: dict[tuple[str, str], list[bytes]], ttl: int
    ) -> None:
        pairs = self._pairs.setdefault((lane, period), set())
        statements: list[tuple[object, tuple[object, ...]]] = []
        for (name, value), ids in by_label.items():
            label = name.encode() + series_labels.SEPARATOR + value.encode()
            for packed in id_chunks(ids):
                chunk = xxhash.xxh3_128_digest(packed)
                statements.append((self._insert_ids, (lane, period, label, chunk, packed, ttl)))
            for pair in ((name, value), ("", name)):
                if pair not in pairs:
                    statements.append((self._insert_value, (lane, period, *pair, ttl)))
        write_all(self._session, statements)
        pairs.update(by_label)
        pairs.update(("", name) for name, _ in by_label)

    def _write_series(self, lane: int, period: int, new: dict[bytes, bytes], ttl: int) -> None:
        by_group: dict[int, list[tuple[object, ...]]] = defaultdict(list)
        for identity, data in new.items():
            group = int.from_bytes(identity[:4], "big") % self._shards.groups
            by_group[group].append((lane, period, group, identity, data, ttl))
        statements: list[tuple[object, tuple[object, ...]]] = []
        for rows in by_group.values():
            for some in row_batches(rows):
                # one Cassandra partition, so the batch is a single mutation
                batch = BatchStatement(batch_type=BatchType.UNLOGGED)
                for row in some:
                    batch.add(self._insert_series, row)
                statements.append((batch, ()))
        write_all(self._session, statements)


def id_chunks(ids: list[bytes]) -> Iterator[bytes]:
    """Ids packed and sorted, in pieces of at most MAX_INDEX_WRITE_BYTES."""
    ids = sorted(ids)
    most = MAX_INDEX_WRITE_BYTES // ID_BYTES
    for start in range(0, len(ids), most):
        yield b"".join(ids[start : start + most])


def row_batches(rows: list[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    """Rows in batches of at most ROWS_A_WRITE and MAX_INDEX_WRITE_BYTES; a row that is larger has one of its own."""
    batch: list[tuple[object, ...]] = []
    total = 0
    for row in rows:
        size = sum(len(value) for value in row if isinstance(value, bytes))
        if batch and (len(batch) == ROWS_A_WRITE or total + size > MAX_INDEX_WRITE_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(row)
        total += size
    if batch:
        yield batch
