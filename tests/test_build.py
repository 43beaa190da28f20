"""The identity of a build, and that what one build has kept is not found by another."""

from streamgauge import build
from streamgauge.config import Config
from streamgauge.gateway.cache.answers import Answers, Listing
from streamgauge.gateway.cache.ranges import Ranges
from streamgauge.gateway.cache.sealed import scope
from streamgauge.promql.data.query import Query
from streamgauge.store.reading import ReadContext
from tests.support.cached_system import MINUTE, filled
from tests.support.model_store import BEGIN, KEPT, LANES


def _source(root, package, name, text):
    (root / package).mkdir(parents=True, exist_ok=True)
    (root / package / name).write_text(text)
    return build.fingerprint(root)


def test_every_change_of_the_source_is_another_build_and_the_place_is_none(tmp_path):
    first = _source(tmp_path / "a", "streamgauge", "one.py", "ONE = 1\n")
    assert _source(tmp_path / "b", "streamgauge", "one.py", "ONE = 1\n") == first
    changed = [
        _source(tmp_path / "a", "streamgauge", "one.py", "ONE = 2\n"),
        _source(tmp_path / "a", "schemas", "one.py", "ONE = 1\n"),
        _source(tmp_path / "a", "streamgauge/promql", "two.py", ""),
    ]
    assert len({first, *changed}) == 4
    assert _source(tmp_path / "a", "streamgauge", "notes.txt", "not source") == changed[-1]


def test_the_packages_that_compute_are_part_of_a_build(monkeypatch):
    first = build.identity()
    build.identity.cache_clear()
    monkeypatch.setattr(build, "version", lambda name: "0" if name == "numpy" else "1")
    try:
        assert build.identity() != first
    finally:
        build.identity.cache_clear()


def test_a_gateway_finds_nothing_that_another_build_has_kept(monkeypatch):
    system = filled()
    query = Query(BEGIN + 10 * MINUTE, BEGIN + 40 * MINUTE - 15_000, 15_000)

    def ask():
        own = scope(Config(), "a store")
        system.ranges = Ranges(own, system.store, [KEPT], LANES, system.kept, lambda: system.store.now)
        return system.ask("x", query).report.kept

    assert (ask(), len(ask())) == ([], 6)
    monkeypatch.setattr(build, "identity", lambda: "another")
    assert (ask(), len(ask())) == ([], 6)


class _Index:
    """Stands for a reader of which only the generations of the index are asked for."""

    def __init__(self):
        self.index = self.blocks = self.changes = self

    def periods(self, *_):
        return [(0, BEGIN)]

    def read_series(self, *_):
        return []


def test_a_list_that_another_build_has_kept_is_not_found(monkeypatch):
    system = filled(1)

    def ask():
        answers = Answers(scope(Config(), "a store"), _Index(), system.kept, system.invalid.append)
        return answers.answer(("labels",), (BEGIN, BEGIN), lambda: Listing("[]", []), ReadContext())[1]

    assert [ask(), ask()] == [False, True]
    monkeypatch.setattr(build, "identity", lambda: "another")
    assert [ask(), ask()] == [False, True]
    assert system.invalid == []
