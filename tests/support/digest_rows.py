"""Values for tests of digests: few and many to a series, with specials among them."""

import numpy as np
from hypothesis import strategies as st

from streamgauge.rollup import tdigest
from streamgauge.series.digest_shape import MAX_CENTROIDS

FLOATS = st.one_of(
    st.floats(), st.integers(-3, 3).map(float), st.sampled_from([-0.0, 0.0, np.nan, np.inf, -np.inf])
)
FEW = st.lists(FLOATS, max_size=60)
MANY = st.tuples(st.integers(0, 2**32 - 1), st.integers(MAX_CENTROIDS + 1, 2000)).map(
    lambda drawn: np.random.default_rng(drawn[0]).lognormal(0, 2, drawn[1]).tolist()
)
ROWS = st.lists(st.one_of(FEW, MANY, st.tuples(MANY, FEW).map(lambda two: two[0] + two[1])), max_size=6)


def digests_of(rows):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    return tdigest.build(offsets, np.array([value for row in rows for value in row], np.float64))


def same(one, other):
    return all(ours.tobytes() == theirs.tobytes() for ours, theirs in zip(one, other, strict=True))
