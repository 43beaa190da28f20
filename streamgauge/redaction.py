"""Hides passwords in configuration, errors and logs."""

import re
from typing import Any

HIDDEN = "<secret>"
"""Replacement of a password, as in Prometheus."""
_IN_URL = re.compile(r"(?<=://)([^\s/?#\"'<>:]*):[^\s/?#]*(?=@)")
"""User and password of any URL in a text; as everywhere, what comes after the last @ is the host."""
_IN_QUERY = re.compile(r"(?<=[?&]password=)[^\s&#\"'<>]+")
"""Where redis takes a password too."""
_KEYS = re.compile(r"(?:.*_)?(?:password|secret|token)")
"""The keys of the configuration whose values are secrets themselves."""


def redacted(text: str) -> str:
    """A text with the passwords of all URLs in it hidden."""
    return _IN_QUERY.sub(HIDDEN, _IN_URL.sub(rf"\1:{HIDDEN}", text))


def without_secrets(content: Any) -> Any:
    """Configuration, or a part of it, with every password hidden, whatever its key."""
    if isinstance(content, dict):
        return {
            key: HIDDEN
            if value and isinstance(value, str) and _KEYS.fullmatch(str(key))
            else without_secrets(value)
            for key, value in content.items()
        }
    if isinstance(content, list | tuple):
        return [without_secrets(each) for each in content]
    return redacted(content) if isinstance(content, str) else content
