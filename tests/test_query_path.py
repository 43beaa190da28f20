"""How much of the project one query passes through: a reader who follows it should not get lost.

A query whose answer is not kept, for which the gateway looks everything up, is traced from the request to the answer.
What counts are the modules of the project that have a Python function or method called meanwhile, in whatever thread,
below the HTTP layer: all but `gateway/http` and `gateway/auth`. Compiled kernels are not seen by the tracer, but what
checks their arguments is, so modules of kernels count.
"""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest
from gateway_client import Client
from memory_reader import MemoryReader

from streamgauge.config import Config, Redis
from streamgauge.gateway.http.app import Gateway

BEGIN_S = 1_763_892_000
LANES = Config().layout.lanes
ROOT = Path(__file__).parents[1]
PROJECT = [ROOT / name for name in ("streamgauge", "schemas", "operators", "sinks", "jobs")]
HTTP = [ROOT / "streamgauge" / "gateway" / name for name in ("http", "auth")]
QUERY = "sum by (job) (rate(requests_total[5m]))"


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
def entered() -> Iterator[Counter[Path]]:
    """How often functions of each module of the project are called, in this thread and those that begin meanwhile."""
    calls: Counter[CodeType] = Counter()
    found: Counter[Path] = Counter()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code] += 1

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        for code, count in calls.items():
            module = Path(code.co_filename)
            if any(map(module.is_relative_to, PROJECT)):
                found[module] += count


@pytest.mark.parametrize(
    ("keeps", "most_packages", "most_modules"),
    [(False, 11, 40), (True, 14, 49)],
    ids=["without a cache", "with a cache that has nothing yet"],
)
def test_a_query_passes_through_few_modules(keeps, most_packages, most_modules):
    points = [((BEGIN_S + 10 * number) * 1000, float(number)) for number in range(360)]
    labels = [{"__name__": "requests_total", "job": "api", "host": host} for host in ("a", "b")]
    # nothing listens at the discard port: what cannot be kept is left out
    config = Config(redis=Redis(url="redis://127.0.0.1:9"))
    gateway = Gateway(config, SealedReader([(each, points) for each in labels]), "store" if keeps else "")
    client = Client(gateway)
    asked = {"query": QUERY, "start": BEGIN_S + 600, "end": BEGIN_S + 3000, "step": 15}
    with entered() as calls:
        found = client.get("/api/v1/query_range", params=asked)
    [series] = found.json()["data"]["result"]
    assert series["metric"] == {"job": "api"}
    assert {value for _, value in series["values"]} == {"0.2"}
    modules = sorted(module for module in calls if not any(map(module.is_relative_to, HTTP)))
    packages = sorted({module.parent for module in modules})
    print(f"\n{len(packages)} packages, {len(modules)} modules:")
    for package in packages:
        own = [module.stem for module in modules if module.parent == package]
        print(f"  {package.relative_to(ROOT)}: {' '.join(own)}")
    assert len(packages) <= most_packages
    assert len(modules) <= most_modules
