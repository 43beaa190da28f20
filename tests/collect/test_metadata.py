"""What collectors know of metrics: from pages and from remote write."""

import pytest

from schemas.protobuf import varint
from streamgauge.collect.incoming.metadata import (
    MAX_A_REQUEST,
    MAX_TEXT,
    Metadata,
    WrittenMetadata,
    by_family,
    by_target,
    exposed_metadata,
)
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.receive import remote_write
from streamgauge.collect.scraping.target_series import TargetSeries
from streamgauge.collect.scraping.targets import Target
from tests.collect.test_remote_write import NAMED, SAMPLE, field, table

T = 1_800_000_000_000
PAGE = rb"""# HELP requests_total Requests\nby \\path.
# TYPE requests_total counter
requests_total 1
# TYPE room gauge
# UNIT room celsius
# just a remark
#TYPE not one
# HELP bare
# HELP	tabs	set   wide
# TYPE odd nonsense
# TYPE old untyped
odd 1
"""


def scraped(page, series=None):
    series = series or TargetSeries(
        Target(
            job="node",
            url="http://h:1/metrics",
            interval=1000,
            timeout=1000,
            labels={},
            external={},
            honor_labels=False,
            honor_timestamps=True,
        )
    )
    series.scraped(page, SeriesTable(4, 1000), T, 0.5)
    return series


def test_a_page_says_type_and_help():
    assert scraped(PAGE).metadata == (
        Metadata("requests_total", "counter", "Requests\nby \\path.", ""),
        Metadata("room", "gauge", "", ""),
        Metadata("odd", "unknown", "", ""),
        Metadata("old", "unknown", "", ""),
        Metadata("bare", "unknown", "", ""),
        Metadata("tabs", "unknown", "set   wide", ""),
    )


def test_the_last_good_page_counts():
    series = scraped(b"# TYPE a counter\na 1\n")
    with pytest.raises(ValueError, match="bad_line"):
        scraped(b"# TYPE a gauge\na\n", series)
    assert series.metadata == (Metadata("a", "counter", "", ""),)
    assert scraped(b"a 2\n", series).metadata == ()


def test_targets_of_one_kind_share_what_they_say():
    assert scraped(PAGE).metadata is scraped(PAGE).metadata


def test_a_help_is_not_kept_whatever_its_length():
    [found] = exposed_metadata(("# HELP a " + "x" * 10_000,))
    assert len(found.help) == MAX_TEXT


def metadata(kind=None, family=b"a_total", explained=b"", unit=b""):
    parts = b"" if kind is None else b"\x08" + varint(kind)
    return field(3, parts + field(2, family) + field(4, explained) + field(5, unit))


def test_remote_write_brings_metadata_beside_samples():
    request = (
        metadata(1, b"a_total", b"how many", b"bytes")
        + field(1, NAMED + SAMPLE)
        + metadata(5, b"b")
        + metadata(None, b"c")
        + metadata(99, b"d")
    )
    written = remote_write.decode(request, table())
    assert written.metadata == [
        Metadata("a_total", "counter", "how many", "bytes"),
        Metadata("b", "summary", "", ""),
        Metadata("c", "unknown", "", ""),
        Metadata("d", "unknown", "", ""),
    ]
    assert (len(written.rows.values), written.invalid_metadata) == (1, 0)


@pytest.mark.parametrize(
    "faulty", [field(3, b"\xff"), metadata(1, b""), metadata(1, b"\xff"), field(3, b"\x10\x01"), b"\x18\x05"]
)
def test_metadata_that_does_not_decode_is_counted_and_holds_up_nothing(faulty):
    written = remote_write.decode(faulty + field(1, NAMED + SAMPLE) + metadata(1, b"b"), table())
    assert written.metadata == [Metadata("b", "counter", "", "")]
    assert (len(written.rows.values), written.invalid_metadata) == (1, 1)


def test_what_was_written_last_is_kept_and_the_oldest_forgotten():
    known = WrittenMetadata(most=2)
    first, second, third = (Metadata(family, "gauge", "", "") for family in "abc")
    known.take([first, second, first._replace(help="new"), third])
    assert list(known.all()) == [first._replace(help="new"), third]


def test_what_is_known_is_bounded_in_characters():
    known = WrittenMetadata(most_characters=30)
    first, second = (Metadata(family, "gauge", "x" * 10, "") for family in "ab")
    known.take([first, first, second])
    assert list(known.all()) == [second]


@pytest.mark.parametrize(
    ("entries", "taken"),
    [
        ([metadata(1, b"a")] * (MAX_A_REQUEST + 1), MAX_A_REQUEST),
        ([metadata(1, b"a", b"x" * 1_000_000)] * 3, 2),
        ([metadata(1, b"a" * (MAX_TEXT + 1)), metadata(1, b"b")], 1),
    ],
    ids=["entries", "bytes", "the name's length"],
)
def test_what_is_more_than_may_be_said_at_once_is_counted(entries, taken):
    written = remote_write.decode(b"".join(entries), table())
    assert (len(written.metadata), written.invalid_metadata) == (taken, len(entries) - taken)


def test_the_json_is_that_of_prometheus():
    found = {
        Metadata("b", "gauge", "x", ""),
        Metadata("a", "counter", "", "s"),
        Metadata("b", "gauge", "y", ""),
    }
    assert by_family(found) == {
        "a": [{"type": "counter", "help": "", "unit": "s"}],
        "b": [{"type": "gauge", "help": "x", "unit": ""}, {"type": "gauge", "help": "y", "unit": ""}],
    }
    assert list(by_family(found, "a")) == ["a"]


def test_the_metadata_of_targets_ends_with_the_one_that_reaches_the_limit(monkeypatch):
    def of(*families):
        return [Metadata(family, "gauge", "", "") for family in families]

    targets = [({"instance": "a"}, of("up", "x")), ({"instance": "b"}, of("up"))]
    everything = by_target(targets)
    assert [(each["target"]["instance"], each["metric"]) for each in everything] == [
        ("a", "up"),
        ("a", "x"),
        ("b", "up"),
    ]
    assert everything[0] == {
        "target": {"instance": "a"},
        "metric": "up",
        "type": "gauge",
        "help": "",
        "unit": "",
    }
    assert by_target(targets, most=0) == []
    assert by_target(targets, most=1) == everything[:2] == by_target(targets, most=2)
    assert by_target(targets, most=3) == everything
    assert by_target(targets, "up") == [
        {"target": {"instance": name}, "type": "gauge", "help": "", "unit": ""} for name in "ab"
    ]
    monkeypatch.setattr("streamgauge.collect.incoming.metadata.MAX_ENTRIES", 2)
    assert by_target(targets) is None
    assert by_target(targets, most=2) == everything[:2]
