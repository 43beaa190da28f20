"""The order of series ids. Not beside them: kernels take a second to import."""

import numpy as np
import numpy.typing as npt

from streamgauge.series.hash_factor import FACTOR
from streamgauge.series.id_kernels import numbered, order_of_numbers
from streamgauge.series.ids import Ids

WORTH_NUMBERING = 4
"""To sort rows whose ids come so often each, or more, it is quicker to number the ids first."""


def order_of(ids: Ids) -> npt.NDArray[np.int64]:
    """The row numbers in the order of the ids, equal ones as they came."""
    high, low = ids[:, 0], ids[:, 1]
    # a collector's rows are sorted already, and to see that costs less than to sort them again
    in_order = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] >= low[:-1]))
    if in_order.all():
        return np.arange(len(ids))
    numbers, firsts = numbered(ids, len(ids) // WORTH_NUMBERING, FACTOR)
    if len(firsts):
        ranks = np.empty(len(firsts), np.int64)
        ranks[order_of(ids[firsts])] = np.arange(len(firsts))
        order: npt.NDArray[np.int64] = order_of_numbers(ranks[numbers], len(firsts))
        return order
    # runs in order, as the batches of a lane are, are what a stable sort of one key is quick with
    order = np.argsort(high, kind="stable")
    falls = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] < low[order[:-1]])
    return np.lexsort((low, high)) if falls.any() else order
