"""Identity of a build: its source and the packages it computes with."""

import platform
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMPUTES_WITH = ("numpy", "numba", "llvmlite", "pyarrow", "google-re2")
"""Packages of which another version may give another result, or the same in other bits."""


def fingerprint(root: Path) -> str:
    """16 hex digits of all Python source of the packages `schemas`, `sinks` and `streamgauge` below a folder."""
    source = sha256()
    for package in ("schemas", "sinks", "streamgauge"):
        for file in sorted((root / package).rglob("*.py")):
            text = file.read_bytes()
            source.update(f"{file.relative_to(root)} {len(text)}\n".encode() + text)
    return source.hexdigest()[:16]


@cache
def identity() -> str:
    """This build, as it was when it was first asked for: the same on every machine that runs the same."""
    packages = " ".join(f"{name}={version(name)}" for name in COMPUTES_WITH)
    return f"{fingerprint(ROOT)} python={platform.python_version()} {platform.machine()} {packages}"
