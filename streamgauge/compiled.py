"""numba's `njit`, to be taken from here: whatever process compiles a kernel, it keeps it in the one place for them."""

import numba
from numba import njit

from streamgauge import kernel_cache

# before any kernel is declared; numba may have been imported before by somebody else
numba.config.CACHE_DIR = str(kernel_cache.chosen())  # type: ignore[attr-defined]

__all__ = ["njit"]
