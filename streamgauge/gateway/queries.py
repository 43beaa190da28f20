"""The endpoints that read the store. They block; each gets its parameters and the reading it may do."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from schemas.tables import INDEX_PERIOD_MS, Resolution
from streamgauge.config import Gateway
from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway import results
from streamgauge.gateway.evaluation import evaluated, expression
from streamgauge.gateway.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.parameters import Form, label_name
from streamgauge.promql.ast import VectorSelector
from streamgauge.promql.engine import Result
from streamgauge.promql.printer import pretty
from streamgauge.promql.query import Query
from streamgauge.promql.value_type import ValueType
from streamgauge.store.reader import Reader, Reading

TRUNCATED = "results truncated due to limit"


class Answer(NamedTuple):
    """The JSON of `data`, warnings and infos."""

    data: str
    warnings: list[str]
    infos: Sequence[str] = ()


class Queries:
    """Prometheus's query endpoints over a reader. `clock` gives the time in ms."""

    def __init__(self, settings: Gateway, reader: Reader, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._reader = reader
        self._clock = clock

    def instant(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query"""
        limit = form.limit()
        time = form.time("time", self._clock())
        text, lookback = form.get("query"), self._lookback(form)
        parsed = expression(text, "query")
        result = evaluated(text, parsed, Query(time, time, 1, lookback), self._reader, reading)
        return _answer(result, *results.instant(result, limit))

    def range(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query_range"""
        limit = form.limit()
        steps = form.steps(self._settings.max_points)
        text, lookback = form.get("query"), self._lookback(form)
        parsed = expression(text, "query")
        if parsed.type not in (ValueType.SCALAR, ValueType.VECTOR):
            raise invalid_parameter(
                "query",
                f'invalid expression type "{parsed.type.documented}" for range query, '
                "must be Scalar or instant Vector",
            )
        query = Query(steps.start, steps.end, steps.step, lookback)
        result = evaluated(text, parsed, query, self._reader, reading)
        return _answer(result, *results.ranged(result, limit))

    def formatted(self, form: Form, _: Reading) -> Answer:
        """/api/v1/format_query"""
        return Answer(answer.text(pretty(expression(form.get("query"), "query"))), [])

    def series(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/series"""
        if not form.all("match[]"):
            raise InvalidRequest(ErrorType.BAD_DATA, "no match[] parameter provided")
        limit = form.limit()
        found = sorted(self._matching(form, reading), key=answer.by_labels)
        sets = [answer.text(answer.label_set(data)) for data in islice(found, limit)]
        return Answer(f"[{','.join(sets)}]", _truncation(found, limit))

    def label_names(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/labels"""
        limit = form.limit()
        if form.all("match[]"):
            found = {name for data in self._matching(form, reading) for name in answer.label_set(data)}
        else:
            found = self._reader.index.label_names(*self._times(form), reading)
        return Answer(answer.text(sorted(found)[:limit]), _truncation(found, limit))

    def label_values(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/label/NAME/values"""
        name = label_name(form.path_name)
        limit = form.limit()
        if form.all("match[]"):
            sets = [answer.label_set(data) for data in self._matching(form, reading)]
            found = {labels[name] for labels in sets if name in labels}
        else:
            found = self._reader.index.label_values(name, *self._times(form), reading)
        return Answer(answer.text(sorted(found)[:limit]), _truncation(found, limit))

    def readable(self, reading: Reading) -> Answer:
        """Whether the store answers: raises what it raises."""
        return Answer(str(len(self._reader.blocks.progress(Resolution.MIN1, reading))), [])

    def _lookback(self, form: Form) -> int:
        if form.get("lookback_delta"):
            return form.duration("lookback_delta")
        return self._settings.lookback_s * 1000

    def _times(self, form: Form) -> tuple[int, int]:
        end = form.time("end", self._clock())
        return form.time("start", end - INDEX_PERIOD_MS), end

    def _matching(self, form: Form, reading: Reading) -> set[bytes]:
        """The canonical labels of the series that any `match[]` selects."""
        start, end = self._times(form)
        found: set[bytes] = set()
        for text in form.all("match[]"):
            conditions = _selector(text).conditions
            found.update(self._reader.select(conditions, start, end, reading).labels)
        return found


def _answer(result: Result, data: str, cut: bool) -> Answer:
    warnings = [*result.warnings, *([TRUNCATED] if cut else [])]
    return Answer(data, warnings, result.infos)


def _selector(text: str) -> VectorSelector:
    parsed = expression(text, "match[]")
    if not isinstance(parsed, VectorSelector) or parsed.offset or parsed.at is not None:
        raise invalid_parameter("match[]", "parse error: only a vector selector may stand here")
    return parsed


def _truncation(found: Sequence[object] | set[str], limit: int | None) -> list[str]:
    return [TRUNCATED] if limit is not None and len(found) > limit else []
