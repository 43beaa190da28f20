"""Real Prometheus and our gateway over the same samples, for one test module."""

import time
from contextlib import contextmanager

from streamgauge.config import Config
from streamgauge.gateway.http.app import Gateway
from streamgauge.series.samples import STALE
from tests.oracle.prometheus_server import Prometheus
from tests.support.gateway_client import Client
from tests.support.memory_reader import MemoryReader

NOW_S = int(time.time()) // 60 * 60
_TIMES = range((NOW_S - 600) * 1000, NOW_S * 1000 + 1, 10_000)
SERIES = [
    (
        {"__name__": "hits_total", "host": host, "job": "web"},
        [(at, float(n * k)) for n, at in enumerate(_TIMES)],
    )
    for k, host in enumerate("abc")
] + [
    ({"__name__": "big", "job": "web"}, [(at, 1234567.25) for at in _TIMES]),
    ({"__name__": "a.b", "c d": 'é"\\\n', "instance": "x"}, [(at, -0.00001234) for at in _TIMES]),
    ({"__name__": "gone", "job": "db"}, [(_TIMES[0], 1.0), (_TIMES[-1], STALE)]),
    ({"__name__": "special", "is": "nan"}, [(_TIMES[-1], float("nan"))]),
    ({"__name__": "special", "is": "inf"}, [(_TIMES[-1], float("-inf"))]),
]


@contextmanager
def both_of(oracle, folder):
    """Prometheus, and a client of our gateway."""
    with Prometheus(oracle, folder) as prometheus:
        prometheus.load(SERIES)
        yield prometheus, Client(Gateway(Config(), MemoryReader(SERIES)))
