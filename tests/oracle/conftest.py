import os

import pytest

from tests.oracle.prometheus_server import binary

REQUIRED = "STREAMGAUGE_ORACLE_REQUIRED"


@pytest.fixture(scope="session")
def oracle():
    """The program of real Prometheus; without it the tests are skipped, or fail where it is required."""
    program = binary()
    if program is None:
        absent = "real Prometheus is not there to compare with: `make oracle` builds it"
        if os.environ.get(REQUIRED):
            pytest.fail(absent)
        pytest.skip(absent)
    return program
