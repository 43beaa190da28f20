"""Samples and columns such as exporters have them, and such as nobody has them."""

import numpy as np
from hypothesis import strategies as st

from streamgauge.series.samples import STALE_BITS, Samples

START = 1_763_892_000_000
WIDTH = 60_000


def bits_of(number):
    return int(np.array([number], np.float64).view(np.uint64)[0])


INTEGERS = st.integers(-(2**54), 2**54) | st.integers(-300, 300)
DECIMALS = st.builds(lambda mantissa, exponent: mantissa / 10**exponent, INTEGERS, st.integers(0, 22))
ODD = st.sampled_from(
    [STALE_BITS, *map(bits_of, (-0.0, 0.0, np.inf, -np.inf, np.nan, 5e-324, 2.0**53, 1e22))]
)
BITS = (
    DECIMALS.map(bits_of)
    | ODD
    | st.integers(0, 2**64 - 1)
    | st.floats(width=32).map(bits_of)
    | INTEGERS.map(bits_of)
)


@st.composite
def _values(draw, count):
    """The bits of the values of one series."""
    shape = draw(st.sampled_from(["constant", "counter", "gauge", "bits", "odd"]))
    if shape == "constant":
        bits = [draw(BITS)] * count
    elif shape in ("counter", "gauge"):
        scale = 10 ** draw(st.integers(0, 6))
        steps = draw(
            st.lists(st.integers(0 if shape == "counter" else -900, 900), min_size=count, max_size=count)
        )
        bits = [bits_of(mantissa / scale) for mantissa in draw(INTEGERS) // 2 + np.cumsum(steps)]
    else:
        bits = draw(st.lists(BITS if shape == "bits" else ODD, min_size=count, max_size=count))
    if draw(st.booleans()):
        bits[-1] = STALE_BITS
    return bits


TIMES = st.sets(st.integers(0, WIDTH - 1), min_size=1, max_size=12).map(sorted)


@st.composite
def rows(draw, min_size=0, max_size=6):
    """One list of (ms after the start, bits) a series; some share their times."""
    scrapes = draw(st.lists(TIMES, min_size=1, max_size=3))
    series = draw(st.lists(st.sampled_from(scrapes) | TIMES, min_size=min_size, max_size=max_size))
    return [list(zip(times, draw(_values(len(times))), strict=True)) for times in series]


def samples_of(rows):
    """Rows as samples, two series a metric name."""
    counts = [len(row) for row in rows]
    return Samples(
        np.array(
            [(number // 2 << 32 | number % 2, number) for number in range(len(rows))], np.uint64
        ).reshape(-1, 2),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([START + time for row in rows for time, _ in row], np.int64),
        np.array([bits for row in rows for _, bits in row], np.uint64).view(np.float64),
    )


@st.composite
def damaged(draw, blob):
    """The blob with some bytes changed, cut off, or put in."""
    data = bytearray(blob)
    for _ in range(draw(st.integers(0, 3)) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data[at:at] = draw(st.binary(max_size=20))
    return bytes(data)
