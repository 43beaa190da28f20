"""Texts that are cut to a number of bytes."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.cut_texts import cut, cut_all

anything = st.text(st.characters(), max_size=200) | st.text("\ud800aü\0", max_size=200)


def size(text):
    return len(text.encode())


@given(anything, st.integers(64, 300))
def test_a_text_takes_so_many_bytes_at_most_and_is_whole_or_says_that_it_is_not(text, most):
    found = cut(text, most)
    assert size(found) <= most
    whole = text.encode(errors="replace").decode()
    if size(whole) <= most:
        assert found == whole
    else:
        start, _, mark = found.rpartition("... ")
        assert mark == f"[cut: {size(whole)} bytes]"
        assert whole.startswith(start)


@given(st.dictionaries(anything, anything, max_size=8), st.integers(64, 2000))
def test_texts_take_so_many_bytes_together_and_who_is_short_stays_whole(texts, most):
    found = cut_all(texts, most)
    assert sum(size(name) + size(text) for name, text in found.items()) <= most
    share = most // max(1, len(texts))
    for name, text in texts.items():
        if len((name + text).encode(errors="replace")) <= share:
            assert found[name.encode(errors="replace").decode()] == text.encode(errors="replace").decode()


def test_what_has_room_is_shared_by_the_long_ones():
    found = cut_all({"a": "x" * 10, "b": "y" * 1000, "c": "z" * 5000}, 1213)
    assert {name: size(text) for name, text in found.items()} == {"a": 10, "b": 600, "c": 600}
    assert found["c"].endswith("... [cut: 5000 bytes]")
    assert list(found) == ["a", "b", "c"]
