"""Label sets and their canonical bytes.

Canonical bytes: names and values in turn, sorted by name (as UTF-8 bytes), separated by 0xFF, a byte
that UTF-8 never uses. An empty value means that the label is absent, as in Prometheus.
"""

from collections.abc import Mapping
from enum import StrEnum

NAME = "__name__"
SEPARATOR = b"\xff"
_NAME_PREFIX = NAME.encode() + SEPARATOR


class LabelsFault(StrEnum):
    """Why a label set was refused."""

    NO_NAME = "no_metric_name"
    EMPTY_LABEL_NAME = "empty_label_name"
    DUPLICATE = "duplicate_label"
    NOT_UTF8 = "labels_not_utf8"
    MALFORMED = "labels_malformed"
    UNSORTED = "labels_unsorted"
    METRIC_NAME_TOO_LONG = "metric_name_too_long"
    LABEL_NAME_TOO_LONG = "label_name_too_long"
    LABEL_VALUE_TOO_LONG = "label_value_too_long"
    LABELS_TOO_LONG = "labels_too_long"
    TOO_MANY_LABELS = "too_many_labels"


class InvalidLabels(ValueError):
    """A label set that cannot be a series.

    :param reason: the kind of fault, for counters.
    :param detail: the offending label or bytes, for people.
    """

    def __init__(self, reason: LabelsFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def canonical(labels: Mapping[str, str]) -> bytes:
    """Encode a label set that contains `__name__`.

    :raises InvalidLabels: without a metric name, with an empty label name or text that is not UTF-8.
    """
    try:
        pairs = sorted((name.encode(), value.encode()) for name, value in labels.items() if value)
    except UnicodeEncodeError as error:
        raise InvalidLabels(LabelsFault.NOT_UTF8, repr(error.object)[:200]) from None
    return canonical_pairs(pairs)


def canonical_pairs(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Encode (name, value) pairs of UTF-8 bytes that are sorted by name.

    :raises InvalidLabels: as `canonical`, and for a name that is given twice or out of order.
    """
    previous = b""
    named = False
    for name, value in pairs:
        if not name:
            raise InvalidLabels(LabelsFault.EMPTY_LABEL_NAME, repr(value)[:200])
        if name <= previous:
            fault = LabelsFault.DUPLICATE if name == previous else LabelsFault.UNSORTED
            raise InvalidLabels(fault, repr(name)[:200])
        if SEPARATOR in name or SEPARATOR in value:
            raise InvalidLabels(LabelsFault.NOT_UTF8, repr(name)[:200])
        named = named or name == b"__name__"
        previous = name
    if not named:
        raise InvalidLabels(LabelsFault.NO_NAME, repr(pairs)[:200])
    return SEPARATOR.join(part for pair in pairs for part in pair)


def parse(data: bytes) -> dict[str, str]:
    """Decode canonical bytes to a dict in canonical order.

    :raises InvalidLabels: where `data` is not what `canonical` writes.
    """
    parts = data.split(SEPARATOR)
    if len(parts) % 2:
        raise InvalidLabels(LabelsFault.MALFORMED, repr(data)[:200])
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    canonical_pairs(pairs)
    if not all(value for _, value in pairs):
        raise InvalidLabels(LabelsFault.MALFORMED, repr(data)[:200])
    try:
        return {name.decode(): value.decode() for name, value in pairs}
    except UnicodeDecodeError:
        raise InvalidLabels(LabelsFault.NOT_UTF8, repr(data)[:200]) from None


def split_name(data: bytes) -> tuple[bytes, bytes]:
    """Split canonical bytes into the metric name and the canonical bytes of the other labels."""
    if data.startswith(_NAME_PREFIX):
        start = 0
    else:
        # a label such as `A` or `Zone` sorts before `__name__`
        start = data.index(SEPARATOR + _NAME_PREFIX) + 1
        while data.count(SEPARATOR, 0, start) % 2:
            # that was a value spelled __name__
            start = data.index(SEPARATOR + _NAME_PREFIX, start) + 1
    value_at = start + len(_NAME_PREFIX)
    end = data.find(SEPARATOR, value_at)
    if end < 0:
        return data[value_at:], data[: max(start - 1, 0)]
    return data[value_at:end], data[:start] + data[end + 1 :]
