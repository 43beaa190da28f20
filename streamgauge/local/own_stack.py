"""Configurations of the stacks of tests and benchmarks, each on ports and in a folder of its own."""

from pathlib import Path
from typing import Any

from streamgauge.config import Cassandra, Collector, Config, Flink, Gateway, Kafka, Local, Notify, Redis
from streamgauge.local.servers.ports import free_ports
from streamgauge.local.supervision.home import ROOT


def home_of(name: str) -> Path:
    """Return the folder of a stack below the project's."""
    return ROOT / ".streamgauge" / name


def on_own_ports(home: Path) -> Config:
    """Return the defaults with free ports, and with checkpoints every 3 s."""
    port = iter(free_ports(12))
    host = "127.0.0.1"
    return Config(
        kafka=Kafka(bootstrap=f"{host}:{next(port)}"),
        cassandra=Cassandra(port=next(port)),
        redis=Redis(url=f"redis://{host}:{next(port)}/0"),
        flink=Flink(rest=f"http://{host}:{next(port)}", checkpoint_interval_s=3),
        collector=Collector(listen=f"{host}:{next(port)}", name="test"),
        gateway=Gateway(listen=f"{host}:{next(port)}"),
        notify=Notify(listen=f"{host}:{next(port)}"),
        local=Local(
            home=home,
            kafka_controller_port=next(port),
            cassandra_storage_port=next(port),
            flink_rpc_port=next(port),
            flink_metrics_ports=(next(port), next(port)),
        ),
    )


def changed(config: Config, **sections: dict[str, Any]) -> Config:
    """Return the configuration with some values of some sections replaced.

    :raises ValueError: if they do not fit each other.
    """
    whole = dict(config)
    for name, values in sections.items():
        section = whole[name]
        whole[name] = type(section)(**{**dict(section), **values})
    return Config(**whole)
