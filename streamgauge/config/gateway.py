"""The gateway's part of the configuration."""

from pathlib import Path

import re2
from pydantic import Field, field_validator

from streamgauge.config.urls import check_url
from streamgauge.yaml_file import Section


class Cost(Section):
    """Limits of the cost of a query, estimated before it runs."""

    series: int = Field(200_000, ge=0)
    """Series that all selectors match."""
    samples: int = Field(20_000_000, ge=0)
    """Samples, and aggregates of windows, that the query reads."""
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
    """Cache results in Redis."""
    user_queries: int = Field(10, ge=1)
    """The most concurrent queries of a user."""
    source_queries: int = Field(40, ge=1)
    """The most concurrent queries of one address, or of all users that one account names."""
    user_patience_s: float = Field(2.0, ge=0)
    """How long a query beyond that waits for another to end, in seconds; then the response is 429."""
    interactive_queries: int = Field(8, ge=1)
    """The most concurrent queries of dashboards, and lists."""
    adhoc_queries: int = Field(4, ge=1)
    """The most concurrent other queries. They have their own connections to Cassandra."""
    memory_bytes: int | None = Field(None, ge=16 * 1024 * 1024)
    """Memory of all queries together, and of their responses until these have been sent, estimated; by default four
    tenths of the memory of the machine or container."""
    warn_above: Cost = Cost(series=20_000, samples=5_000_000, bytes=256 * 1024 * 1024)
    refuse_above: Cost = Cost()
    sample_interval_s: float = Field(15.0, gt=0)
    """The usual interval between samples of a series, for cost estimates."""
    users_file: Path | None = None
    """The accounts; without the file everybody may query."""
    tls: Tls | None = None
    cors_origin: str = ".*"
    """Origins whose scripts may read responses: a regex of the whole `Origin`, like Prometheus's web.cors.origin."""
    collectors: tuple[str, ...] = ()
    """URLs of the collectors, the sources of targets and metadata; by default that of `collector.listen`."""

    @property
    def url(self) -> str:
        """Of its root."""
        return f"{'https' if self.tls else 'http'}://{self.listen}"

    @field_validator("cors_origin")
    @classmethod
    def _is_a_regex(cls, cors_origin: str) -> str:
        try:
            re2.compile(cors_origin)
        except re2.error as fault:
            raise ValueError(f"no regex: {fault}") from None
        return cors_origin

    @field_validator("collectors")
    @classmethod
    def _are_urls(cls, collectors: tuple[str, ...]) -> tuple[str, ...]:
        for url in collectors:
            check_url(url)
        return collectors
