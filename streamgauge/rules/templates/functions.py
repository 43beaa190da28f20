"""The functions that templates may call: Go's own and Prometheus's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_plus, urlsplit

from streamgauge.rules.templates import comparison, formatting, humanize, text
from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.values import Args, Sample, Value, is_true, type_name


class Kind(StrEnum):
    """What a parameter takes; the values are Go's names of the types."""

    ANY = "interface {}"
    STRING = "string"
    SAMPLE = "*template.sample"
    SAMPLES = "template.queryResult"


@dataclass(frozen=True, slots=True)
class Function:
    """A function, the kinds of its parameters, and that of any more."""

    call: Callable[..., Value]
    kinds: tuple[Kind, ...] = ()
    rest: Kind | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What functions know of the world.

    :param query: the series of an instant query at the time of the evaluation; may raise FunctionFault.
    :param time_ms: that time. :param external_url: where users find the system.
    """

    query: Callable[[str], list[Sample]]
    time_ms: int = 0
    external_url: str = ""


def functions(environment: Environment) -> Mapping[str, Function]:
    """All functions by name."""
    return {
        **_PURE,
        "query": Function(environment.query, (Kind.STRING,)),
        "now": Function(lambda: environment.time_ms / 1000),
        "externalURL": Function(lambda: environment.external_url),
        "pathPrefix": Function(lambda: urlsplit(environment.external_url).path),
    }


def _first(samples: list[Sample]) -> Sample:
    if not samples:
        raise FunctionFault("first() called on vector with no elements")
    return samples[0]


def _sorted(label: str, samples: list[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: sample.Labels.get(label, "").encode())


def _args(*values: Value) -> Args:
    return Args({f"arg{at}": value for at, value in enumerate(values)})


def _not(value: Value) -> bool:
    return not is_true(value)


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict | list):
        return len(value)
    raise FunctionFault("len of nil pointer" if value is None else f"len of type {type_name(value)}")


def _index(value: Value, *keys: Value) -> Value:
    if value is None:
        raise FunctionFault("index of untyped nil")
    for key in keys:
        match value:
            case dict():
                if not isinstance(key, str):
                    raise FunctionFault(f"value has type {type_name(key)}; should be string")
                value = value.get(key, None if isinstance(value, Args) else "")
            case str():
                value = value.encode()[_position(key, _length(value))]
            case list():
                value = value[_position(key, len(value))]
            case _:
                raise FunctionFault(f"can't index item of type {type_name(value)}")
    return value


def _position(key: Value, length: int, end: int = 0) -> int:
    if not isinstance(key, int) or isinstance(key, bool):
        raise FunctionFault(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < length + end:
        raise FunctionFault(f"index out of range: {key}")
    return key


def _slice(value: Value, *bounds: Value) -> Value:
    if not isinstance(value, str | list):
        raise FunctionFault(f"can't slice item of type {type_name(value)}")
    if len(bounds) > 2:
        raise FunctionFault(f"too many slice indexes: {len(bounds)}")
    whole = value.encode() if isinstance(value, str) else value
    first = _position(bounds[0], len(whole), 1) if bounds else 0
    last = _position(bounds[1], len(whole), 1) if len(bounds) > 1 else len(whole)
    if first > last:
        raise FunctionFault(f"invalid slice index: {first} > {last}")
    part = whole[first:last]
    return part.decode(errors="replace") if isinstance(part, bytes) else part


def _call(*_: Value) -> Value:
    raise FunctionFault("there is no value that can be called")


_ANY, _STRING = (Kind.ANY,), (Kind.STRING,)
_PURE: dict[str, Function] = {
    # these two look at their arguments one by one, which the evaluator does
    "and": Function(_call, _ANY, Kind.ANY),
    "or": Function(_call, _ANY, Kind.ANY),
    "not": Function(_not, _ANY),
    "eq": Function(comparison.equal, _ANY, Kind.ANY),
    "ne": Function(comparison.differs, _ANY * 2),
    "lt": Function(comparison.less, _ANY * 2),
    "le": Function(comparison.at_most, _ANY * 2),
    "gt": Function(comparison.greater, _ANY * 2),
    "ge": Function(comparison.at_least, _ANY * 2),
    "len": Function(_length, _ANY),
    "index": Function(_index, _ANY, Kind.ANY),
    "slice": Function(_slice, _ANY, Kind.ANY),
    "call": Function(_call, _ANY, Kind.ANY),
    "print": Function(lambda *values: formatting.sprint(values), (), Kind.ANY),
    "println": Function(lambda *values: formatting.sprintln(values), (), Kind.ANY),
    "printf": Function(lambda layout, *values: formatting.sprintf(layout, values), _STRING, Kind.ANY),
    "html": Function(lambda *values: text.html_escaped(formatting.sprint(values)), (), Kind.ANY),
    "js": Function(lambda *values: text.js_escaped(formatting.sprint(values)), (), Kind.ANY),
    "urlquery": Function(lambda *values: quote_plus(formatting.sprint(values)), (), Kind.ANY),
    "first": Function(_first, (Kind.SAMPLES,)),
    "value": Function(lambda sample: sample.Value, (Kind.SAMPLE,)),
    "label": Function(lambda label, sample: sample.Labels.get(label, ""), (Kind.STRING, Kind.SAMPLE)),
    "strvalue": Function(lambda sample: sample.Labels.get("__value__", ""), (Kind.SAMPLE,)),
    "sortByLabel": Function(_sorted, (Kind.STRING, Kind.SAMPLES)),
    "args": Function(_args, (), Kind.ANY),
    "safeHtml": Function(str, _STRING),
    "match": Function(text.matches, _STRING * 2),
    "reReplaceAll": Function(text.replaced, _STRING * 3),
    "title": Function(text.title, _STRING),
    "toUpper": Function(text.upper, _STRING),
    "toLower": Function(text.lower, _STRING),
    "stripPort": Function(text.without_port, _STRING),
    "stripDomain": Function(text.without_domain, _STRING),
    "graphLink": Function(lambda query: f"/graph?g0.expr={quote_plus(query)}&g0.tab=0", _STRING),
    "tableLink": Function(lambda query: f"/graph?g0.expr={quote_plus(query)}&g0.tab=1", _STRING),
    "urlQueryEscape": Function(quote_plus, _STRING),
    "humanize": Function(humanize.humanize, _ANY),
    "humanize1024": Function(humanize.humanize1024, _ANY),
    "humanizePercentage": Function(humanize.humanize_percentage, _ANY),
    "humanizeDuration": Function(humanize.humanize_duration, _ANY),
    "humanizeTimestamp": Function(humanize.humanize_timestamp, _ANY),
    "toTime": Function(humanize.to_time, _ANY),
    "toDuration": Function(humanize.to_duration, _ANY),
    "parseDuration": Function(humanize.parse_duration, _STRING),
}
NAMES = frozenset({*_PURE, "query", "now", "externalURL", "pathPrefix"})
"""Of all functions, for the parser."""
