"""Compiles every kernel that the processes call, into their cache: `python -m streamgauge.warm`.

Without it each process compiles them at its first start, all at the same time.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module


def _warm(module: str) -> None:
    # numba is imported by nobody who only asks for the names
    import_module(module).warm()


def collector() -> None:
    """What a remote write calls."""
    from streamgauge.collect.warm import warm

    warm(lanes=1, now=0)


PARTS: Mapping[str, Callable[[], None]] = {
    "rollups": partial(_warm, "streamgauge.rollup.warm"),
    "queries": partial(_warm, "streamgauge.promql.warm"),
    "answers": partial(_warm, "streamgauge.gateway.formats.warm"),
    "alerts": partial(_warm, "streamgauge.rules.stream.warm"),
    "remote write": collector,
}


def main() -> None:
    """Compile all kernels, in the order of PARTS."""
    for name, part in PARTS.items():
        began = time.monotonic()
        print(f"kernels of {name}", end="", flush=True)
        part()
        print(f": {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
