"""The samples of one shard that its rules look at, in memory, each series as far back as its selectors need."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from schemas.batches.batch import Batch, labels_by_id
from streamgauge.rules.stream.compile.reach import Conditions, Reach, united
from streamgauge.rules.stream.compile.selectors import Selector, SelectorIndex
from streamgauge.rules.stream.samples import window_kernels as kernels
from streamgauge.rules.stream.samples.pool import Pool, Slots
from streamgauge.rules.stream.samples.slot_labels import SlotLabels
from streamgauge.series.hash_kernels import FACTOR
from streamgauge.series.ids import Ids, split, to_bytes
from streamgauge.series.matchers import Matcher
from streamgauge.series.samples import Samples, order_of

MAX_IGNORED = 2_000_000
"""Of series that no rule looks at; above it they are forgotten, and looked at again when they come."""
_FIRST_PLACES = 1024
_NOWHERE = np.zeros(0, np.int64)


class Selected:
    """The series of a selector, in the order of their ids."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self.slots: Slots = _NOWHERE
        self.labels: Sequence[bytes] = ()
        self.ids: Ids = np.zeros((0, 2), np.uint64)
        self.members: set[int] = set()
        self.is_stale = False


class Window:
    """A source of the samples that have come, as far as the selectors that are registered look at them.

    A batch whose series are all known can be added without its labels.
    """

    def __init__(self) -> None:
        self.pool = Pool()
        self.slot_labels = SlotLabels()
        self.version = 0
        """Rises when other series belong to any selector."""
        self._table = np.full(_FIRST_PLACES, kernels.FREE, np.int32)
        self._keys = np.zeros((_FIRST_PLACES, 2), np.uint64)
        self._entries = 0
        self._ignored = 0
        self._selected: dict[Conditions, Selected] = {}
        self._index = SelectorIndex([])
        self._labels: list[bytes] = []
        self._label_bytes = 0
        self._ids = np.zeros((64, 2), np.uint64)
        self._histories = np.zeros(64, np.int64)
        self._tick = 0

    @property
    def series(self) -> int:
        """How many series are kept."""
        return self._entries - self._ignored

    @property
    def slot_count(self) -> int:
        """The slots that there are, some of them free."""
        return len(self._labels)

    @property
    def nbytes(self) -> int:
        """The bytes that samples, ids and labels take."""
        arrays = self._table.nbytes + self._keys.nbytes + self._ids.nbytes + self._histories.nbytes
        return self.pool.nbytes + arrays + self._label_bytes

    def register(self, reaches: Iterable[Reach]) -> list[Conditions]:
        """Look at these selectors from now on, and at no others; those that see too little of what came before.

        What these should see is put in by `put`. Series that were passed over are unknown again.
        """
        wanted = {
            reach.conditions: Selector(reach.conditions, max(0, reach.before)) for reach in united(reaches)
        }
        old = {conditions: one.selector.history for conditions, one in self._selected.items()}
        lacking = [one.conditions for one in wanted.values() if old.get(one.conditions, -1) < one.history]
        self._selected = {conditions: Selected(selector) for conditions, selector in wanted.items()}
        self._index = SelectorIndex(wanted.values())
        self.version += 1
        kept = [slot for slot, data in enumerate(self._labels) if data and self._enlist(slot, data)]
        for slot in {slot for slot, data in enumerate(self._labels) if data} - set(kept):
            self._forget(slot)
        self._rebuild_table(keeps_ignored=False)
        return lacking

    def unknown(self, batch: Batch) -> bool:
        """Whether a batch has series whose labels have to be known before it can be added."""
        return bool((self._find(batch.samples.ids) == kernels.FREE).any())

    def add(self, batch: Batch) -> int | None:
        """Put in the samples of a batch, which has its labels if `unknown` says so.

        Returns how far back (ms) any of its series is looked at, None if no selector looks at any.

        :raises InvalidBatch: if the labels are not those of the ids; nothing was put in then.
        """
        found = self._find(batch.samples.ids)
        if (found == kernels.FREE).any():
            found = self._learned(batch.samples.ids, labels_by_id(batch))
        self.pool.append(found, batch.samples)
        kept = found[found >= 0]
        return int(self._histories[kept].max()) if len(kept) else None

    def put(self, labels: Mapping[bytes, bytes], samples: Samples) -> None:
        """Put in samples from elsewhere, such as the store.

        :param labels: the canonical labels of each series by its packed id.
        """
        self.pool.append(self._learned(samples.ids, labels), samples)

    def prune(self, tick: int) -> None:
        """Forget what no tick from this one (ms) on looks at, and series without any samples."""
        self._tick = tick
        used = slice(0, len(self._labels))
        self.pool.oldest[used] = tick - self._histories[used]
        self.pool.drop()
        counts = self.pool.counts(np.arange(len(self._labels)))
        empty = [slot for slot in np.flatnonzero(counts == 0).tolist() if self._labels[slot]]
        for slot in empty:
            self._forget(slot)
        if self.slot_labels.has_garbage:
            self.slot_labels = SlotLabels()
            for slot, data in enumerate(self._labels):
                if data:
                    self.slot_labels.put(slot, data)
            self.version += 1
        if empty or self._ignored > MAX_IGNORED:
            self._rebuild_table(self._ignored <= MAX_IGNORED)

    def fetch(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Sequence[bytes], Samples]:
        """What `streamgauge.promql.data.query.Source` asks for, of a selector that is registered."""
        selected = self._current(tuple(matchers))
        offsets, times, values = self.pool.read(selected.slots, start_ms, end_ms)
        has_any = np.diff(offsets) > 0
        if has_any.all():
            return selected.labels, Samples(selected.ids, offsets, times, values)
        rows = np.flatnonzero(has_any)
        kept = np.append(offsets[:-1][rows], offsets[-1])
        return [selected.labels[row] for row in rows.tolist()], Samples(
            selected.ids[rows], kept, times, values
        )

    def slots(self, conditions: Conditions) -> Slots:
        """The series that a selector has now."""
        return self._current(conditions).slots

    def _current(self, conditions: Conditions) -> Selected:
        selected = self._selected[conditions]
        if selected.is_stale:
            slots = np.array(list(selected.members), np.int64)
            selected.slots = slots[order_of(self._ids[slots])]
            selected.ids = self._ids[selected.slots]
            selected.labels = [self._labels[slot] for slot in selected.slots.tolist()]
            selected.is_stale = False
        return selected

    def _find(self, ids: Ids) -> Slots:
        found = np.empty(len(ids), np.int64)
        kernels.find(self._table, self._keys, ids, found, FACTOR)
        return found

    def _learned(self, ids: Ids, labels: Mapping[bytes, bytes]) -> Slots:
        """The slot of each id, new ones included, whose labels are given."""
        found = self._find(ids)
        rows = np.flatnonzero(found == kernels.FREE)
        for row, identity in zip(rows.tolist(), split(to_bytes(ids[rows])), strict=True):
            found[row] = self._new(ids[row], labels[identity])
        self._enter(ids[rows], found[rows])
        return found

    def _new(self, identity: Ids, data: bytes) -> int:
        slot = self.pool.new_slot()
        if slot == len(self._labels):
            self._labels.append(b"")
            if slot >= len(self._ids):
                self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
                self._histories = np.concatenate([self._histories, np.zeros_like(self._histories)])
        self._ids[slot] = identity
        if self._enlist(slot, data):
            self._labels[slot] = data
            self._label_bytes += len(data)
            self.slot_labels.put(slot, data)
            return slot
        self.pool.free(slot)
        return kernels.IGNORED

    def _enlist(self, slot: int, data: bytes) -> bool:
        """Give a series to the selectors that it matches; whether there are any."""
        found = [*self._index.matching(data)]
        # series that no rule looks at come all the time, and what was selected stays
        self.version += bool(found)
        for selector in found:
            selected = self._selected[selector.conditions]
            selected.members.add(slot)
            selected.is_stale = True
        self._histories[slot] = max((selector.history for selector in found), default=0)
        self.pool.oldest[slot] = self._tick - self._histories[slot]
        return bool(found)

    def _forget(self, slot: int) -> None:
        self.version += 1
        self.slot_labels.free(slot)
        for selector in self._index.matching(self._labels[slot]):
            selected = self._selected[selector.conditions]
            selected.members.discard(slot)
            selected.is_stale = True
        self._label_bytes -= len(self._labels[slot])
        self._labels[slot] = b""
        self.pool.free(slot)

    def _enter(self, ids: Ids, entries: Slots) -> None:
        self._entries += len(ids)
        self._ignored += int((entries == kernels.IGNORED).sum())
        if 2 * self._entries > len(self._table):
            taken = self._table != kernels.FREE
            self._fill_table(self._keys[taken], self._table[taken].astype(np.int64), self._entries)
        kernels.put(self._table, self._keys, ids, entries, FACTOR)

    def _rebuild_table(self, keeps_ignored: bool) -> None:
        """Enter the series that are kept, and perhaps those passed over; others are looked at again when they come."""
        slots = np.array([slot for slot, data in enumerate(self._labels) if data], np.int64)
        ignored = self._keys[self._table == kernels.IGNORED] if keeps_ignored else self._ids[:0]
        self._ignored = len(ignored)
        self._entries = len(slots) + len(ignored)
        entries = np.concatenate([slots, np.full(len(ignored), kernels.IGNORED)])
        self._fill_table(np.concatenate([self._ids[slots], ignored]), entries, len(entries))

    def _fill_table(self, ids: Ids, entries: Slots, count: int) -> None:
        """A new table, with room for `count` entries, of which some are here."""
        places = max(_FIRST_PLACES, 1 << (4 * count).bit_length())
        self._table = np.full(places, kernels.FREE, np.int32)
        self._keys = np.zeros((places, 2), np.uint64)
        kernels.put(self._table, self._keys, ids, entries, FACTOR)
