"""From the messages of alerts.rules to the rule set in effect, and from rule files to messages. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.limits import MAX_MESSAGE_BYTES
from schemas.rule_files import Group
from schemas.rule_messages import (
    MARKER_KEY,
    InvalidMessage,
    Marker,
    MessageFault,
    RuleMessage,
    check_format,
    decode_group,
    decode_marker,
    digest,
    encode_group,
    encode_marker,
    file_of,
    headers,
    key_of,
    version_of,
)
from streamgauge.rules.machine.intervals import interval_of

DELAY_MS = 5000
"""From the moment in which a set is published to the first tick at which it counts, so that all have read it."""
MAX_RULES_BYTES = MAX_MESSAGE_BYTES // 2
"""Of a message: one that tells how all rules of the group do fits into a message too."""
LATEST_MS = 60_000
"""A set counts from a multiple of this on if none of its groups is evaluated as often."""


class SetFault(StrEnum):
    """Why a set that was closed does not count."""

    INCOMPLETE = "incomplete"
    BAD_VERSION = "bad_version"
    BAD_FORMAT = "bad_format"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Groups that count together from a tick (ms) on, by their keys. digests: of their values, by the same keys."""

    version: str = ""
    effective_from: int = 0
    groups: Mapping[str, Group] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


class RuleSets:
    """Takes the messages of the topic in their order; a set counts once its marker has come.

    last: the newest set that counts. contents: the newest value of each key. fault: why the newest marker closed none,
    None if it did.
    """

    def __init__(self, messages: Iterable[RuleMessage] = ()) -> None:
        self.last = RuleSet()
        self.contents: dict[str, bytes] = {}
        self.fault: SetFault | None = None
        for message in messages:
            self.take(message)

    def take(self, message: RuleMessage) -> RuleSet | None:
        """The set that a message closes. One whose groups are not all there as it names them is no set."""
        if message.key != MARKER_KEY:
            if message.value is None:
                self.contents.pop(message.key, None)
            else:
                self.contents[message.key] = message.value
            return None
        found = self._closed(message)
        if isinstance(found, SetFault):
            self.fault = found
            return None
        self.fault = None
        self.last = found
        return found

    def _closed(self, message: RuleMessage) -> RuleSet | SetFault:
        try:
            check_format(message)
            marker = decode_marker(message.value or b"")
            if marker.version != version_of(marker.groups):
                return SetFault.BAD_VERSION
            for key, wanted in marker.groups.items():
                if key not in self.contents or digest(self.contents[key]) != wanted:
                    return SetFault.INCOMPLETE
            groups = {key: decode_group(self.contents[key]) for key in sorted(marker.groups)}
        except InvalidMessage as fault:
            is_format = fault.reason is MessageFault.BAD_FORMAT
            return SetFault.BAD_FORMAT if is_format else SetFault.MALFORMED
        return RuleSet(marker.version, marker.effective_from, groups, marker.groups)


@dataclass(frozen=True, slots=True)
class Publication:
    """What has to be published for a set to count, the marker last; nothing if it counts already."""

    rules: RuleSet
    messages: Sequence[RuleMessage]


def publication(read: RuleSets, files: Mapping[str, Sequence[Group]], now: int) -> Publication:
    """The set in which these files have these groups, and all other files those that they had.

    :param read: all messages up to the end. :param files: groups by their files, named as `file_in` does.
    :param now: ms.
    """
    groups = {key: group for key, group in read.last.groups.items() if file_of(key) not in files}
    groups |= {key_of(file, group.name): group for file, own in files.items() for group in own}
    values = {key: encode_group(groups[key]) for key in sorted(groups)}
    digests = {key: digest(value) for key, value in values.items()}
    version = version_of(digests)
    if version == read.last.version and read.fault is None:
        return Publication(read.last, [])
    start = effective_from(groups.values(), now)
    shared = headers(version, start)
    changed = [key for key, value in values.items() if read.contents.get(key) != value]
    messages = [RuleMessage(key, values[key], shared) for key in changed]
    messages += [RuleMessage(key, None, shared) for key in sorted(read.contents.keys() - values.keys())]
    marker = encode_marker(Marker(version, start, digests))
    messages.append(RuleMessage(MARKER_KEY, marker, shared))
    return Publication(RuleSet(version, start, groups, digests), messages)


def oversized(planned: Publication) -> list[str]:
    """What of a publication no message can hold, in words for who is to divide it."""
    found = []
    for message in planned.messages:
        size = len(message.key.encode()) + len(message.value or b"")
        if size > MAX_RULES_BYTES:
            whole = message.key == MARKER_KEY
            what = "the list of all groups" if whole else f"group {message.key[:200]}"
            found.append(f"{what} takes {size:,} bytes, a message at most {MAX_RULES_BYTES:,}")
    return found


def effective_from(groups: Collection[Group], now: int) -> int:
    """The first tick (ms) at which groups that are published now can count: a tick of the most frequent one.

    However seldom that is, it is not much more than a minute away: the alerts of groups that are gone end with it.
    """
    every = min((LATEST_MS, *map(interval_of, groups))) if groups else 1000
    return -(-(now + DELAY_MS) // every) * every
