"""Where compiled kernels are kept: a folder for each state of the source.

numba takes a kernel from its cache as long as the kernel's own file is the same, also when one that it calls in
another file has changed. So after an upgrade it would run a mixture of old and new.
"""

import os
import shutil
import time
from hashlib import sha256
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
KEPT_S = 30 * 86_400
_ROOT = Path(__file__).parents[1]


def folder(cache: Path) -> Path:
    """The folder for this source below a cache folder; those of others that nobody has used for a month are deleted."""
    source = sha256()
    for file in sorted([*_ROOT.glob("streamgauge/**/*.py"), *_ROOT.glob("schemas/*.py")]):
        text = file.read_bytes()
        if b"njit" in text:
            source.update(str(file).encode() + text)
    kernels = cache / "kernels"
    found = kernels / source.hexdigest()[:16]
    found.mkdir(parents=True, exist_ok=True)
    os.utime(found)
    for other in kernels.iterdir():
        if time.time() - other.stat().st_mtime > KEPT_S:
            shutil.rmtree(other, ignore_errors=True)
    return found


def use(cache: Path) -> None:
    """Let numba keep its kernels there, unless the environment names another folder; before it is imported."""
    os.environ.setdefault(VARIABLE, str(folder(cache)))
