"""Scrape configuration: the static targets of a Prometheus configuration file."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import xxhash
from pydantic import BeforeValidator, Field, field_validator, model_validator

from schemas import limits
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.series.labels import NAME, InvalidLabels, canonical
from streamgauge.yaml_file import Section, load

REPORTS = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
"""Series that each scrape reports about itself."""
_UNITS_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _milliseconds(text: Any) -> int:
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError("expected a duration such as 15s or 1m30s")
    return sum(int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS_MS.values(), strict=True))


def _labels(labels: Any) -> Any:
    for name in labels if isinstance(labels, dict) else ():
        if not isinstance(name, str) or not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"{name!r} is not a label name allowed for a target")
    return labels


Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Written as in Prometheus, kept as ms."""
Labels = Annotated[dict[str, str], BeforeValidator(_labels)]


class Global(Section):
    """The defaults of all jobs; `external_labels` go to every series that lacks them."""

    scrape_interval: Duration = 60_000
    scrape_timeout: Duration = 10_000
    external_labels: Labels = Field(default_factory=dict)


class StaticConfig(Section):
    """Targets as `host:port`, and labels for all of them."""

    targets: tuple[str, ...]
    labels: Labels = Field(default_factory=dict)

    @field_validator("targets")
    @classmethod
    def _addresses(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        for target in targets:
            if not target or "/" in target:
                raise ValueError(f"{target!r} is not host:port")
        return targets


class ScrapeJob(Section):
    """One entry of `scrape_configs`."""

    job_name: str = Field(min_length=1)
    scrape_interval: Duration | None = None
    scrape_timeout: Duration | None = None
    metrics_path: str = "/metrics"
    scheme: Literal["http", "https"] = "http"
    params: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    honor_labels: bool = False
    honor_timestamps: bool = True
    static_configs: tuple[StaticConfig, ...] = ()

    @field_validator("scrape_interval")
    @classmethod
    def _a_second_or_more(cls, interval: int | None) -> int | None:
        if interval is not None and interval < 1000:
            raise ValueError("expected an interval of at least 1s")
        return interval


class ScrapeFile(Section):
    """The file; a key that is not known here is an error that names its line."""

    global_: Global = Field(Global(), alias="global")
    scrape_configs: tuple[ScrapeJob, ...] = ()

    @model_validator(mode="after")
    def _jobs_make_sense(self) -> "ScrapeFile":
        names = [job.job_name for job in self.scrape_configs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two jobs are named {name!r}")
        for job in self.scrape_configs:
            for static in job.static_configs:
                _check_labels(self.global_, job, static)
            if (job.scrape_timeout or 0) > (job.scrape_interval or self.global_.scrape_interval):
                raise ValueError(f"job {job.job_name!r}: scrape_timeout is longer than scrape_interval")
        return self


class Target(Section):
    """One address to scrape; durations in ms."""

    job: str
    url: str
    interval: int
    timeout: int
    discovered: dict[str, str] = Field(default_factory=dict)
    """Its labels before relabelling, in Prometheus's names."""
    labels: dict[str, str]
    external: dict[str, str]
    honor_labels: bool
    honor_timestamps: bool

    @property
    def offset(self) -> int:
        """Where in its interval it is scraped (ms), so that targets are spread over it."""
        identity = f"{self.url}\xff{sorted(self.labels.items())}"
        return xxhash.xxh3_64_intdigest(identity.encode()) % self.interval

    def attach(self, exposed: dict[str, str]) -> dict[str, str]:
        """The labels of a series; where it exposes a label that the target has, `honor_labels` decides."""
        labels = dict(exposed)
        if self.honor_labels:
            labels = {**self.labels, **{name: value for name, value in exposed.items() if value}}
        else:
            labels |= self.labels
            for name in sorted(exposed.keys() & self.labels.keys(), key=len):
                if exposed[name]:
                    renamed = f"exported_{name}"
                    while renamed in labels:
                        renamed = f"exported_{renamed}"
                    labels[renamed] = exposed[name]
        return self.external | labels


def _check_labels(defaults: Global, job: ScrapeJob, static: StaticConfig) -> None:
    """Refuse labels with which not even what a scrape says of itself could be stored."""
    for address in static.targets:
        try:
            labels = _target(defaults, job, static, address).attach({NAME: max(REPORTS, key=len)})
            limits.check(canonical(labels))
        except InvalidLabels as fault:
            raise ValueError(f"job {job.job_name!r}, target {address[:50]!r}: {fault.detail}") from None


def read_targets(path: Path) -> list[Target]:
    """Read a scrape configuration.

    :raises InvalidFile: with line and column of every fault.
    """
    file = load(path, ScrapeFile)
    return [
        _target(file.global_, job, static, address)
        for job in file.scrape_configs
        for static in job.static_configs
        for address in dict.fromkeys(static.targets)
    ]


def _target(defaults: Global, job: ScrapeJob, static: StaticConfig, address: str) -> Target:
    interval = job.scrape_interval or defaults.scrape_interval
    timeout = min(job.scrape_timeout or defaults.scrape_timeout, interval)
    query = f"?{urlencode(job.params, doseq=True)}" if job.params else ""
    return Target(
        job=job.job_name,
        url=f"{job.scheme}://{address}{job.metrics_path}{query}",
        interval=interval,
        timeout=timeout,
        discovered={
            "__address__": address,
            "__metrics_path__": job.metrics_path,
            "__scheme__": job.scheme,
            "__scrape_interval__": duration_text(interval),
            "__scrape_timeout__": duration_text(timeout),
            "job": job.job_name,
            **{f"__param_{name}": values[0] for name, values in job.params.items() if values},
            **static.labels,
        },
        labels={"job": job.job_name, "instance": address, **static.labels},
        external=defaults.external_labels,
        honor_labels=job.honor_labels,
        honor_timestamps=job.honor_timestamps,
    )
