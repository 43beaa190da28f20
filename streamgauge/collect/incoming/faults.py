"""Reasons for refusing requests, samples and scrapes; they label counters and responses."""

from enum import StrEnum


class RequestFault(StrEnum):
    """Reason for which a whole request was refused; none of it was written."""

    NOT_SNAPPY = "not_snappy"
    NOT_PROTOBUF = "not_protobuf"
    NOT_JSON = "not_json"
    NOT_A_SAMPLE = "not_a_sample"
    NO_NAME = "no_metric_name"
    EMPTY_LABEL_NAME = "empty_label_name"
    DUPLICATE_LABEL = "duplicate_label"
    UNSORTED_LABELS = "labels_unsorted"
    NOT_UTF8 = "labels_not_utf8"
    TOO_LARGE = "too_large"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNSUPPORTED_TYPE = "unsupported_content_type"
    UNSUPPORTED_ENCODING = "unsupported_content_encoding"
    FOREIGN_ORIGIN = "foreign_origin"


class SampleFault(StrEnum):
    """Reason for which single samples of an accepted request were refused."""

    FUTURE = "too_far_in_future"
    BEFORE_EPOCH = "before_epoch"
    TOO_OLD = "too_old"
    METRIC_NAME_TOO_LONG = "metric_name_too_long"
    LABEL_NAME_TOO_LONG = "label_name_too_long"
    LABEL_VALUE_TOO_LONG = "label_value_too_long"
    LABELS_TOO_LONG = "labels_too_long"
    TOO_MANY_LABELS = "too_many_labels"
    SCATTERED = "too_many_minutes"
    HISTOGRAM = "native_histogram"
    EXEMPLAR = "exemplar"
    UNDELIVERED = "undelivered"


class Outage(StrEnum):
    """Reason for which no samples can be accepted now."""

    NOT_READY = "kafka_not_reached"
    BAD_PARTITIONS = "partitions_do_not_divide_lanes"
    QUEUE_FULL = "queue_full"
    NOT_DELIVERED = "not_delivered"
    TOO_SLOW = "too_slow"
    """It was waited for as long as may be."""
    STOPPING = "stopping"


class InvalidRequest(ValueError):
    """An invalid request.

    :param reason: the kind of fault, for counters.
    :param detail: where and what, for people.
    """

    def __init__(self, reason: RequestFault, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class Unavailable(Exception):
    """Samples that Kafka has not acknowledged: the sender must try again.

    :param reason: the kind of outage, for counters.
    """

    def __init__(self, reason: Outage, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
