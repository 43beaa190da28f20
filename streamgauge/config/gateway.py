"""The gateway's part of the configuration."""

from pathlib import Path

import re2
from pydantic import Field, field_validator

from streamgauge.config.urls import check_url
from streamgauge.yaml_file import Section


class Cost(Section):
    """What a query may cost, as it is estimated before it runs."""

    series: int = Field(200_000, ge=0)
    """Of all its selectors."""
    samples: int = Field(20_000_000, ge=0)
    """Samples, and aggregates of windows, to be read."""
    bytes: int = Field(1024 * 1024 * 1024, ge=0)
    """Of those, and of results."""


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
    """Whether answers are kept in Redis."""
    user_queries: int = Field(10, ge=1)
    """So many queries each user may have at once."""
    source_queries: int = Field(40, ge=1)
    """So many queries one address, or the users that one account names, may have at once, whatever names they give."""
    user_patience_s: float = Field(2.0, ge=0)
    """So long one more waits for another of the user to end; then it is refused with 429."""
    interactive_queries: int = Field(8, ge=1)
    """So many of dashboards and lists run at once."""
    adhoc_queries: int = Field(4, ge=1)
    """So many of all others run at once, with connections to Cassandra of their own."""
    memory_bytes: int | None = Field(None, ge=16 * 1024 * 1024)
    """Of all queries together and their answers until these have been sent, estimated; four tenths of the memory of
    the machine or container if it is not given."""
    warn_above: Cost = Cost(series=20_000, samples=5_000_000, bytes=256 * 1024 * 1024)
    refuse_above: Cost = Cost()
    sample_interval_s: float = Field(15.0, gt=0)
    """Between two samples of a series, for estimates."""
    users_file: Path | None = None
    """Who may ask; everybody without one."""
    tls: Tls | None = None
    cors_origin: str = ".*"
    """Which origins scripts may read answers from, a regex of the whole `Origin`, as Prometheus's web.cors.origin."""
    collectors: tuple[str, ...] = ()
    """URLs of the collectors' roots, which are asked for targets and metadata; that of `collector.listen` if there
    are none."""

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
