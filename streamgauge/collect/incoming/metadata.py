"""Metric metadata: type, help and unit, from scrapes and from remote write."""

import re
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.protobuf import InvalidProtobuf, fields, integer, text

MAX_WRITTEN = 100_000
MAX_WRITTEN_CHARACTERS = 64 * 1024 * 1024
"""Limits of the metadata remembered from remote write, in metrics and characters."""
MAX_A_REQUEST = 10_000
MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""Limits of the metadata read from one request; a Prometheus sends 2000 entries at a time."""
MAX_ENTRIES = 50_000
"""Maximum number of entries in one response about the metadata of targets."""
MAX_TEXT = 4096
"""Maximum length of a help text, in characters."""
UNKNOWN = "unknown"
_COMMENT = re.compile(
    r"#[ \t]+(TYPE|HELP)[ \t]+([A-Za-z_:][A-Za-z0-9_:]*)(?:[ \t]+(.*))?", re.ASCII | re.DOTALL
)
_ESCAPE = re.compile(r"\\([\\n])")
_TYPES = {
    "counter": "counter",
    "gauge": "gauge",
    "histogram": "histogram",
    "summary": "summary",
    "untyped": UNKNOWN,
}
_WRITTEN_TYPES = (
    UNKNOWN,
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
)
_TYPE, _FAMILY, _HELP, _UNIT = 1, 2, 4, 5


class Metadata(NamedTuple):
    """Metadata of one metric: its name without a histogram's suffixes, and Prometheus's name of its type."""

    family: str
    type: str
    help: str
    unit: str


# targets of the same kind have the same comments
@lru_cache(256)
def exposed_metadata(comments: tuple[str, ...]) -> tuple[Metadata, ...]:
    """Metadata from the comment lines of a page; of conflicting lines the last one wins."""
    types: dict[str, str] = {}
    helps: dict[str, str] = {}
    for comment in comments:
        match = _COMMENT.fullmatch(comment)
        if match is None:
            continue
        word, family, rest = match[1], match[2], match[3] or ""
        if word == "TYPE":
            types[family] = _TYPES.get(rest.strip(" \t"), UNKNOWN)
        else:
            helps[family] = _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else "\\", rest)[:MAX_TEXT]
    families = dict.fromkeys([*types, *helps])
    return tuple(
        Metadata(family, types.get(family, UNKNOWN), helps.get(family, ""), "") for family in families
    )


def written_metadata(request: npt.NDArray[np.uint8], spans: npt.NDArray[np.int64]) -> list[Metadata]:
    """Metadata of a remote write request; entries that do not decode or exceed the limits are dropped.

    :param spans: (n, 2), where each entry starts and ends in the request, -1 for one that is no message.
    """
    found: list[Metadata] = []
    left = MAX_REQUEST_BYTES
    for start, end in spans[spans[:, 0] >= 0].tolist():
        left -= end - start
        if left < 0:
            break
        try:
            found.append(_written(request[start:end].tobytes()))
        except InvalidProtobuf:
            continue
    return found


def _written(content: bytes) -> Metadata:
    kind, family, explained, unit = 0, "", "", ""
    for number, part in fields(content):
        if number == _TYPE:
            kind = integer(part)
        elif number == _FAMILY:
            family = text(part)
        elif number == _HELP:
            explained = text(part)
        elif number == _UNIT:
            unit = text(part)
    if not family:
        raise InvalidProtobuf("metadata of no metric")
    if len(family) > MAX_TEXT:
        raise InvalidProtobuf(f"metric name of {len(family)} characters, at most {MAX_TEXT}")
    name = _WRITTEN_TYPES[kind] if 0 <= kind < len(_WRITTEN_TYPES) else UNKNOWN
    return Metadata(family, name, explained[:MAX_TEXT], unit[:MAX_TEXT])


class WrittenMetadata:
    """The latest metadata of each metric from remote write, which repeats it every minute."""

    def __init__(self, most: int = MAX_WRITTEN, most_characters: int = MAX_WRITTEN_CHARACTERS) -> None:
        self._most = most
        self._left = most_characters
        self._by_family: OrderedDict[str, Metadata] = OrderedDict()

    def take(self, found: Iterable[Metadata]) -> None:
        """Store metadata; evicts the entries received longest ago if there are too many."""
        for each in found:
            if before := self._by_family.pop(each.family, None):
                self._left += sum(map(len, before))
            self._by_family[each.family] = each
            self._left -= sum(map(len, each))
        while len(self._by_family) > self._most or self._left < 0:
            self._left += sum(map(len, self._by_family.popitem(last=False)[1]))

    def all(self) -> Iterable[Metadata]:
        """All stored metadata."""
        return self._by_family.values()


def by_family(found: Iterable[Metadata], metric: str = "") -> dict[str, list[dict[str, str]]]:
    """Prometheus's JSON of metadata, of all metrics or of one."""
    content: dict[str, list[dict[str, str]]] = {}
    for each in sorted(found):
        if not metric or each.family == metric:
            content.setdefault(each.family, []).append(entry(each))
    return content


def by_target(
    targets: Iterable[tuple[dict[str, str], Iterable[Metadata]]], metric: str = "", most: int | None = None
) -> list[dict[str, object]] | None:
    """Prometheus's JSON of the metadata of targets, of all metrics or of one, which is then not named.

    :param most: the list ends with the target that reaches so many entries. :returns: None for more than may be sent.
    """
    content: list[dict[str, object]] = []
    for labels, found in targets:
        if most is not None and len(content) >= most:
            break
        if metric:
            content += [{"target": labels, **entry(each)} for each in found if each.family == metric]
        else:
            content += [{"target": labels, "metric": each.family, **entry(each)} for each in found]
        if len(content) > MAX_ENTRIES:
            return None
    return content


def entry(metadata: Metadata) -> dict[str, str]:
    """Prometheus's JSON of the metadata of one metric."""
    return {"type": metadata.type, "help": metadata.help, "unit": metadata.unit}
