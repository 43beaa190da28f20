"""Where compiled kernels are kept: a folder for each state of the source, and for how it is compiled.

numba takes a kernel from its cache as long as the kernel's own file is the same, also when one that it calls in
another file has changed, and whether or not it was compiled with the bounds checks that are asked for now. So after an
upgrade it would run a mixture of old and new.
"""

import contextlib
import os
import shutil
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from streamgauge.cache_folder import cache

VARIABLE = "NUMBA_CACHE_DIR"
HOW = ("NUMBA_BOUNDSCHECK", "NUMBA_OPT")
"""What of numba's settings changes the compiled form of a kernel, of those that we use."""
KEPT_S = 30 * 86_400
_ROOT = Path(__file__).parents[1]


def folder(cache: Path) -> Path:
    """The folder for this source below a cache folder; those of others that nobody has used for a month are deleted.

    :raises OSError: if it is not there and cannot be made.
    """
    source = sha256(repr([os.environ.get(name) for name in HOW]).encode())
    for file in sorted([*_ROOT.glob("streamgauge/**/*.py"), *_ROOT.glob("schemas/**/*.py")]):
        text = file.read_bytes()
        if b"njit" in text:
            source.update(str(file).encode() + text)
    kernels = cache / "kernels"
    found = kernels / source.hexdigest()[:16]
    found.mkdir(parents=True, exist_ok=True)
    # another user may have made it
    with contextlib.suppress(OSError):
        os.utime(found)
        for other in kernels.iterdir():
            if time.time() - other.stat().st_mtime > KEPT_S:
                shutil.rmtree(other, ignore_errors=True)
    return found


def chosen() -> Path:
    """The folder that the environment names, or the one in the user's cache; where that cannot be, one of its own."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    with contextlib.suppress(OSError):
        found = folder(cache())
        if os.access(found, os.W_OK):
            return found
    return Path(tempfile.mkdtemp(prefix="streamgauge-kernels-"))
