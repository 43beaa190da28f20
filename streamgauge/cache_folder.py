"""The user's cache folder."""

import os
from pathlib import Path


def cache() -> Path:
    """Return the user's cache folder, for files that can be fetched or compiled again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamgauge"
