"""The gateway's part of the configuration."""

from pathlib import Path

import re2
from pydantic import Field, field_validator

from streamgauge.config.urls import check_url
from streamgauge.yaml_file import Section


class Cost(Section):
    """Limits of a query's cost, estimated before it runs."""

    series: int = Field(200_000, ge=0)
    """Series of all selectors."""
    samples: int = Field(20_000_000, ge=0)
    """Samples and aggregates of windows to read."""
    bytes: int = Field(1024 * 1024 * 1024, ge=0)
    """Bytes of samples and results."""


class Tls(Section):
    """A certificate and its key, in PEM."""

    cert_file: Path
    """The certificate, with its chain."""
    key_file: Path
    """The key of the certificate."""


class Gateway(Section):
    """The gateway's listener and limits."""

    listen: str = "127.0.0.1:9480"
    """HOST:PORT of the listener."""
    lookback_s: int = Field(300, ge=1)
    """How far back a selector looks for the last sample, in seconds."""
    max_series: int = Field(100_000, ge=1)
    """The most series that a query may select."""
    max_points: int = Field(11_000, ge=1)
    """The most steps of a range query."""
    timeout_s: int = Field(30, ge=1)
    """The timeout of a query, in seconds; a request may ask for less."""
    cache: bool = True
    """Whether results are cached in Redis."""
    user_queries: int = Field(10, ge=1)
    """Maximum number of concurrent queries per user."""
    source_queries: int = Field(40, ge=1)
    """Maximum number of concurrent queries per address, or per account that queries for other users."""
    user_patience_s: float = Field(2.0, ge=0)
    """Time that a query beyond the limit waits before it is refused with 429."""
    interactive_queries: int = Field(8, ge=1)
    """Concurrent queries of dashboards and lists."""
    adhoc_queries: int = Field(4, ge=1)
    """Concurrent queries of all other kinds, with their own connections to Cassandra."""
    memory_bytes: int | None = Field(None, ge=16 * 1024 * 1024)
    """Estimated memory of all queries and their responses until these are sent; defaults to four tenths of the memory
    of the machine or container."""
    warn_above: Cost = Cost(series=20_000, samples=5_000_000, bytes=256 * 1024 * 1024)
    refuse_above: Cost = Cost()
    sample_interval_s: float = Field(15.0, gt=0)
    """Assumed interval between samples of a series, for estimates."""
    users_file: Path | None = None
    """File of users; without it the gateway is open to everybody."""
    tls: Tls | None = None
    cors_origin: str = ".*"
    """Origins allowed by CORS: a regex that matches the whole `Origin`, as Prometheus's web.cors.origin."""
    collectors: tuple[str, ...] = ()
    """Root URLs of the collectors that provide targets and metadata; defaults to that of `collector.listen`."""

    @property
    def url(self) -> str:
        """Root URL of the gateway."""
        return f"{'https' if self.tls else 'http'}://{self.listen}"

    @field_validator("cors_origin")
    @classmethod
    def _is_a_regex(cls, cors_origin: str) -> str:
        try:
            re2.compile(cors_origin)
        except re2.error as fault:
            raise ValueError(f"invalid regex: {fault}") from None
        return cors_origin

    @field_validator("collectors")
    @classmethod
    def _are_urls(cls, collectors: tuple[str, ...]) -> tuple[str, ...]:
        for url in collectors:
            check_url(url)
        return collectors
