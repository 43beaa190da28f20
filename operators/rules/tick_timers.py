"""Timers of the ticks of an operator's keys."""

from collections.abc import Hashable

from pyflink.datastream import KeyedProcessFunction


class TickTimers:
    """Has each key's next tick called out.

    Once more after a restart: PyFlink registers a bundle's timers after it, so a checkpoint lacks those of the last
    bundle before it.
    """

    def __init__(self) -> None:
        self._set: dict[Hashable, int] = {}

    def call_out(self, tick: int | None, context: KeyedProcessFunction.Context) -> None:
        """Register a timer for the next tick (ms) of the current key, None if there is none, unless it is there."""
        key = context.get_current_key()
        if tick is not None and self._set.get(key) != tick:
            context.timer_service().register_event_time_timer(tick)
            self._set[key] = tick

    def forget(self, key: Hashable) -> None:
        """The key's timer has come."""
        self._set.pop(key, None)
