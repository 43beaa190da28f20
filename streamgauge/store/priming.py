"""What a rule that is new to a shard needs of what came before it: read from the store."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from streamgauge.config import Config
from streamgauge.rules.stream.compile.reach import Conditions, Reach
from streamgauge.rules.stream.compile.selectors import Selector, SelectorIndex
from streamgauge.series.ids import from_bytes, lanes_of, split, to_bytes
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher, MatchOp, metric_of
from streamgauge.series.samples import Samples, concat
from streamgauge.store.index.kept_selections import Selection
from streamgauge.store.reader import Reader
from streamgauge.store.session import connected

FEW = 3
"""Of so many selectors of one metric each is looked up; of more, all series of the metric are, once."""


def prime(
    config: Config, reaches: Sequence[Reach], tick: int, shard: int
) -> tuple[dict[bytes, bytes], Samples]:
    """What selectors look at from a tick (ms) on, of the lanes of a shard, as far as it was stored.

    Gives the canonical labels of each series by its packed id, and the samples.
    """
    with connected(config.cassandra) as session:
        reader = Reader(session, config.shards, config.storage_classes)
        return stored(reader, reaches, tick, shard, config.alert_shards, config.layout.lanes)


def stored(
    reader: Reader, reaches: Sequence[Reach], tick: int, shard: int, shards: int, lanes: int
) -> tuple[dict[bytes, bytes], Samples]:
    """`prime` with a reader.

    :param shards: how many there are. :param lanes: how many there are; a shard has those that leave its number.
    """
    labels: dict[bytes, bytes] = {}
    histories: dict[bytes, int] = {}
    index = SelectorIndex(Selector(reach.conditions, max(0, reach.before)) for reach in reaches)
    for conditions, before in _queries(reaches):
        selection = reader.select(conditions, tick - before, tick)
        own = np.flatnonzero(lanes_of(selection.ids, lanes) % shards == shard)
        for row, identity in zip(own.tolist(), split(to_bytes(selection.ids[own])), strict=True):
            data = selection.labels[row]
            found = [selector.history for selector in index.matching(data)]
            if found:
                labels[identity], histories[identity] = data, max(found)
    by_history: dict[int, list[bytes]] = defaultdict(list)
    for identity in sorted(histories):
        by_history[histories[identity]].append(identity)
    parts = [
        reader.raw(
            Selection(from_bytes(b"".join(own)), [labels[identity] for identity in own]), tick - history, tick
        )
        for history, own in by_history.items()
    ]
    return labels, concat(parts)


def _queries(reaches: Sequence[Reach]) -> Iterator[tuple[Conditions, int]]:
    """What to look up, and how far back (ms)."""
    by_metric: dict[str | None, list[Reach]] = defaultdict(list)
    for reach in reaches:
        by_metric[metric_of(reach.conditions)].append(reach)
    for metric, own in by_metric.items():
        if metric is not None and len(own) > FEW:
            yield (Matcher(NAME, MatchOp.EQUAL, metric),), max(0, *(reach.before for reach in own))
        else:
            for reach in own:
                yield reach.conditions, max(0, reach.before)
