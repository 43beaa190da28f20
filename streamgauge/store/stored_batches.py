"""Which batches of Kafka the blocks of a lane's minutes hold, written beside them and read by the audit."""

import logging
from collections.abc import Iterable, Sequence

from cassandra.cluster import Session

from schemas.batches.batch_records import InvalidRecords, Records, concat, decode, encode, records
from schemas.tables import STORED_BATCHES_PERIOD_MS, STORED_BATCHES_RETENTION_MS
from streamgauge.store.write_times import after

MINUTES_A_READ = 60

log = logging.getLogger(__name__)


class StoredBatches:
    """Writes and reads `stored_batches`: a row for each part of a minute."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._insert = session.prepare(
            "INSERT INTO stored_batches (lane, period, minute, part, batches) VALUES (?, ?, ?, ?, ?) "
            "USING TTL ? AND TIMESTAMP ?"
        )
        self._select_written = session.prepare(
            "SELECT WRITETIME(batches) AS written FROM stored_batches "
            "WHERE lane = ? AND period = ? AND minute = ? AND part = ?"
        )
        self._select = session.prepare(
            "SELECT batches FROM stored_batches WHERE lane = ? AND period = ? AND minute IN ?"
        )

    def write(self, lane: int, minute: int, part: bytes, batches: Sequence[tuple[int, int, int]]) -> None:
        """Note that batches of a minute (ms) are in its blocks; after they are, and before they are forgotten.

        :param batches: partition, offset and number of samples of each.
        """
        if batches:
            blob = encode(records([(lane, minute, *batch) for batch in batches]))
            place = lane, _period(minute), minute, part
            there = self._session.execute(self._select_written, place).one()
            stamp = after(there.written if there else None)
            row = (*place, blob, STORED_BATCHES_RETENTION_MS // 1000, stamp)
            self._session.execute(self._insert, row)

    def read(self, lane: int, minutes: Iterable[int]) -> Records:
        """The batches that the blocks of these minutes (ms) of a lane hold.

        A row that is damaged, or of a later version, is left out: its batches are missing then, and seen.
        """
        by_period: dict[int, list[int]] = {}
        for minute in minutes:
            by_period.setdefault(_period(minute), []).append(minute)
        futures = [
            self._session.execute_async(self._select, (lane, period, own[at : at + MINUTES_A_READ]))
            for period, own in by_period.items()
            for at in range(0, len(own), MINUTES_A_READ)
        ]
        found = []
        for future in futures:
            for row in future.result():
                try:
                    found.append(decode(row.batches))
                except InvalidRecords as fault:
                    log.error("row left out: table=stored_batches lane=%d fault=%s", lane, fault)
        return concat(found)


def _period(minute: int) -> int:
    return minute - minute % STORED_BATCHES_PERIOD_MS
