"""Kernel that cuts runs of samples at minute boundaries."""

from schemas.units import MINUTE_MS
from streamgauge.compiled import njit
from streamgauge.series.sized import Counts, sized


@sized(
    counts=Counts("given", total="samples"),
    timestamps="samples",
    runs="samples",
    sizes="samples",
    minutes="samples",
)
@njit(cache=True, nogil=True)
def split_minutes(counts, timestamps, runs, sizes, minutes):  # type: ignore[no-untyped-def]
    """Cut each run where the UTC minute changes.

    Written, as long as `timestamps`: runs (which run a piece is of), sizes (samples), minutes (ms). Returns
    the number of pieces. The sum of `counts` is the length of `timestamps`.
    """
    pieces, at = 0, 0
    for run in range(len(counts)):
        start = pieces
        for _ in range(counts[run]):
            minute = timestamps[at] - timestamps[at] % MINUTE_MS
            if pieces == start or minutes[pieces - 1] != minute:
                runs[pieces] = run
                sizes[pieces] = 0
                minutes[pieces] = minute
                pieces += 1
            sizes[pieces - 1] += 1
            at += 1
    return pieces
