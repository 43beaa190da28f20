"""The user's cache folder."""

import os
from pathlib import Path


def cache() -> Path:
    """The folder for what can be fetched or compiled again, shared by all that runs of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamgauge"
