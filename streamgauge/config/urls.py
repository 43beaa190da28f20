"""URLs of Alertmanagers."""

from urllib.parse import SplitResult, urlsplit


def check_url(url: str) -> SplitResult:
    """The parts of the URL of an Alertmanager's root.

    :raises ValueError: for what is none; what it says shows no password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected http://HOST:PORT, with a path if the server has a prefix")
    return parts
