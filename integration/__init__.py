"""Tests against the real stack, which shares its compiled kernels with them."""

from streamgauge import kernel_cache
from streamgauge.local.home import cache

kernel_cache.use(cache())
