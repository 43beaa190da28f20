"""Write timestamps that do not depend on synchronized clocks.

Of two writes Cassandra keeps the one with the later time, and each host gives its own. So whoever may write over a
row first reads when that was written, and writes later. Write times stay near the clock, for time-window compaction
sorts by them.
"""

import secrets
import time

SPREAD_US = 1000
"""Two writers that are both behind and have read the same would else write at one time, and the row be of both."""


def after(newest_us: int | None) -> int:
    """Now, or if the clock is behind a moment after the newest write that is written over (µs of the epoch)."""
    now = time.time_ns() // 1000
    if newest_us is None or newest_us < now:
        return now
    return newest_us + 1 + secrets.randbelow(SPREAD_US)
