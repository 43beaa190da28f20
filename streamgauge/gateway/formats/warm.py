"""Compiles the kernels that write answers."""

import numpy as np

from streamgauge.gateway.formats import prometheus_json


def warm() -> None:
    """What writes the answers of the gateway."""
    rows = prometheus_json.Rows([{}], np.array([0, 1]), np.array([0]), np.array([1.0]))
    list(prometheus_json.matrix([rows]))
