"""Ports for a stack that runs beside others, as tests and benchmarks need."""

import contextlib
import random
import socket
from pathlib import Path

LOWEST = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_END = 32_768
"""Where the kernel's range begins when it does not say so."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nothing listens on, different from each other.

    None is of the range from which the kernel takes ports for whoever lets it choose: between this call and
    the start of a service, and while it restarts, a worker of Flink or any connection would get the port.
    No other process is given one of them while this one lives, for a claim is held on each.

    :raises OSError: there are not that many.
    """
    end = int(RANGE.read_text().split()[0]) if RANGE.exists() else USUAL_END
    candidates = range(LOWEST, max(end, LOWEST))
    with contextlib.ExitStack() as held:
        ports = list[int]()
        for port in random.sample(candidates, len(candidates)):
            listener = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                _claim(port)
                ports.append(port)
            if len(ports) == count:
                return ports
    raise OSError(f"no {count} ports free from {LOWEST} to {end - 1}")


def _claim(port: int) -> None:
    """Hold a port's name in the kernel's table of abstract Unix sockets, which forgets it with this process.

    :raises OSError: another process holds it, or this one does.
    """
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0streamgauge-port-{port}")
    except OSError:
        claim.close()
        raise
    # it stays open until this process ends
    claim.detach()
