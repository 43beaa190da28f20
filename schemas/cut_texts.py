"""Texts that are cut to a number of bytes, with a mark that says so."""

from collections.abc import Mapping

_ROOM = 64
"""For a mark, and a little of the text."""


def cut(text: str, most: int) -> str:
    """Cut what is longer than so many bytes of UTF-8; what cannot be UTF-8 becomes question marks.

    :param most: at least 64, for the mark is among them.
    """
    if len(text) <= most and text.isascii():
        return text
    data = _utf8(text)
    if len(data) <= most:
        return data.decode()
    mark = f"... [cut: {len(data)} bytes]"
    return data[: most - len(mark)].decode(errors="ignore") + mark


def cut_all(texts: Mapping[str, str], most: int) -> dict[str, str]:
    """Cut the longest texts, so that all with their names are at most so many bytes; short ones stay whole.

    What has no room for a mark beside its name is left out.
    """
    whole = "".join((*texts, *texts.values()))
    if len(whole) <= most and whole.isascii():
        return dict(texts)
    names = {name: _utf8(name) for name in texts}
    sizes = {name: len(names[name]) + len(_utf8(text)) for name, text in texts.items()}
    found: dict[str, str] = {}
    left = most
    for at, name in enumerate(sorted(sizes, key=lambda name: (sizes[name], name))):
        room = min(left // (len(sizes) - at), sizes[name]) - len(names[name])
        if room >= min(_ROOM, sizes[name] - len(names[name])):
            found[name] = cut(texts[name], max(room, _ROOM))
            left -= min(sizes[name], len(names[name]) + room)
    return {names[name].decode(): found[name] for name in texts if name in found}


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
