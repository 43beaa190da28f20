"""How much of the project one query passes through: a reader who follows it should not get lost.

A query whose answer is not kept, for which the gateway looks everything up, is traced from the request to the answer.
What counts are the modules of the project that have a Python function or method called meanwhile, in whatever thread,
below the HTTP layer: all but `gateway/http` and `gateway/auth`. Compiled kernels are not seen by the tracer, but what
checks their arguments is, so modules of kernels count.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

from streamgauge.config import Config, Redis
from streamgauge.gateway.http.app import Gateway
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

BEGIN_S = 1_763_892_000
LANES = Config().layout.lanes
ROOT = Path(__file__).parents[2]
PROJECT = [ROOT / name for name in ("streamgauge", "schemas", "operators", "sinks", "jobs")]
HTTP = [ROOT / "streamgauge" / "gateway" / name for name in ("http", "auth")]


class SealedReader(MemoryReader):
    """A store in which everything is sealed, so that answers may be kept."""

    def progress(self, _resolution, _reading):
        return dict.fromkeys(range(LANES), (BEGIN_S + 7200) * 1000)

    def index_progress(self, _reading):
        return dict.fromkeys(range(LANES), (BEGIN_S + 7200) * 1000)

    @property
    def changes(self):
        return self

    def read(self, _level, _periods, _reading):
        return []


@contextmanager
def entered() -> Iterator[set[Path]]:
    """The modules of the project with functions that are called, in this thread and in those that begin meanwhile."""
    codes: set[CodeType] = set()
    found: set[Path] = set()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        # in one go: threads of pools live on, and go on telling
        files = {Path(code.co_filename) for code in tuple(codes)}
        found.update(file for file in files if any(map(file.is_relative_to, PROJECT)))


def client_of(keeps: bool) -> Client:
    """The client of a gateway that has answered nothing yet. keeps: whether it would keep answers."""
    points = [((BEGIN_S + 10 * number) * 1000, float(number)) for number in range(360)]
    labels = [{"__name__": name, "job": "api", "host": host} for name in ("m", "n") for host in ("a", "b")]
    # nothing listens at the discard port: what would be kept is not
    config = Config(redis=Redis(url="redis://127.0.0.1:9"))
    reader = SealedReader([(each, points) for each in labels])
    return Client(Gateway(config, reader, "store" if keeps else ""))


def ask(client: Client, name: str) -> None:
    """Query the rate of a metric."""
    times = {"start": BEGIN_S + 600, "end": BEGIN_S + 3000, "step": 15}
    query = {"query": f"sum by (job) (rate({name}[5m]))"}
    [series] = client.get("/api/v1/query_range", params=query | times).json()["data"]["result"]
    assert series["metric"] == {"job": "api"}
    assert {value for _, value in series["values"]} == {"0.2"}


@pytest.mark.parametrize(
    ("keeps", "most_packages", "most_modules"),
    # two of the modules, and a package: go_numbers and lru_cache, which other packages share
    [(False, 12, 42), (True, 14, 51)],
    ids=["without a cache", "with a cache that has nothing yet"],
)
def test_a_query_passes_through_few_modules(keeps, most_packages, most_modules):
    # of another metric, so that kernels are compiled: to trace that takes minutes
    ask(client_of(keeps), "n")
    client = client_of(keeps)
    with entered() as found:
        ask(client, "m")
    modules = sorted(module for module in found if not any(map(module.is_relative_to, HTTP)))
    packages = sorted({module.parent for module in modules})
    print(f"\n{len(packages)} packages, {len(modules)} modules:")
    for package in packages:
        own = [module.stem for module in modules if module.parent == package]
        print(f"  {package.relative_to(ROOT)}: {' '.join(own)}")
    assert len(packages) <= most_packages
    assert len(modules) <= most_modules
