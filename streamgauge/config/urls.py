"""URLs of other servers."""

from urllib.parse import SplitResult, urlsplit


def check_url(url: str) -> SplitResult:
    """Split the URL of a server's root.

    :raises ValueError: for anything else; the message shows no password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            "expected http(s)://HOST:PORT without a query, with a path if the server has a prefix"
        )
    return parts
