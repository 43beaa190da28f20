"""When it is noted that a sealed block has changed."""

from types import SimpleNamespace

import pytest

from schemas.tables import Resolution, StorageClass
from sinks.cassandra import rebuild
from sinks.cassandra.rebuild import Outcome, Rebuilder
from streamgauge.series.ids import Shards

MINUTE = 1_763_892_000_000
KEPT = StorageClass("standard", dict.fromkeys(Resolution, 10**12))


@pytest.mark.parametrize(
    ("outcome", "write", "noted"),
    [
        (Outcome.CHANGED, True, ["above", "rows", "version"]),
        # an earlier worker may have stored the rows and failed before the version
        (Outcome.UNCHANGED, True, ["version"]),
        (Outcome.SHRUNK, True, []),
        (Outcome.DAMAGED, True, []),
        (Outcome.CHANGED, False, []),
        (Outcome.UNCHANGED, False, []),
    ],
)
def test_what_is_as_it_should_be_has_a_new_version_after_it_was_stored(monkeypatch, outcome, write, noted):
    done = []
    store = SimpleNamespace(kept=KEPT, write_rollup_rows=lambda *_: done.append("rows"))
    monkeypatch.setattr(rebuild, "BlockStore", lambda *_: store)
    monkeypatch.setattr(
        rebuild, "GenerationStore", lambda _: SimpleNamespace(write=lambda *_: done.append("version"))
    )
    monkeypatch.setattr(rebuild, "_compare", lambda *_: (outcome, {}))
    rebuilder = Rebuilder(None, Shards(lanes=1, groups=1), [KEPT], lambda: MINUTE)
    found = rebuilder.rebuild(
        Resolution.MIN1, 0, MINUTE, before_write=lambda: done.append("above"), write=write
    )
    assert found is outcome
    assert done == noted
