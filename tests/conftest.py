import os
from pathlib import Path

import pytest
from hypothesis import settings

# kernels compile on their first call, and machines are shared: no test asserts a time
# a change lands or not by what it does, not by luck; elsewhere every run tries other examples
settings.register_profile("streamgauge", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("streamgauge")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden(request):
    """Give the stored bytes of a wire format; `pytest --write-golden` stores what is written today."""

    def read(name: str, today: bytes) -> bytes:
        file = GOLDEN / name
        if request.config.getoption("--write-golden"):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(today)
        return file.read_bytes()

    return read


def pytest_collection_modifyitems(items):
    """Refuse tests that share an id: pytest-xdist would run one of them and count all as run."""
    ids = [item.nodeid for item in items]
    shared = sorted({each for each in ids if ids.count(each) > 1}) if len(set(ids)) < len(ids) else []
    if shared:
        raise pytest.UsageError(f"several tests have the id {', '.join(shared)}")


def pytest_addoption(parser):
    parser.addoption("--write-golden", action="store_true", help="store today's bytes as golden")
    parser.addoption(
        "--oracle-queries", type=int, default=10_000, help="how many queries to ask Prometheus too"
    )
    parser.addoption("--oracle-seed", default="1", help="of the samples and queries for Prometheus")
