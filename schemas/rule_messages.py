"""The messages of the topic alerts.rules, version 1.

A rule set is published in one transaction: a message for each group that is new or has changed, a tombstone for each
that is gone, and a marker that closes the set and names all groups of it, changed or not.

    key FILE/GROUP             value {"name":..., "interval_ms":..., "rules":[...]}, or none: the group is gone
    key /NAMESPACE/FILE/GROUP  the same, of a file in a namespace
    key /set                   value {"version":..., "effective_from":..., "groups":{KEY: DIGEST, ...}}

FILE is the name of a rule file without folder and ending; it and NAMESPACE hold no slash. Headers of all: `format`
(1), `rule_set` (its version) and `effective_from` (ms, text): the first tick at which the set counts. A digest is
xxh3-128 of a value, a version that of the digests, both in hexadecimal.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import xxhash

from schemas.rule_files import Group, NoData, Rule, RuleKind

FORMAT = 1
MARKER_KEY = "/set"
SQL = "sql"
"""The file of rules in SQL, whose keys in alerts.state are `/sql/NAME`; no namespace is called so."""
MAX_NAMESPACE_BYTES = 64
_NAMESPACE = re.compile(rf"[a-zA-Z0-9][\w.-]{{0,{MAX_NAMESPACE_BYTES - 1}}}", re.ASCII)


class MessageFault(StrEnum):
    """Why a message was refused."""

    BAD_FORMAT = "bad_format"
    MALFORMED = "malformed"


class InvalidMessage(ValueError):
    """A message that cannot be read.

    :param reason: the kind of fault, for counters. :param detail: what was found, for people.
    """

    def __init__(self, reason: MessageFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class RuleMessage:
    """A message of the topic. value: None for a tombstone."""

    key: str
    value: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Marker:
    """What closes a rule set. effective_from: ms. groups: the digest of each group's value, by key."""

    version: str
    effective_from: int
    groups: Mapping[str, str]


def file_in(namespace: str, name: str) -> str:
    """A file as readers of rules name it: NAMESPACE/FILE, and FILE without a namespace.

    :param name: without folder and ending.
    """
    return f"{namespace}/{name}" if namespace else name


def key_of(file: str, group: str) -> str:
    """The key of a group of a file, which is named as `file_in` does."""
    return f"/{file}/{group}" if "/" in file else f"{file}/{group}"


def file_of(key: str) -> str:
    """The file of a group's key, as `file_in` names it; `sql` for a rule in SQL."""
    if not key.startswith("/"):
        return key.partition("/")[0]
    namespace, _, rest = key[1:].partition("/")
    return SQL if namespace == SQL else file_in(namespace, rest.partition("/")[0])


def check_namespace(name: str) -> None:
    """Refuse what cannot name a namespace.

    :raises ValueError: then, with what is wrong.
    """
    if name == SQL:
        raise ValueError(f"{SQL} is the name under which rules in SQL are shown")
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            f"{name[:MAX_NAMESPACE_BYTES]!r} is no name of 1 to {MAX_NAMESPACE_BYTES} letters, digits, "
            "dots, hyphens and underscores that begins with a letter or a digit"
        )


def digest(value: bytes) -> str:
    """What stands for a value."""
    return xxhash.xxh3_128_hexdigest(value)


def version_of(groups: Mapping[str, str]) -> str:
    """What stands for a rule set, of the digests of its groups."""
    return digest(_json(dict(groups)))


def headers(version: str, effective_from: int) -> dict[str, str]:
    """The headers of all messages of a set."""
    return {"format": str(FORMAT), "rule_set": version, "effective_from": str(effective_from)}


def encode_group(group: Group) -> bytes:
    """The value of a group; the same bytes for the same group, wherever it stands in its file."""
    content = asdict(group)
    for rule in content["rules"]:
        del rule["line"], rule["column"]
    return _json(content)


def decode_group(value: bytes) -> Group:
    """The group of a value.

    :raises InvalidMessage: for what is none.
    """
    try:
        content = json.loads(value)
        rules = [
            Rule(**{**rule, "kind": RuleKind(rule["kind"]), "no_data": NoData(rule["no_data"])})
            for rule in content["rules"]
        ]
        return Group(**{**content, "rules": rules})
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None


def encode_marker(marker: Marker) -> bytes:
    """The value of a marker."""
    return _json(asdict(marker))


def decode_marker(value: bytes) -> Marker:
    """The marker of a value.

    :raises InvalidMessage: for what is none.
    """
    try:
        content = json.loads(value)
        groups = {str(key): str(found) for key, found in content["groups"].items()}
        return Marker(str(content["version"]), int(content["effective_from"]), groups)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidMessage(MessageFault.MALFORMED, str(error)[:200]) from None


def check_format(message: RuleMessage) -> None:
    """Refuse what another version of this module wrote.

    :raises InvalidMessage: then.
    """
    if message.headers.get("format") != str(FORMAT):
        found = message.headers.get("format", "none")
        raise InvalidMessage(MessageFault.BAD_FORMAT, f"format {found}, this reads {FORMAT}")


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
