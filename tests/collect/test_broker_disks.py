"""Kafka's answer about its disks."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.collect.producing.broker_disks import Disk, read_answer


def text(content):
    return bytes([len(content) + 1]) + content.encode()


def answer(*disks, error=0, disk_error=0, partitions=1):
    """As a broker of version 4 of the call writes it, behind the header."""
    places = [struct.pack(">iqq?", number, 5, 6, False) + b"\0" for number in range(partitions)]
    topic = text("metrics.raw") + bytes([partitions + 1]) + b"".join(places) + b"\0"
    results = [
        struct.pack(">h", disk_error)
        + text(folder)
        + b"\2"
        + topic
        + struct.pack(">qq", total, usable)
        + b"\0"
        for folder, total, usable in disks
    ]
    head = struct.pack(">ih", 0, error)
    return head + bytes([len(disks) + 1]) + b"".join(results) + b"\0"


def test_disks_are_read_whatever_lies_on_them():
    found = read_answer(answer(("/a", 1000, 250), ("/b", 10, 10), partitions=100))
    assert found == [Disk("/a", 1000, 250), Disk("/b", 10, 10)]
    assert [disk.used_pct for disk in found] == [75, 0]


def test_a_disk_of_unknown_size_is_left_out():
    assert read_answer(answer(("/a", -1, -1))) == []


@pytest.mark.parametrize("fault", [{"error": 31}, {"disk_error": 56}])
def test_an_answer_with_an_error_is_refused(fault):
    with pytest.raises(ValueError, match=r"\d"):
        read_answer(answer(("/a", 1, 1), **fault))


@given(st.integers(0, 200), st.binary(max_size=40))
def test_whatever_comes_is_read_or_refused(cut, more):
    data = answer(("/a", 1000, 250))
    for damaged in (data[:cut] + more, more):
        try:
            assert all(isinstance(disk, Disk) for disk in read_answer(damaged))
        except ValueError:
            continue
