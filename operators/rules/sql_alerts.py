"""The second operator of the job of SQL rules: rows become alerts and their state."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from operators.rules.group_output import StoredGroup, messages
from operators.rules.tick_timers import TickTimers
from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap

if TYPE_CHECKING:
    from streamgauge.rules.job.sql_group import SqlGroup
    from streamgauge.rules.job.waiting_rows import WaitingRows

LABELS_AND_VALUE = Types.ROW([Types.MAP(Types.STRING(), Types.STRING()), Types.DOUBLE()])
"""A row of a rule, its time beside it. Without labels: time goes on; with a value: there were samples."""
_PLACE = Types.TUPLE([Types.LONG(), Types.STRING()])


class SqlAlerts(KeyedProcessFunction):
    """Keyed by a rule's key; `streamgauge.rules.job.sql_group` has what it does. Yields what `group_output` sends.

    A tick comes at every multiple of what the rule says, whether there are rows or not.

    :param files: the text of each file, by its name.
    """

    def __init__(self, config: Config, files: Mapping[str, str]) -> None:
        self._config = config
        self._files = files

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from operators.rules.applied_rules import terms
        from operators.rules.stored_samples import StoredSamples
        from streamgauge.rules.sql.reader import parse

        rules = [parse(file, text).rule for file, text in self._files.items()]
        self._rules = {rule.key: rule for rule in rules if rule}
        self._evaluation_context = terms(self._config).context
        self._store = StoredSamples(self._config)
        self._groups: dict[str, tuple[SqlGroup, WaitingRows]] = {}
        self._timers = TickTimers()
        self._stored = StoredGroup(context)
        self._rows = context.get_map_state(MapStateDescriptor("rows-v1", _PLACE, Types.BOOLEAN()))
        counters = context.get_metrics_group()
        self._ticks = counters.counter("ticks")
        self._rule_errors = counters.counter("rule_errors")
        self._late = counters.counter("late_rows")
        self._transitions = counters.counter("transitions")
        self._left_out = counters.counter("series_left_out")
        self._oversized = counters.counter("oversized_messages")
        freeze_heap()

    def close(self) -> None:
        self._store.close()

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> None:
        labels, value = row
        time = context.timestamp()
        _, waiting = self._group(context.get_current_key())
        counts = waiting.see(time, context.timer_service().current_watermark())
        if labels is not None or value is not None:
            if not counts:
                self._late.inc()
            elif place := waiting.add(time, labels, value):
                self._rows.put(place, True)
        self._timers.call_out(waiting.next_tick, context)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[object]:
        key = context.get_current_key()
        _, waiting = self._group(key)
        # PyFlink lets the timers that a timer sets wait for more to come
        watermark = max(timestamp, context.timer_service().current_watermark())
        waiting.see(timestamp, watermark - 1)
        while (tick := waiting.next_tick) is not None and tick <= watermark:
            yield from self._tick(key, tick)
            if key not in self._rules:
                return
        self._timers.call_out(waiting.next_tick, context)

    def _tick(self, key: str, tick: int) -> Iterator[object]:
        group, waiting = self._group(key)
        due = waiting.take(tick)
        ticked = group.tick(tick, due.rows, due.has_samples)
        for place in due.forgotten:
            self._rows.remove(place)
        if key in self._rules:
            self._stored.write(tick, group.state, ticked)
        else:
            self._stored.clear()
            del self._groups[key]
        self._ticks.inc()
        self._rule_errors.inc(sum(bool(error) for error in ticked.outcome.errors))
        self._transitions.inc(len(ticked.triggered))
        self._left_out.inc(ticked.outcome.left_out)
        self._oversized.inc(ticked.oversized)
        yield from messages(ticked, tick + self._config.stream.lag_ms)

    def _group(self, key: str) -> "tuple[SqlGroup, WaitingRows]":
        """The rule; taken up from the state when this worker first meets it."""
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = self._taken_up(key)
        return found

    def _taken_up(self, key: str) -> "tuple[SqlGroup, WaitingRows]":
        from streamgauge.rules.job.sql_group import SqlGroup
        from streamgauge.rules.job.waiting_rows import WaitingRows
        from streamgauge.rules.sql.reader import EVERY_MS

        rule = self._rules.get(key)
        group = SqlGroup(
            key,
            rule,
            self._stored.read(),
            self._config.alerts,
            self._config.layout.lanes,
            self._evaluation_context,
            self._store,
        )
        return group, WaitingRows(rule.every_ms if rule else EVERY_MS, self._stored.last, self._rows.keys())
