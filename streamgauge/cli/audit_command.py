"""`streamgauge audit`; the command imports its dependencies itself."""

import json
import sys

import click

from streamgauge.cli.reach import kafka_listens
from streamgauge.config import Config


@click.command()
@click.option(
    "--since", default="2h", show_default=True, help="How far back to look, as a duration; 25 h at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def audit(config: Config, since: str, as_json: bool) -> None:
    """Compare acknowledged batches with stored ones; exit with 1 if samples are missing."""
    from streamgauge.promql.syntax.literals import duration
    from streamgauge.store.audit import LOOK_BACK_MS, Audit
    from streamgauge.store.session import connected
    from streamgauge.times import now_ms, rfc3339

    try:
        begin = now_ms() - min(duration(since), LOOK_BACK_MS)
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="--since") from None
    kafka_listens(config)
    with connected(config.cassandra) as session:
        found = Audit(config, session, begin)
        found.look_once()
    missing = [
        {
            "lane": each.lane,
            "minute": rfc3339(each.minute),
            "samples": each.samples,
            "batches": [{"partition": partition, "offset": offset} for partition, offset in each.offsets],
        }
        for each in found.missing
    ]
    if as_json:
        click.echo(
            json.dumps({"verified": found.verified, "waiting": found.waiting, "missing": missing}, indent=1)
        )
    else:
        click.echo(f"{found.verified} batches verified as stored, {found.waiting} too recent to compare")
        for each in found.missing:
            places = ", ".join(f"{partition}/{offset}" for partition, offset in each.offsets[:5])
            more = f" and {len(each.offsets) - 5} more" if len(each.offsets) > 5 else ""
            click.echo(
                f"missing: lane {each.lane}, minute {rfc3339(each.minute)}, {each.samples} samples: "
                f"partition/offset {places}{more}"
            )
    sys.exit(1 if missing else 0)
