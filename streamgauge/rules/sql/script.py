"""The SQL of the job of SQL rules, rendered from a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import xxhash

from schemas.rule_files import NoData
from streamgauge.rules.machine.evaluation import ALERT_NAME
from streamgauge.rules.sql.rule import SqlRule, distinct
from streamgauge.rules.sql.statement import SamplesCall
from streamgauge.rules.sql.tokens import tokens
from streamgauge.series.matchers import Matcher

TABLE = "all_samples"
"""The samples of all selectors, with the number of the selector."""
ROLL_CALL = -1
"""In place of a selector's number: every rule is to know that time goes on."""


@dataclass(frozen=True, slots=True)
class RuleScript:
    """The statements of a rule: its view, and what gives the rows for its key."""

    rule: SqlRule
    view: str
    rows: str


@dataclass(frozen=True, slots=True)
class Script:
    """The statements, and the selectors by their numbers. identity: the same for the same statements."""

    selectors: Sequence[SamplesCall]
    views: Sequence[str]
    rules: Sequence[RuleScript]
    identity: str


def render(rules: Sequence[SqlRule]) -> Script:
    """The script for rules whose names are distinct. The text of each stands in its lines."""
    selectors = distinct(rules)
    views = {call.matchers: f"samples_{number}" for number, call in enumerate(selectors)}
    text = _template().render(
        table=TABLE,
        roll_call=ROLL_CALL,
        selectors=[{"view": view, "number": number} for number, view in enumerate(views.values())],
        rules=[_terms(number, one, views) for number, one in enumerate(rules)],
    )
    statements = _split(text)
    own = statements[len(selectors) :]
    return Script(
        selectors,
        statements[: len(selectors)],
        [RuleScript(*parts) for parts in zip(rules, own[::2], own[1::2], strict=True)],
        xxhash.xxh3_64_hexdigest(text.encode()),
    )


def _terms(number: int, one: SqlRule, views: Mapping[tuple[Matcher, ...], str]) -> dict[str, Any]:
    statement = one.statement
    used = dict.fromkeys(views[call.matchers] for call in statement.calls)
    return {
        "view": f"rule_{number}",
        "key": one.key,
        "select": statement.with_views(lambda call: views[call.matchers]),
        "labels": [
            (ALERT_NAME, _string(one.rule.name)),
            *((name, _column(name)) for name in statement.labels),
        ],
        "time": statement.time,
        "every": _string(_interval(one.every_ms)),
        "counted": [] if one.rule.no_data is NoData.OK else list(used),
    }


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("streamgauge.rules.sql", "."),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    environment.filters |= {"quoted": _string, "map_of": _map}
    return environment.get_template("script.sql.j2")


def _string(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _column(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"CAST(`{doubled}` AS STRING)"


def _map(labels: Sequence[tuple[str, str]]) -> str:
    entries = ", ".join(f"{_string(name)}, {value}" for name, value in labels)
    return f"CAST(MAP[{entries}] AS MAP<STRING, STRING>)"


def _interval(time_ms: int) -> str:
    """A time as SQL has it from days to seconds."""
    seconds, ms = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} {hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def _split(text: str) -> list[str]:
    """The statements, without the semicolons after them."""
    statements = []
    start = 0
    for token in tokens(text):
        if token.text == ";" and token.depth == 0:
            statements.append(text[start : token.start].strip("\n"))
            start = token.end
    return statements
