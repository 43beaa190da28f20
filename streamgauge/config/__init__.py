"""The configuration of every process: one frozen object, read at start from `streamgauge.yml`."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import Field, field_validator, model_validator

from schemas.rule_files import SEVERITIES
from schemas.tables import STANDARD, Resolution, StorageClass
from streamgauge.config.connections import REVEALED
from streamgauge.config.connections import Cassandra as Cassandra
from streamgauge.config.connections import Flink as Flink
from streamgauge.config.connections import Kafka as Kafka
from streamgauge.config.connections import Redis as Redis
from streamgauge.config.gateway import Gateway as Gateway
from streamgauge.config.urls import check_url
from streamgauge.promql.syntax.literals import duration
from streamgauge.promql.syntax.parser import selector
from streamgauge.series.class_rules import ClassRules
from streamgauge.series.ids import Shards
from streamgauge.yaml_file import Section, load

DEFAULT_FILE = Path("streamgauge.yml")
ENVIRONMENT_VARIABLE = "STREAMGAUGE_CONFIG"
SomeSection = TypeVar("SomeSection", bound=Section)


class Layout(Section):
    """Partitioning of the key space; fixed when the schema is created."""

    lanes: int = Field(8, ge=1)
    """Lanes: hash buckets of series by their labels without the name."""
    groups: int = Field(4, ge=1)
    """Metric groups: hash buckets of metric names."""
    raw_slices: int = Field(1, ge=1)
    """Slices of the raw rows of a lane and metric group."""
    rollup_slices: int = Field(1, ge=1)
    """Slices of the rollup rows of a lane and metric group."""


Label = Literal["raw", "1min", "5min", "1hour", "1day"]
KEPT = {"raw": "1d", "1min": "7d", "5min": "30d", "1hour": "1y", "1day": "3y"}


class StorageClassSettings(Section):
    """A storage class: its series and their retention."""

    match: tuple[str, ...] = ()
    """Selectors, such as `up{job="payments"}`; a series that matches one of them is of this class."""
    retention: dict[Label, str] = Field(default_factory=dict)
    """Retention by resolution, as durations; defaults to that of the standard class."""
    digests: bool = True
    """Whether rollups have t-digests and percentiles; without them percentiles over rollups are refused."""

    @field_validator("match")
    @classmethod
    def _selects(cls, match: tuple[str, ...]) -> tuple[str, ...]:
        for text in match:
            selector(text)
        return match

    @field_validator("retention")
    @classmethod
    def _durations(cls, retention: dict[Label, str]) -> dict[Label, str]:
        for text in retention.values():
            duration(text)
        return retention


def _retention_ms(standard: StorageClassSettings, kept: StorageClassSettings) -> dict[Resolution, int]:
    texts = KEPT | {**standard.retention} | {**kept.retention}
    return {resolution: duration(texts[resolution.value.label]) for resolution in Resolution}


class Storage(Section):
    """Storage classes. A series is of the first class whose `match` selects it, else of `standard`."""

    classes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")], StorageClassSettings] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _standard_is_the_rest(self) -> "Storage":
        if STANDARD in self.classes and self.classes[STANDARD].match:
            raise ValueError(
                "classes.standard must have no match: it takes the series that no other class selects"
            )
        return self

    @model_validator(mode="after")
    def _every_level_outlives_what_is_built_from_it(self) -> "Storage":
        standard = self.classes.get(STANDARD, StorageClassSettings())
        levels = tuple(Resolution)
        for name, kept in {STANDARD: standard, **self.classes}.items():
            kept_ms = _retention_ms(standard, kept)
            for level, above in zip(levels, (*levels[1:], levels[-1]), strict=True):
                if kept_ms[level] < 2 * above.value.width_ms:
                    raise ValueError(
                        f"classes.{name}: {level.value.label} must be kept for two windows of {above.value.label}"
                    )
        return self


class Stream(Section):
    """Lateness on the stream."""

    lag_ms: int = Field(1000, ge=0)
    """Time after a minute's end within which a batch is on time."""
    late_flush_ms: int = Field(5000, ge=100)
    """Time for which late batches of a lane and minute are collected before they are stored."""
    rebuild_quiet_ms: int = Field(5000, ge=100)
    """Time without further late data after which a bucket is rebuilt; a steady flow delays it only for a while."""


class Alerts(Section):
    """The job that evaluates rules on the stream."""

    lag_ms: int = Field(1000, ge=0)
    """Time after a tick within which batches sent before the tick still count for it."""
    shards: int = Field(4, ge=1)
    """Number of shards of the lanes, each evaluated by one worker; at most the number of lanes."""
    state_interval_ms: int = Field(5000, ge=100)
    """Interval between group status messages while nothing changes."""
    values_interval_ms: int = Field(10_000, ge=100)
    """Interval between messages with the values of active alerts while nothing else changes."""
    max_gathered: int = Field(1_000_000, ge=1)
    """Maximum number of samples, or values of series, that a rule may gather; above it the rule fails."""
    metadata_labels: bool = False
    """Whether series may have the labels __type__ and __unit__, which raises the cost of rules."""
    external_url: str = ""
    """URL of the web UI, for templates and for the links of alerts."""
    external_labels: dict[str, str] = Field(default_factory=dict)
    """Labels of this system, for templates, /federate and remote read; alerts get those of `notify.external_labels`."""


class Collector(Section):
    """The collector's listener and limits."""

    listen: str = "127.0.0.1:9481"
    """HOST:PORT of the listener."""
    name: str = Field(default_factory=socket.gethostname)
    """The name of this collector, in the headers of its batches."""
    scrape_config: Path | None = None
    """A file with `global` and `scrape_configs` sections; nothing is scraped without one."""
    disks: tuple[Path, ...] = ()
    """Paths whose disk usage is reported as disk_usage_pct; defaults to local.home."""
    linger_ms: int = Field(20, ge=1)
    """How long a batch waits for more samples."""
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024)
    """The most bytes of a request and of a scraped page, compressed and decompressed."""
    max_queue_bytes: int = Field(128 * 1024 * 1024, ge=1024 * 1024)
    """The most bytes of batches that wait for Kafka, and as many again of requests being handled."""
    max_wait_s: float = Field(15.0, gt=0)
    """Timeout of a request that waits for Kafka; must be shorter than those of senders."""
    max_series: int = Field(1_000_000, ge=1000)
    """Maximum number of label sets in the cache; when it is full, it is cleared."""


class Notify(Section):
    """Delivery of alerts to Alertmanagers; see `streamgauge notify`."""

    alertmanagers: tuple[str, ...] = ()
    """Root URLs; each Alertmanager receives all alerts. Credentials in a URL are sent as Basic authentication."""
    token_file: Path | None = None
    """File with a bearer token for all Alertmanagers."""
    resend_delay: str = "1m"
    """Interval at which firing alerts are sent again; Alertmanager resolves them after four times as long."""
    timeout_s: int = Field(10, ge=1)
    """The timeout of a post, in seconds."""
    external_labels: dict[str, str] = Field(default_factory=dict)
    """Added to every alert that lacks the label."""
    listen: str = "127.0.0.1:9482"
    """Address of /metrics."""
    name: str = Field(default_factory=socket.gethostname)
    """Name of this process; a new process with the same name replaces it."""

    @field_validator("alertmanagers")
    @classmethod
    def _are_urls(cls, alertmanagers: tuple[str, ...]) -> tuple[str, ...]:
        for url in alertmanagers:
            check_url(url)
        return alertmanagers

    @field_validator("resend_delay")
    @classmethod
    def _is_a_duration(cls, resend_delay: str) -> str:
        if duration(resend_delay) < 1000:
            raise ValueError("the resend delay must be at least 1s")
        return resend_delay


class Rules(Section):
    """Checks of rule files."""

    severities: tuple[str, ...] = SEVERITIES
    """Values that the label `severity` of a rule may have."""


class Local(Section):
    """The local stack: its folder for data and logs, and its internal ports."""

    home: Path = Path(".streamgauge")
    """The folder of data, logs, generated files and process ids."""
    kafka_controller_port: int = 9193
    """The port of the Kafka controller; 9093 is that of Alertmanager."""
    cassandra_storage_port: int = 7000
    """The port between Cassandra nodes."""
    flink_rpc_port: int = 6123
    """The RPC port of the JobManager."""
    flink_metrics_ports: tuple[int, int] = (9249, 9250)
    """The ports of the reporters of JobManager and TaskManager, in Prometheus's format."""


class Config(Section):
    """All settings; paths are relative to the file's folder."""

    kafka: Kafka = Kafka()
    cassandra: Cassandra = Cassandra()
    redis: Redis = Redis()
    flink: Flink = Flink()
    layout: Layout = Layout()
    storage: Storage = Storage()
    stream: Stream = Stream()
    alerts: Alerts = Alerts()
    collector: Collector = Collector()
    gateway: Gateway = Gateway()
    rules: Rules = Rules()
    notify: Notify = Notify()
    local: Local = Local()

    @model_validator(mode="after")
    def _partitions_divide_lanes(self) -> "Config":
        if self.layout.lanes % self.kafka.partitions:
            raise ValueError(
                f"kafka.partitions ({self.kafka.partitions}) must divide layout.lanes ({self.layout.lanes})"
            )
        return self

    @property
    def storage_classes(self) -> tuple[StorageClass, ...]:
        """The classes in the order in which their rules are tried, the standard one last."""
        standard = self.storage.classes.get(STANDARD, StorageClassSettings())
        others = [(name, kept) for name, kept in self.storage.classes.items() if name != STANDARD]
        return tuple(
            StorageClass(name, _retention_ms(standard, kept), kept.digests)
            for name, kept in [*others, (STANDARD, standard)]
        )

    @property
    def class_rules(self) -> ClassRules:
        """Matchers of the storage classes."""
        return ClassRules(
            [
                [selector(text) for text in kept.match]
                for name, kept in self.storage.classes.items()
                if name != STANDARD
            ]
        )

    @property
    def alert_shards(self) -> int:
        """Number of shards; a lane is in shard `lane % alert_shards`."""
        return min(self.alerts.shards, self.layout.lanes)

    @property
    def shards(self) -> Shards:
        """The layout as the series package knows it."""
        return Shards(**self.layout.model_dump())


def read(path: Path | None = None) -> Config:
    """Read the named file, else the one that STREAMGAUGE_CONFIG names, else ./streamgauge.yml if it exists.

    :raises InvalidFile: with file, line and column of every fault.
    """
    named = path or (Path(os.environ[ENVIRONMENT_VARIABLE]) if ENVIRONMENT_VARIABLE in os.environ else None)
    if named is None and not DEFAULT_FILE.exists():
        return _absolute(Config(), Path.cwd())
    file = named or DEFAULT_FILE
    return _absolute(load(file, Config), file.resolve().parent)


def text(config: Config) -> str:
    """The configuration as YAML, with its passwords: for a file that nobody else may read."""
    document = config.model_dump(mode="json", context={**REVEALED})
    return str(yaml.safe_dump(document, sort_keys=False))


def write(config: Config, path: Path) -> None:
    """Write the configuration to a file of its owner's, at once or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as unfinished:
        new = Path(unfinished.name)
        try:
            unfinished.write(text(config))
            unfinished.close()
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def _absolute(section: SomeSection, folder: Path) -> SomeSection:
    """The section with every path in it relative to a folder."""
    changed: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, Section):
            changed[name] = _absolute(value, folder)
        elif isinstance(value, tuple) and any(isinstance(each, Path) for each in value):
            changed[name] = tuple(folder / each for each in value)
    return section.model_copy(update=changed)
