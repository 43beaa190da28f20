import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.series.samples import Samples
from streamgauge.store import write_blocks


@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=60))
def test_no_mutation_holds_more_than_a_row_and_a_series_and_none_is_lost(counts):
    offsets = np.concatenate([[0], np.cumsum(counts)])
    empty = np.zeros(0)
    samples = Samples(np.zeros((len(counts), 2), np.uint64), offsets, empty.astype(np.int64), empty)
    pieces = write_blocks._mutations(samples, np.arange(len(counts)))
    assert np.concatenate(pieces).tolist() == list(range(len(counts)))
    largest = write_blocks.SAMPLES_A_ROW + max(counts)
    assert all(0 < np.diff(offsets)[piece].sum() <= largest for piece in pieces)
