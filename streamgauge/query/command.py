"""`streamgauge query`: runs the command and returns its exit code."""

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import click

from streamgauge.query import show
from streamgauge.query.caret import marked
from streamgauge.query.client import Answer, QueryFailed, ask
from streamgauge.query.series import label_names, series
from streamgauge.query.times import seconds, step_for
from streamgauge.terminal import terminal
from streamgauge.times import unix_seconds

HOUR_S = 3600
POINTS = 200
"""Maximum number of points of a range query without an explicit step."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were given."""

    expression: str
    url: str
    at: str | None = None
    start: str | None = None
    end: str | None = None
    step: str | None = None
    output: str | None = None


def run(asked: Asked, clock: Callable[[], float], zone: tzinfo | None = None) -> int:
    """Ask and print; the exit code.

    :param clock: gives Unix seconds. :param zone: of the times that are shown; that of this machine if None.
    """
    now = clock()
    zone = zone or datetime.now().astimezone().tzinfo or UTC
    try:
        if any(part is not None for part in (asked.start, asked.end, asked.step)):
            if asked.at is not None:
                raise ValueError(
                    "--time is for an instant query; --start, --end and --step are for a range query"
                )
            _range(asked, now, zone)
        else:
            _instant(asked, now, zone)
    except ValueError as error:
        return _failed(str(error))
    except QueryFailed as failure:
        return _failed(str(failure), marked(asked.expression, failure.message))
    return 0


def _instant(asked: Asked, now: float, zone: tzinfo) -> None:
    at = unix_seconds(asked.at or "now", now)
    answer = ask(asked.url, "/api/v1/query", {"query": asked.expression, "time": f"{at:.3f}"})
    _remarks(answer)
    if not _for_machines(asked.output, answer):
        show.instant(terminal(), answer, zone)


def _range(asked: Asked, now: float, zone: tzinfo) -> None:
    end = unix_seconds(asked.end or "now", now)
    start = end - HOUR_S if asked.start is None else unix_seconds(asked.start, now)
    if end < start:
        raise ValueError("the end is before the start")
    step = step_for(end - start, POINTS) if asked.step is None else seconds(asked.step)
    if asked.step is None:
        # so that the points stay where they are when the query is asked again
        start = start // step * step
    parameters = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
    answer = ask(asked.url, "/api/v1/query_range", {"query": asked.expression, **parameters})
    _remarks(answer)
    if not _for_machines(asked.output, answer):
        show.ranged(terminal(), answer, (start, end), step, zone)


def _for_machines(output: str | None, answer: Answer) -> bool:
    if output == "json":
        click.echo(json.dumps({"resultType": answer.kind, "result": answer.result}, ensure_ascii=False))
    elif output == "csv":
        found = series(answer)
        names = label_names(found)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*names, "time", "value"])
        for one in found:
            own = [one.labels.get(name, "") for name in names]
            for at, text in zip(one.times, one.texts, strict=True):
                writer.writerow([*own, f"{at:.3f}".rstrip("0").rstrip("."), text])
    return output is not None


def _remarks(answer: Answer) -> None:
    for kind, colour, messages in (("warning", "yellow", answer.warnings), ("info", "blue", answer.infos)):
        for message in messages:
            click.echo(f"{click.style(f'{kind}:', fg=colour)} {message}", err=True)


def _failed(message: str, place: list[str] | None = None) -> int:
    click.echo(f"{click.style('error:', fg='red')} {message}", err=True)
    for line in place or ():
        click.echo(f"  {line}", err=True)
    return 1
