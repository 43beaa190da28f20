"""The state of rules and alerts, from the messages of alerts.rules and alerts.state. Pure."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.alert_messages import (
    ActiveAlert,
    GroupStatus,
    RuleHealth,
    decode_status,
    parse_state_key,
)
from schemas.rule_files import Group, Rule
from schemas.rule_messages import RuleMessage, decode_group, file_of
from streamgauge.rules.applied.rule_sets import RuleSet, RuleSets
from streamgauge.rules.machine.alert_parts import KnownAlerts

_KEPT_SETS = 16
SILENT_MS = 3_600_000
"""A rule in SQL whose last tick is longer ago has been taken away: its job is over, and will not say so."""
_UNKNOWN = RuleHealth()


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule with how it does and its alerts."""

    rule: Rule
    health: RuleHealth
    alerts: Sequence[ActiveAlert]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with how it does. status: None if nobody has evaluated it as it is now. is_sql: what its rules are in."""

    key: str
    group: Group
    status: GroupStatus | None
    rules: Sequence[RuleView]
    is_sql: bool = False

    @property
    def file(self) -> str:
        """Its file: FILE or NAMESPACE/FILE, without folder and ending."""
        return file_of(self.key)


class Held(NamedTuple):
    """Whether an alert that fired at a tick still does; alert: as it is now, None if nobody has told."""

    is_held: bool
    alert: ActiveAlert | None


class Board:
    """Takes the messages of both topics in the order of each; shows them as one.

    What a job says of a group counts if the group is the same in the rule set that the job had.
    """

    def __init__(self) -> None:
        self._sets = RuleSets()
        self._known: deque[RuleSet] = deque(maxlen=_KEPT_SETS)
        self._statuses: dict[str, GroupStatus] = {}
        self._defined: dict[str, Group] = {}
        """Groups that no rule set has: rules in SQL are those of a job that runs."""
        self._alerts: defaultdict[tuple[str, int], KnownAlerts] = defaultdict(KnownAlerts)

    def take_rules(self, message: RuleMessage) -> None:
        """A message of alerts.rules."""
        if (closed := self._sets.take(message)) is not None:
            self._known.append(closed)

    def take_state(self, key: str, value: bytes | None) -> None:
        """A message of alerts.state.

        :raises InvalidMessage: for what is none; what was known before stays.
        """
        group, number, part = parse_state_key(key)
        if number is None:
            if value is None:
                self._statuses.pop(group, None)
                self._defined.pop(group, None)
            else:
                status = decode_status(value)
                if status.definition:
                    self._defined[group] = decode_group(status.definition.encode())
                self._statuses[group] = status
        elif value is None and part is None:
            self._alerts.pop((group, number), None)
        elif value is not None or (group, number) in self._alerts:
            self._alerts[group, number].take(part, value)

    def groups(self, now: int) -> list[GroupView]:
        """All groups of the set that counts at a time in ms, and those in SQL, by file and name."""
        counts = self._at(now)
        groups = [*counts.groups.items(), *self._defined.items()]
        found = [(key, group) for key, group in sorted(groups, key=_place) if not self._is_silent(key, now)]
        return [self._view(counts, key, group) for key, group in found]

    def group(self, key: str, now: int) -> GroupView | None:
        """A group of the set that counts at a time in ms, or one in SQL."""
        counts = self._at(now)
        group = self._group(counts, key, now)
        return self._view(counts, key, group) if group else None

    def broken(self) -> list[str]:
        """The keys of groups of which alerts were told in parts, of which some are missing; older ones are shown."""
        return sorted({key for (key, _), known in self._alerts.items() if not known.is_whole})

    def held(self, key: str, rule: str, labels: Mapping[str, str], tick: int, now: int) -> Held:
        """Whether an alert that fired at a tick still does, by what is known now.

        It does not if its group or rule is gone, or if the group was evaluated later and does not have it.
        """
        counts = self._at(now)
        group = self._group(counts, key, now)
        if group is None:
            # nothing is known before the topic was read
            return Held(not self._known, None)
        status = self._status(counts, key)
        named = [number for number, each in enumerate(group.rules) if each.name == rule]
        wanted = tuple(sorted(labels.items()))
        for number in named if status is not None else ():
            known = self._alerts.get((key, number))
            if known is not None and wanted in known.alerts:
                return Held(True, known.alerts[wanted])
        evaluated = status is not None and status.last_tick > tick
        return Held(bool(named) and not evaluated, None)

    def _is_silent(self, key: str, now: int) -> bool:
        return key in self._defined and self._statuses[key].last_tick + SILENT_MS < now

    def _at(self, now: int) -> RuleSet:
        counting = [one for one in self._known if one.effective_from <= now]
        if counting:
            return counting[-1]
        return self._known[0] if self._known else RuleSet()

    def _group(self, counts: RuleSet, key: str, now: int) -> Group | None:
        group = self._defined.get(key) or counts.groups.get(key)
        return None if self._is_silent(key, now) else group

    def _status(self, counts: RuleSet, key: str) -> GroupStatus | None:
        status = self._statuses.get(key)
        return status if status is not None and self._is_of(status, counts, key) else None

    def _view(self, counts: RuleSet, key: str, group: Group) -> GroupView:
        status = self._status(counts, key)
        rules = []
        for number, rule in enumerate(group.rules):
            healths = status.rules if status else ()
            health = healths[number] if number < len(healths) else _UNKNOWN
            known = self._alerts.get((key, number)) if status else None
            rules.append(RuleView(rule, health, list(known.alerts.values()) if known else []))
        return GroupView(key, group, status, rules, is_sql=key in self._defined)

    def _is_of(self, status: GroupStatus, counts: RuleSet, key: str) -> bool:
        if status.rule_set == counts.version or key in self._defined:
            return True
        judged = next((one for one in self._known if one.version == status.rule_set), None)
        if judged is None:
            # its set was compacted away: the topic keeps the newest of each group
            return len(status.rules) == len(counts.groups[key].rules)
        return judged.digests.get(key) == counts.digests[key]


def _place(pair: tuple[str, Group]) -> tuple[str, str]:
    key, group = pair
    return file_of(key), group.name
