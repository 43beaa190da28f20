import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.protobuf import InvalidProtobuf, field, fields, integer, message, text, varint

int64s = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(st.tuples(st.integers(1, 15), int64s | st.binary(max_size=300))))
def test_fields_are_read_as_they_were_written(parts):
    written = b"".join(
        field(number, content) if isinstance(content, bytes) else bytes([number << 3]) + varint(content)
        for number, content in parts
    )
    read = [
        (number, content if isinstance(content, bytes) else integer(content))
        for number, content in fields(written)
    ]
    assert read == parts


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    try:
        for number, content in fields(data):
            assert number > 0
            assert isinstance(content, int | bytes)
    except InvalidProtobuf:
        pass


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x0a", "no number at offset 1 of 1"),
        (b"\x0a\x05abc", "field at offset 0 ends after the message of 5 bytes"),
        (b"\x09\x01", "field at offset 0 ends after"),
        (b"\x0b\x0c", "no field at offset 0"),
        (b"\x00\x01", "no field at offset 0"),
        (b"\x08" + b"\xff" * 11, "no number at offset 1"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "no number at offset 1"),
    ],
)
def test_a_fault_names_its_place(data, fault):
    with pytest.raises(InvalidProtobuf, match=fault):
        list(fields(data))


@pytest.mark.parametrize(("read", "content"), [(integer, b"1"), (message, 1), (text, 1), (text, b"\xff")])
def test_a_field_of_another_kind_is_refused(read, content):
    with pytest.raises(InvalidProtobuf):
        read(content)


def test_fixed_width_fields_come_as_bytes():
    assert list(fields(b"\x09" + b"\x01" * 8 + b"\x15" + b"\x02" * 4)) == [(1, b"\x01" * 8), (2, b"\x02" * 4)]
