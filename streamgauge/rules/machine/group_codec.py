"""What a group remembers beside its alerts, as JSON; floats by their bits, for a stale marker is one NaN of many."""

import json
import struct
from collections.abc import Iterable, Mapping

from streamgauge.rules.machine.alerts import Labels
from streamgauge.rules.machine.evaluation import Point
from streamgauge.rules.machine.group_state import Origin


def encode_origins(origins: Mapping[str, Origin]) -> str:
    """The rules of a group, in their order, by their identities."""
    flat = {identity: [origin.name, *origin.queries] for identity, origin in origins.items()}
    return json.dumps(flat, separators=(",", ":"))


def decode_origins(data: str | None) -> dict[str, Origin]:
    """What `encode_origins` gave; nothing of nothing."""
    parts = json.loads(data or "{}").items()
    return {identity: Origin(name, tuple(queries)) for identity, (name, *queries) in parts}


def encode_given(given: Iterable[Labels]) -> bytes:
    """Series."""
    return json.dumps(sorted(given), separators=(",", ":")).encode()


def decode_given(data: bytes) -> frozenset[Labels]:
    """What `encode_given` gave."""
    return frozenset(tuple((name, value) for name, value in labels) for labels in json.loads(data))


def encode_written(points: Iterable[Point]) -> bytes:
    """Series with a value each."""
    return json.dumps([(labels, _hex(value)) for labels, value in points], separators=(",", ":")).encode()


def decode_written(data: bytes) -> list[Point]:
    """What `encode_written` gave."""
    return [Point(labels, _float(value)) for labels, value in json.loads(data)]


def _hex(value: float) -> str:
    return struct.pack(">d", value).hex()


def _float(text: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(text))[0]
    return value
