"""The rule set in effect at each tick, and the times of ticks. Pure."""

from collections.abc import Iterable

from schemas.rule_messages import RuleMessage
from streamgauge.rules.applied.rule_sets import RuleSet, RuleSets
from streamgauge.rules.machine.intervals import interval_of


class Timeline:
    """The rule sets of the topic, each with the ticks (ms) from which on it counts.

    At a tick counts the set that was published last of those that have begun: so what is evaluated again is so by the
    same rules.
    """

    def __init__(self) -> None:
        self._read = RuleSets()
        self._sets: list[RuleSet] = []
        self._intervals: dict[str, list[int]] = {}

    def take(self, messages: Iterable[RuleMessage]) -> bool:
        """Take more messages of the topic, in their order; whether they closed a set."""
        before = self._read.last
        for message in messages:
            if found := self._read.take(message):
                self._sets = [one for one in self._sets if one.effective_from < found.effective_from]
                self._sets.append(found)
        return self._read.last is not before

    def at(self, tick: int) -> RuleSet | None:
        """The set that counts at a tick."""
        return next((one for one in reversed(self._sets) if one.effective_from <= tick), None)

    def since(self, tick: int) -> list[RuleSet]:
        """The sets that count at a tick or later, in order."""
        return [
            one
            for at, one in enumerate(self._sets)
            if at + 1 == len(self._sets) or self._sets[at + 1].effective_from > tick
        ]

    def forget_before(self, tick: int) -> None:
        """Drop the sets that do not count at a tick or later."""
        self._sets = self.since(tick)

    def of_version(self, version: str) -> RuleSet | None:
        """A set that is remembered, by its version."""
        return next((one for one in reversed(self._sets) if one.version == version), None)

    def next_tick(self, after: int) -> int | None:
        """The first tick after a time at which groups are due or another set begins."""
        for at, one in enumerate(self._sets):
            end = self._sets[at + 1].effective_from if at + 1 < len(self._sets) else None
            if end is not None and end <= after + 1:
                continue
            if one.effective_from > after:
                return one.effective_from
            ticks = [after // every * every + every for every in self._every(one)]
            if end is not None:
                ticks.append(end)
            if ticks:
                return min(ticks)
        return None

    def _every(self, rules: RuleSet) -> list[int]:
        """The different intervals of a set."""
        if rules.version not in self._intervals:
            self._intervals[rules.version] = sorted({interval_of(one) for one in rules.groups.values()})
        return self._intervals[rules.version]


def due(rules: RuleSet, tick: int) -> list[str]:
    """The keys of the groups that are evaluated at a tick (ms)."""
    return [key for key, group in rules.groups.items() if tick % interval_of(group) == 0]
