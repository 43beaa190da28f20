"""The active alerts of one rule as messages of alerts.state: in as many parts as it takes. Pure.

An alert is always in the part that its labels name, so that what changes in a few alerts is told by a few parts.
`schemas.alert_messages` says in which order parts and their names are written.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.alert_messages import ActiveAlert, AlertParts, decode_alerts, encode, state_key
from schemas.limits import MAX_MESSAGE_BYTES
from schemas.rule_messages import InvalidMessage, MessageFault, digest
from streamgauge.rules.machine.alerts import Labels, fingerprint

PART_BYTES = 256 * 1024
"""What a part has at most if all are of the same size."""
MAX_PART_BYTES = MAX_MESSAGE_BYTES // 4
MOST_DOUBLINGS = 5
"""So often the number of parts is doubled for one that is too large; labels that are not chosen need none or one."""


class _Part(NamedTuple):
    """Alerts as they are told. digest: "" for none. size: of the value in bytes."""

    alerts: list[ActiveAlert]
    digest: str = ""
    size: int = 0


class ToldAlerts:
    """What alerts.state has of the alerts of a rule, and the messages that bring it up to what there is now.

    :param group, number: the rule's place in alerts.state. :param told: what was told of it before this worker met it.
    """

    def __init__(self, group: str, number: int, told: Sequence[ActiveAlert] = ()) -> None:
        self._group, self._number = group, number
        self._told = list(told)
        # other values may have been told by the worker before this one: all parts are told again, and some more go
        self._parts = [_Part([])]
        parts, _ = _parts(told, self._parts)
        self._keys = 2 * len(parts) if 2 * sum(part.size for part in parts) > PART_BYTES else 0

    def is_as(self, found: Sequence[ActiveAlert]) -> bool:
        """Whether readers have these alerts already."""
        return self._told == found

    def tell(self, found: Sequence[ActiveAlert]) -> list[tuple[str, bytes | None]]:
        """Keys and values, in their order, after which readers have these alerts; no value for a tombstone."""
        self._told = list(found)
        self._parts, values = _parts(found, self._parts)
        count = len(self._parts) if len(self._parts) > 1 else 0
        # a part that is empty has no message, and its key may never have had one
        parts = [(self._key(at), value or None) for at, value in values.items() if count]
        whole = encode(AlertParts([part.digest for part in self._parts])) if count else None
        if found and not count:
            whole = values.get(0) or encode(found)
        gone = [(self._key(at), None) for at in range(count, self._keys)]
        self._keys = count
        return [*parts, (self._key(), whole), *gone]

    def _key(self, part: int | None = None) -> str:
        return state_key(self._group, self._number, part)


class KnownAlerts:
    """The alerts of a rule as a reader learns of them.

    alerts: those that were told last as a whole, by their labels. is_whole: whether nothing has been told since of
    which parts are missing.
    """

    def __init__(self) -> None:
        self.alerts: Mapping[Labels, ActiveAlert] = {}
        self.is_whole = True
        self._parts: dict[int, tuple[str, list[ActiveAlert]]] = {}

    def take(self, part: int | None, value: bytes | None) -> None:
        """Take a message of the rule, or of a part of its alerts.

        :raises InvalidMessage: for what is none; what was known before stays.
        """
        found = [] if value is None else decode_alerts(value)
        if part is None:
            self._take_whole(found)
        elif isinstance(found, AlertParts):
            raise InvalidMessage(MessageFault.MALFORMED, "parts in a part")
        elif value is None:
            self._parts.pop(part, None)
        else:
            self._parts[part] = digest(value), found

    def _take_whole(self, found: list[ActiveAlert] | AlertParts) -> None:
        self.is_whole = True
        if not isinstance(found, AlertParts):
            self._parts = {}
            self.alerts = {labels_of(alert): alert for alert in found}
            return
        self._parts = {at: part for at, part in self._parts.items() if at < len(found.digests)}
        named = {at: wanted for at, wanted in enumerate(found.digests) if wanted}
        self.is_whole = all(at in self._parts and self._parts[at][0] == named[at] for at in named)
        if self.is_whole:
            alerts = {labels_of(alert): alert for at in named for alert in self._parts[at][1]}
            self.alerts = {labels: alerts[labels] for labels in sorted(alerts)}


def labels_of(alert: ActiveAlert) -> Labels:
    """The labels of an alert, sorted."""
    return tuple(sorted(alert.labels.items()))


def _parts(found: Sequence[ActiveAlert], before: Sequence[_Part]) -> tuple[list[_Part], dict[int, bytes]]:
    """Alerts in parts, and the values of those that are not as they were before.

    How many there are depends on the alerts alone: whoever goes on from a snapshot finds the same. Senders choose
    labels, so that fingerprints may be chosen too: where they collide, alerts are cut in the order of their labels.
    """
    parts, values = _made(_by_fingerprint(found, len(before)), before)
    total = sum(max(0, part.size - 1) for part in parts)
    count = 1 << max(0, -(-total // PART_BYTES) - 1).bit_length()
    for more in range(MOST_DOUBLINGS):
        if count << more != len(parts):
            parts, values = _made(_by_fingerprint(found, count << more), before)
        if all(part.size <= MAX_PART_BYTES or len(part.alerts) == 1 for part in parts):
            return parts, values
    return _made(_in_order(found), before)


def _by_fingerprint(found: Sequence[ActiveAlert], count: int) -> list[list[ActiveAlert]]:
    divided: list[list[ActiveAlert]] = [[] for _ in range(count)]
    for alert in found:
        divided[fingerprint(labels_of(alert)) % count if count > 1 else 0].append(alert)
    return divided


def _in_order(found: Sequence[ActiveAlert]) -> list[list[ActiveAlert]]:
    divided: list[list[ActiveAlert]] = [[]]
    size = 0
    for alert in sorted(found, key=labels_of):
        own = len(encode([alert]))
        if divided[-1] and size + own > MAX_PART_BYTES:
            divided.append([])
            size = 0
        divided[-1].append(alert)
        size += own
    return divided


def _made(
    divided: Sequence[list[ActiveAlert]], before: Sequence[_Part]
) -> tuple[list[_Part], dict[int, bytes]]:
    """Parts of these alerts, and the values of those that are not as before."""
    parts: list[_Part] = []
    values: dict[int, bytes] = {}
    for at, alerts in enumerate(divided):
        if len(before) == len(divided) and before[at].alerts == alerts:
            parts.append(before[at])
            continue
        values[at] = encode(alerts) if alerts else b""
        parts.append(_Part(alerts, digest(values[at]) if alerts else "", len(values[at])))
    return parts, values
