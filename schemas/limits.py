"""What labels, series, batches, messages and rows may be at most: the one place that says so.

Every way in, whether remote write, push, a scraped page or a rule, checks new series with `check`. The limits are far
below what Cassandra takes as a key, and those of a batch below what a message may be, so whatever was accepted fits
everywhere. What older collectors wrote to Kafka may exceed them: the jobs hold it against `unindexable` only.
"""

from streamgauge.series.labels import NAME, SEPARATOR, InvalidLabels, LabelsFault

MAX_METRIC_NAME_BYTES = 1024
MAX_LABEL_NAME_BYTES = 1024
MAX_LABEL_VALUE_BYTES = 8 * 1024
MAX_LABELS = 128
"""Labels of a series, its name among them."""
MAX_LABELS_BYTES = 16 * 1024
"""Canonical bytes of a series."""

MAX_BATCH_SERIES = 1000
MAX_BATCH_BYTES = 2 * 1024 * 1024
"""Content of a batch before compression. A series' minute has 60,000 timestamps at most, so that one alone fits."""
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Of any topic, and so of any producer: incompressible content, its framing and headers are far below."""
MAX_REJECTED_BYTES = 900_000
"""Of what was set aside: longer payloads are cut, and say so."""

MAX_KEY_BYTES = 65_535
"""Of a partition key or clustering value of Cassandra; of several columns, with what separates them."""
MAX_INDEX_LABEL_BYTES = MAX_KEY_BYTES - 64
"""A label's name, separator and value, which are in a key of the index beside lane and period."""

MAX_ROW_BYTES = 4 * 1024 * 1024
"""The most that the blobs of a row of a block table may have: a quarter of the 16 MiB that Cassandra takes as one
mutation, which is half a segment of its commit log. What is larger is cut."""
MAX_ROW_SERIES = 1 << 16
"""The most series of such a row."""
MAX_INDEX_WRITE_BYTES = 1024 * 1024
"""The most of one write to the series index: a batch of rows, if of more than one, or the ids of a label."""
MAX_UNPACKED_BATCH_BYTES = 16 * 1024 * 1024
"""The most that a batch of `metrics.raw` may have unpacked: eight times what producers put into one, four times what
a message may have packed."""
MAX_ANNOTATIONS_BYTES = 64 * 1024
"""Names and values of an alert's annotations; longer values are cut, and say so."""
MAX_ERROR_BYTES = 4 * 1024
"""Of the words of one rule's error."""
MAX_ERRORS_BYTES = 256 * 1024
"""Of the errors of all rules of a group."""
MAX_URL_BYTES = 16 * 1024
"""Of the URL at which a rule's expression is shown."""

_NAME = NAME.encode()
_SURELY_FITS = min(MAX_METRIC_NAME_BYTES, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS_BYTES)


class ExceededLimit(InvalidLabels):
    """A label set that is too large to be a series; `detail` says it as Prometheus does."""


def check(data: bytes) -> None:
    """Check the canonical labels of a series that is new.

    :raises ExceededLimit: naming the metric, the label and the limit.
    """
    separators = data.count(SEPARATOR)
    if len(data) <= _SURELY_FITS and separators < 2 * MAX_LABELS:
        return
    parts = data.split(SEPARATOR)
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    metric = next(value for name, value in pairs if name == _NAME)
    about = f"metric: {_cut(metric)}"
    if len(metric) > MAX_METRIC_NAME_BYTES:
        raise ExceededLimit(
            LabelsFault.METRIC_NAME_TOO_LONG,
            f"metric_name_length_limit exceeded ({about}, length: {len(metric)}, limit: {MAX_METRIC_NAME_BYTES})",
        )
    if len(pairs) > MAX_LABELS:
        raise ExceededLimit(
            LabelsFault.TOO_MANY_LABELS,
            f"label_limit exceeded ({about}, number of labels: {len(pairs)}, limit: {MAX_LABELS})",
        )
    for name, value in pairs:
        if len(name) > MAX_LABEL_NAME_BYTES:
            raise ExceededLimit(
                LabelsFault.LABEL_NAME_TOO_LONG,
                f"label_name_length_limit exceeded ({about}, label name: {_cut(name)}, length: {len(name)}, "
                f"limit: {MAX_LABEL_NAME_BYTES})",
            )
        if len(value) > MAX_LABEL_VALUE_BYTES:
            raise ExceededLimit(
                LabelsFault.LABEL_VALUE_TOO_LONG,
                f"label_value_length_limit exceeded ({about}, label name: {_cut(name)}, value: {_cut(value)!r}, "
                f"length: {len(value)}, limit: {MAX_LABEL_VALUE_BYTES})",
            )
    if len(data) > MAX_LABELS_BYTES:
        raise ExceededLimit(
            LabelsFault.LABELS_TOO_LONG,
            f"labels_length_limit exceeded ({about}, length: {len(data)}, limit: {MAX_LABELS_BYTES})",
        )


def unindexable(data: bytes) -> str:
    """What keeps a series with these canonical labels out of the index, in words, or nothing."""
    if len(data) > MAX_INDEX_LABEL_BYTES:
        parts = data.split(SEPARATOR)
        for name, value in zip(parts[::2], parts[1::2], strict=True):
            size = len(name) + 1 + len(value)
            if size > MAX_INDEX_LABEL_BYTES:
                return f"label {_cut(name)} takes {size} bytes, the index at most {MAX_INDEX_LABEL_BYTES}"
    return ""


def _cut(text: bytes) -> str:
    return text[:50].decode(errors="replace")
