"""The messages of the topic alerts.notified, version 1, compacted: what `streamgauge notify` knows of each alert.

Key: xxh3-128 of group, rule and labels, in hexadecimal, none of which changes in the life of an alert. A message
lies in the partition of alerts.triggered from which its alert came. Header: `format` (1). Values are JSON, none means
forgotten.

Key /offset, in each partition: the first offset of alerts.triggered that has not been read, and when something of the
partition was sent again last. It is written in the transaction of what came of the offsets before it, or in the last
one where that takes several: it never is ahead of these.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import xxhash

from schemas.alert_messages import Triggered, fields_of
from schemas.rule_messages import InvalidMessage, MessageFault

FORMAT = 1
OFFSET_KEY = "/offset"
HEADERS = {"format": str(FORMAT)}


@dataclass(frozen=True, slots=True)
class Notified:
    """What is known of an alert.

    last_id, last_tick: of its last change. changes: those to firing and resolved that some receiver has not got, and
    the newest one, oldest first. seen: by receiver, the tick of the last of them that it has got, -1 for none.
    """

    last_id: str
    last_tick: int
    changes: Sequence[Triggered]
    seen: Mapping[str, int]


class Position(NamedTuple):
    """The first offset of a partition that is not read, and when (ms) one of its alerts was last sent again, or 0."""

    offset: int
    sent_at: int = 0


class Written(NamedTuple):
    """A record for alerts.notified; None for an alert that is forgotten."""

    partition: int
    record: Notified | None


class Assigned(NamedTuple):
    """A partition of alerts.triggered that is to be read.

    records: what is known of its alerts. history: the values that it held before anybody has read any. sent_at: when
    (ms) something of it was sent again last.
    """

    partition: int
    records: Mapping[str, Notified]
    history: Sequence[bytes]
    sent_at: int = 0


def key_of(change: Triggered) -> str:
    """The key of the alert that a change is of, or of the rule."""
    parts = [change.group, change.rule, *(part for pair in sorted(change.labels.items()) for part in pair)]
    return xxhash.xxh3_128_hexdigest(json.dumps(parts, ensure_ascii=False).encode(errors="surrogatepass"))


def encode_position(position: Position) -> bytes:
    """Encode the value of the key /offset."""
    return json.dumps(position._asdict(), separators=(",", ":")).encode()


def decode_position(value: bytes) -> Position:
    """Decode a value of the key /offset; earlier versions have no `sent_at`.

    :raises InvalidMessage: for what says no offset.
    """
    try:
        content = json.loads(value)
        return Position(int(content["offset"]), int(content.get("sent_at", 0)))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None


def encode(record: Notified) -> bytes:
    """The value of a message; the same bytes for the same content."""
    content = {
        "last_id": record.last_id,
        "last_tick": record.last_tick,
        "changes": [fields_of(change) for change in record.changes],
        "seen": dict(record.seen),
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode(errors="surrogatepass")


def decode(value: bytes) -> Notified:
    """What a value says.

    :raises InvalidMessage: for what says nothing of the kind.
    """
    try:
        content = json.loads(value.decode(errors="surrogatepass"))
        changes = [Triggered(**change) for change in content["changes"]]
        seen = {str(name): int(tick) for name, tick in content["seen"].items()}
        return Notified(str(content["last_id"]), int(content["last_tick"]), changes, seen)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None
