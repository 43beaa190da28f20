"""Range queries from cached parts; the result is the same as without the cache.

A part is kept only if it is final and the index complete (`sealed`), under a key that holds all that it depends on: the
expression, the step and phase, which resolutions are read, and the generations of what is read. These are read before
anything is computed. So what was computed from data that has changed since is never asked for again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import xxhash

from schemas.tables import Resolution, StorageClass
from schemas.units import HOUR_MS
from streamgauge.gateway.cache import sealed, values
from streamgauge.gateway.cache.asked import Answered, Asked, Refusal, Report, State, refusal
from streamgauge.gateway.cache.parts import Part, Run, Slot, parts_of, runs_of, slots_of
from streamgauge.gateway.cache.pieces import Piece, joined, may_inform, notes_of, piece_of, span_of, together
from streamgauge.gateway.cache.remote import Values
from streamgauge.gateway.cache.values import InvalidValue, ValueFault
from streamgauge.promql.data.annotations import Annotations
from streamgauge.promql.data.faults import InvalidQuery, QueryFault
from streamgauge.promql.data.query import Query
from streamgauge.promql.engine.selection import Read
from streamgauge.promql.plan.planned_reads import PlannedReads
from streamgauge.promql.syntax.printer import canonical
from streamgauge.store.reading import ReadContext, TooMuch

OLD_S = 3600
RECENT_S = 60
"""Lifetimes of cached parts: older than an hour, and of the last hour."""


class _Final(NamedTuple):
    """A part that may be kept. seconds: for how long; 0 if it may not be for now, but may have been."""

    key: bytes
    seconds: int


class Ranges:
    """Answers range queries.

    :param scope: what tells this store, and this build of the gateway, from others. :param clock: gives ms.
    :param invalid: is told of every value that is not taken.
    """

    def __init__(
        self,
        scope: str,
        state: State,
        classes: Sequence[StorageClass],
        lanes: int,
        values: Values,
        clock: Callable[[], int],
        invalid: Callable[[ValueFault], None] = lambda _: None,
    ) -> None:
        self._scope = scope
        self._state = state
        self._classes = classes
        self._lanes = lanes
        self._values = values
        self._clock = clock
        self._invalid = invalid

    def answer(self, asked: Asked, reading: ReadContext) -> Answered:
        """The answer to a query.

        :raises InvalidQuery, DeadlinePassed, TooMuch: as its evaluation does.
        """
        try:
            return self._in_parts(asked, reading)
        except _Refused as refused:
            reading.restart()
            annotations = Annotations(asked.text)
            value = asked.compute(asked.query, annotations)
            points = piece_of(value).points
            spans = [(asked.query.start, asked.query.grid.end)]
            report = Report(refused.reason, computed=spans, points=points)
            return Answered(value, annotations.warnings, annotations.infos, report)

    def _in_parts(self, asked: Asked, reading: ReadContext) -> Answered:
        if asked.no_store:
            raise _Refused(Refusal.NO_STORE)
        if reason := refusal(asked.expression, asked.query):
            raise _Refused(reason)
        planned = PlannedReads(asked.expression, asked.levels)
        reads = planned.of(asked.query)
        if not reads:
            raise _Refused(Refusal.NOTHING_READ)
        query = replace(asked.query, widths={id(read.node): read.width for read in reads})
        slots = slots_of(parts_of(query.grid), query.grid)
        key = self._key(asked, tuple(read.width for read in reads))
        final = self._final([slot.part for slot in slots], planned, query, key, reading)
        kept = self._kept(final, slots, reading)
        runs = runs_of(slots, kept, lambda slot: slot.part.number in final, may_inform(asked.expression))
        pieces = dict(kept)
        is_unindexed = any(not each.seconds for number, each in final.items() if number not in kept)
        refused = Refusal.UNINDEXED if is_unindexed else None
        report = Report(refused, kept=[(slot.start, slot.end) for slot in slots if slot.part.number in kept])
        for run in runs:
            pieces |= self._computed(run, asked, query, final, reading)
            report.computed.append((run.slots[0].start, run.slots[-1].end))
        return _put_together(asked, slots, pieces, kept, final, report)

    def _key(self, asked: Asked, widths: tuple[int, ...]) -> bytes:
        query = asked.query
        phase = query.start % query.step
        times = query.step, phase, query.lookback, query.subquery_step
        return repr((self._scope, asked.tenant, canonical(asked.expression), times, widths)).encode(
            errors="surrogatepass"
        )

    def _final(
        self, parts: Sequence[Part], planned: PlannedReads, query: Query, key: bytes, reading: ReadContext
    ) -> dict[int, _Final]:
        """The parts that may be kept, by their numbers.

        Progress of blocks comes first, then that of the index, then changes; whatever is computed is read after these.
        """
        reads = {part: planned.of(replace(query, start=part.start, end=part.end)) for part in parts}
        resolutions = {sealed.resolution_of(read) for own in reads.values() for read in own}
        sealing = {Resolution.MIN1, *(sealed.sealed_with(each) for each in resolutions)}
        progress = self._state.progress(sorted(sealing, key=list(Resolution).index), reading)
        is_indexed = sealed.is_indexed(
            self._state.index_progress(reading), progress[Resolution.MIN1], self._lanes
        )
        now = self._clock()
        seconds = {part: OLD_S if part.end < now - HOUR_MS else RECENT_S for part in parts}

        def is_final(read: Read, for_s: int) -> bool:
            return sealed.is_sealed(read, progress, self._lanes) and sealed.is_kept(
                read, self._classes, now, for_s * 1000
            )

        final = [part for part in parts if all(is_final(read, seconds[part]) for read in reads[part])]
        if not final:
            raise _Refused(Refusal.UNSEALED)
        periods = sealed.periods_of(read for part in final for read in reads[part])
        changes = self._state.changes(periods, reading)
        return {
            part.number: _Final(
                _digest(key, part.number, sealed.generation(reads[part], changes)),
                seconds[part] if is_indexed else 0,
            )
            for part in final
        }

    def _kept(
        self, final: Mapping[int, _Final], slots: Sequence[Slot], reading: ReadContext
    ) -> dict[int, Piece]:
        found: dict[int, Piece] = {}
        steps = {slot.part.number: slot.part.size for slot in slots}
        try:
            stored = self._values.get([each.key for each in final.values()], partial(values.hold, reading))
        except InvalidValue as fault:
            self._invalid(fault.reason)
            return found
        size = sum(len(data) for data in stored if data is not None)
        for (number, each), data in zip(final.items(), stored, strict=True):
            if data is None:
                continue
            try:
                values.hold(reading, size + 2 * values.length(data))
                content = values.unseal(each.key, data)
                needed = 2 * len(content) + values.decoded_bytes(content)
                values.hold(reading, size + needed)
                piece = values.decode(content)
                if piece is not None and piece.values.shape[1] != steps[number]:
                    raise InvalidValue(ValueFault.DAMAGED)
            except InvalidValue as fault:
                self._invalid(fault.reason)
                continue
            if piece is None:
                raise _Refused(Refusal.REMARKED)
            size += needed
            found[number] = piece
        return found

    def _computed(
        self, run: Run, asked: Asked, query: Query, final: Mapping[int, _Final], reading: ReadContext
    ) -> dict[int, Piece]:
        """The pieces of a run, whole ones of parts that are final; these are kept from now on."""
        own = [slot for slot in run.slots if slot.part.number in final]
        piece = self._evaluated(run, asked, query, reading)
        if piece is None:
            refused = [final[slot.part.number] for slot in own]
            self._put({each: (values.encode(None), RECENT_S) for each in refused})
            raise _Refused(Refusal.REMARKED)
        found = {}
        for slot in run.slots:
            start, count = (slot.part.start, slot.part.size) if slot in own else (slot.start, slot.size)
            found[slot.part.number] = piece.steps((start - run.start) // query.step, count)
        self._put(
            {
                final[number]: (values.encode(found[number]), final[number].seconds)
                for number in (slot.part.number for slot in own)
            }
        )
        return found

    def _evaluated(self, run: Run, asked: Asked, query: Query, reading: ReadContext) -> Piece | None:
        """The result at the steps of a run; None if it is not to be kept, nor to be put together with others."""
        annotations = Annotations(asked.text)
        # one step alone would be taken for an instant query
        start = run.start if run.start < run.end else run.start - query.step
        try:
            value = asked.compute(replace(query, start=start, end=run.end), annotations)
        except InvalidQuery as fault:
            if fault.reason is QueryFault.TIMEOUT:
                raise
            return None
        except TooMuch:
            return None
        if reading.damages or annotations.warnings or annotations.is_repaired:
            return None
        notes = notes_of(annotations.remarks(), asked.expression)
        # infos about several parts may be about any of them
        if notes is None or (notes and len(run.slots) > 1):
            return None
        piece = piece_of(value, notes)
        skipped = (run.start - start) // query.step
        return piece.steps(skipped, piece.values.shape[1] - skipped) if skipped else piece

    def _put(self, contents: Mapping[_Final, tuple[bytes, int]]) -> None:
        self._values.put(
            {
                each.key: (values.seal(each.key, content), seconds)
                for each, (content, seconds) in contents.items()
                if each.seconds
            }
        )


class _Refused(Exception):
    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


def _digest(key: bytes, number: int, generation: bytes) -> bytes:
    hashed = xxhash.xxh3_128(key)
    hashed.update(np.int64(number).tobytes() + generation)
    return b"streamgauge:r:" + hashed.digest()


def _put_together(
    asked: Asked,
    slots: Sequence[Slot],
    pieces: Mapping[int, Piece],
    kept: Mapping[int, Piece],
    final: Mapping[int, _Final],
    report: Report,
) -> Answered:
    shown = []
    for slot in slots:
        piece = pieces[slot.part.number]
        # what is not final was computed for the steps that were asked for
        own = piece.steps(slot.first, slot.size) if slot.part.number in final else piece
        shown.append(own)
        report.kept_points += own.points if slot.part.number in kept else 0
    is_cut = {slot.part.number: slot.part.number in final and not slot.is_whole for slot in slots}
    notes = together(
        [pieces[number].notes for number, cut in is_cut.items() if not cut],
        [pieces[number].notes for number, cut in is_cut.items() if cut],
    )
    if notes is None:
        raise _Refused(Refusal.REMARKED)
    annotations = Annotations(asked.text)
    for note in notes:
        annotations.inform(note.text, span_of(note, asked.expression))
    value = joined(shown, asked.limits)
    report.points = piece_of(value).points
    return Answered(value, [], annotations.infos, report)
