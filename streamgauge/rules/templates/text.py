"""Functions of templates that change or look at text."""

import re
from functools import partial
from ipaddress import ip_address
from typing import Any

from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.series.regexes import InvalidRegex, compiled

_WORD = re.compile(r"\w+(?:['\u2019.:]\w+)*")
_LETTER = re.compile(r"[^\W\d_]")
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)
_MAX_DIGITS = 9
_HTML = {
    "\0": "\N{REPLACEMENT CHARACTER}",
    '"': "&#34;",
    "'": "&#39;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}
_JS = {
    "\\": r"\\",
    "'": r"\'",
    '"': r"\"",
    **{character: f"\\u{ord(character):04X}" for character in "<>&="},
}


def _compiled(pattern: str) -> Any:
    try:
        return compiled(pattern, dot_nl=False)
    except InvalidRegex as error:
        raise FunctionFault(f"error parsing regexp: {error}") from None


def matches(pattern: str, text: str) -> bool:
    """Whether a regex matches anywhere in the text.

    :raises FunctionFault: for a regex that RE2 refuses.
    """
    return _compiled(pattern).search(text) is not None


def replaced(pattern: str, replacement: str, text: str) -> str:
    """The text with every match replaced; `$1` and `${name}` stand for groups.

    :raises FunctionFault: for a regex that RE2 refuses.
    """
    parts: list[str] = []
    end = -1
    for found in _compiled(pattern).finditer(text):
        if found.end() == found.start() == end:
            # Go leaves out an empty match right after another one
            continue
        parts.append(text[max(end, 0) : found.start()])
        parts.append(_REFERENCE.sub(partial(_group, found), replacement))
        end = found.end()
    return "".join(parts) + text[max(end, 0) :]


def _group(found: Any, reference: re.Match[str]) -> str:
    dollar, *names = reference.groups()
    if dollar:
        return "$"
    name = names[0] or names[1]
    try:
        # Python refuses to convert thousands of digits, which are no group anyway
        return found.group(int(name.lstrip("0")[:_MAX_DIGITS] or 0) if name.isdigit() else name) or ""
    except (IndexError, KeyError):
        return ""


def title(text: str) -> str:
    """The text with the first letter of each word in upper case."""
    return _WORD.sub(lambda word: _LETTER.sub(lambda letter: letter[0].title(), word[0], count=1), text)


def html_escaped(text: str) -> str:
    """The text as it may stand in HTML."""
    return "".join(_HTML.get(character, character) for character in text)


def js_escaped(text: str) -> str:
    """The text as it may stand in a string of JavaScript."""
    return "".join(_JS.get(one) or (one if one.isprintable() else f"\\u{ord(one):04X}") for one in text)


def without_port(address: str) -> str:
    """The host of host:port, or what was given if it is not such."""
    parts = _split(address)
    return address if parts is None else parts[0]


def without_domain(address: str) -> str:
    """A host name without its domain, the port kept; an address as it is."""
    host, port = _split(address) or (address, "")
    try:
        ip_address(host)
    except ValueError:
        name = host.split(".")[0]
    else:
        return address
    if not port:
        return name
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _split(address: str) -> tuple[str, str] | None:
    """Host and port as Go's net.SplitHostPort splits them."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return None
    if host.startswith("["):
        if not host.endswith("]"):
            return None
        host = host[1:-1]
    elif ":" in host:
        return None
    return None if any(bracket in part for bracket in "[]" for part in (host, port)) else (host, port)


def upper(text: str) -> str:
    """Every character in upper case, as Go has it: each by itself, and one for one."""
    return "".join(map(_upper, text))


def lower(text: str) -> str:
    """Every character in lower case, as Go has it: each by itself, and one for one."""
    return "".join(character.lower()[:1] for character in text)


def _upper(character: str) -> str:
    # of the letters that become several some have a title case of one
    return next((each for each in (character.upper(), character.title()) if len(each) == 1), character)
