"""Result of a gateway's audit, read from its metrics."""

from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 2.0
PREFIX = "streamgauge_audit_"


class Audited(NamedTuple):
    """Result of the audit. places: lane, minute and number of missing samples, the oldest first; not all if many."""

    verified: int
    missing: int
    places: tuple[tuple[str, str, int], ...]


def audited(gateway: str) -> Audited | None:
    """Read the gateway's metrics; None if it is unreachable.

    The certificate is not looked at: nothing secret is sent, and it may be of another name.
    """
    try:
        answer = httpx.get(f"{gateway}/metrics", timeout=TIMEOUT_S, verify=False, trust_env=False)
        return _read(answer.text) if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        return None


def lines(found: Audited) -> tuple[str, ...]:
    """Format the result for the terminal."""
    if not found.missing:
        return (f"audit: {found.verified} acknowledged batches verified as stored, none missing",)
    named = sum(samples for *_, samples in found.places)
    more = (f"audit: and {found.missing - named} samples more",) if found.missing > named else ()
    return (
        f"audit: {found.missing} samples were acknowledged and are not stored; `streamgauge logs gateway` has offsets",
        *(
            f"audit: lane {lane}, minute {minute}: {samples} samples"
            for lane, minute, samples in found.places
        ),
        *more,
    )


def _read(text: str) -> Audited | None:
    values: dict[str, float] = {}
    places = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == PREFIX + "missing_samples":
                places.append((sample.labels["lane"], sample.labels["minute"], int(sample.value)))
            elif sample.name.startswith(PREFIX):
                values[sample.name.removeprefix(PREFIX)] = sample.value
    if "missing_samples_sum" not in values:
        return None
    missing, verified = int(values["missing_samples_sum"]), int(values["verified_batches_total"])
    return Audited(verified, missing, tuple(sorted(places, key=lambda place: place[1])))
