"""The endpoints that read the store. They block; each gets its parameters and the reading it may do."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from schemas.tables import INDEX_PERIOD_MS, Resolution
from streamgauge.config import Gateway
from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway import results
from streamgauge.gateway.cache.answers import Listing
from streamgauge.gateway.cache.asked import Report
from streamgauge.gateway.cost import Estimate
from streamgauge.gateway.evaluation import Evaluation, expression
from streamgauge.gateway.explain import explained
from streamgauge.gateway.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.kept import Kept
from streamgauge.gateway.parameters import Form, label_name
from streamgauge.promql import parser
from streamgauge.promql.engine import Result
from streamgauge.promql.invalid_expression import InvalidExpression
from streamgauge.promql.printer import pretty
from streamgauge.promql.query import Query
from streamgauge.promql.value_type import ValueType
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher
from streamgauge.store.reader import Reader, Reading

NON_EMPTY = "at least one non-empty matcher"
TRUNCATED = "results truncated due to limit"


class InvalidSelector(InvalidRequest):
    """A `match[]` that is none."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorType.BAD_DATA, message)


class Answer(NamedTuple):
    """The JSON of `data`, warnings, infos, and the JSON of how it came about if that was asked for."""

    data: str
    warnings: list[str]
    infos: Sequence[str] = ()
    explain: str = ""


class Queries:
    """Prometheus's query endpoints over a reader. `clock` gives the time in ms, `kept` what was answered before."""

    def __init__(
        self, settings: Gateway, reader: Reader, clock: Callable[[], int], kept: Kept | None = None
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._kept = kept

    def instant(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query"""
        limit = form.limit()
        evaluation = self._instant(form, reading)
        result = evaluation.whole()
        return self._answer(form, evaluation, result, results.instant(result, limit))

    def range(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query_range"""
        limit = form.limit()
        evaluation = self._range(form, reading)
        if self._kept is None:
            result, report = evaluation.whole(), None
        else:
            result, report = self._kept.range(evaluation, form.no_store, reading)
        return self._answer(form, evaluation, result, results.ranged(result, limit), report)

    def instant_cost(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query_cost"""
        form.limit()
        return _cost(self._instant(form, reading).forecast())

    def range_cost(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query_range_cost"""
        form.limit()
        return _cost(self._range(form, reading).forecast())

    def formatted(self, form: Form, _: Reading) -> Answer:
        """/api/v1/format_query"""
        return Answer(answer.text(pretty(expression(form.get("query"), "query"))), [])

    def series(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/series"""
        if not form.all("match[]"):
            raise InvalidRequest(ErrorType.BAD_DATA, "no match[] parameter provided")
        limit = form.limit()

        def compute() -> Listing:
            try:
                found = sorted(self._matching(form, reading), key=answer.by_labels)
            except InvalidSelector as fault:
                raise invalid_parameter("match[]", str(fault)) from None
            sets = [answer.text(answer.label_set(data)) for data in islice(found, limit)]
            return Listing(f"[{','.join(sets)}]", _truncation(found, limit))

        return self._listed("series", form, compute, reading)

    def label_names(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/labels"""
        limit = form.limit()

        def compute() -> Listing:
            found = self._names(form, reading)
            return Listing(answer.text(sorted(found)[:limit]), _truncation(found, limit))

        return self._listed("labels", form, compute, reading)

    def _names(self, form: Form, reading: Reading) -> set[str]:
        if form.all("match[]"):
            return {name for data in self._matching(form, reading) for name in answer.label_set(data)}
        return self._reader.index.label_names(*self._times(form), reading)

    def label_values(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/label/NAME/values"""
        name = label_name(form.path_name)
        limit = form.limit()

        def compute() -> Listing:
            found = self._values(name, form, reading)
            return Listing(answer.text(sorted(found)[:limit]), _truncation(found, limit))

        return self._listed(f"values {name}", form, compute, reading)

    def _values(self, name: str, form: Form, reading: Reading) -> set[str]:
        if form.all("match[]"):
            sets = [answer.label_set(data) for data in self._matching(form, reading)]
            return {labels[name] for labels in sets if name in labels}
        return self._reader.index.label_values(name, *self._times(form), reading)

    def _listed(self, what: str, form: Form, compute: Callable[[], Listing], reading: Reading) -> Answer:
        """A list that follows from the index."""
        if self._kept is None or form.no_store:
            return Answer(*compute())
        question = (what, tuple(form.all("match[]")), form.limit())
        return Answer(*self._kept.listing(question, self._times(form), compute, reading))

    def readable(self, reading: Reading) -> Answer:
        """Whether the store answers: raises what it raises."""
        return Answer(str(len(self._reader.blocks.progress(Resolution.MIN1, reading))), [])

    def metrics(self, form: Form, reading: Reading) -> set[str]:
        """The names of the metrics that any `match[]` selects."""
        return {answer.label_set(data).get(NAME, "") for data in self._matching(form, reading)}

    def _instant(self, form: Form, reading: Reading) -> Evaluation:
        time = form.time("time", self._clock())
        text, lookback = form.get("query"), self._lookback(form)
        reading.is_now = not form.no_store
        query = Query(time, time, 1, lookback)
        return Evaluation(text, expression(text, "query"), query, self._reader, reading)

    def _range(self, form: Form, reading: Reading) -> Evaluation:
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
        return Evaluation(text, parsed, query, self._reader, reading)

    def _answer(
        self,
        form: Form,
        evaluation: Evaluation,
        result: Result,
        shown: tuple[str, bool],
        report: Report | None = None,
    ) -> Answer:
        data, cut = shown
        warnings = [*result.warnings, *([TRUNCATED] if cut else [])]
        explain = ""
        if form.flag("explain"):
            levels, looks = evaluation.levels, evaluation.source.looks.all
            explain = explained(evaluation.expression, evaluation.query, levels, looks, report)
        return Answer(data, warnings, result.infos, explain)

    def _lookback(self, form: Form) -> int:
        if not form.get("lookback_delta"):
            return self._settings.lookback_s * 1000
        try:
            return form.duration("lookback_delta")
        except InvalidRequest as fault:
            _, _, detail = str(fault).partition(": ")
            message = f"error parsing lookback delta duration: {detail}"
            raise InvalidRequest(ErrorType.BAD_DATA, message) from None

    def _times(self, form: Form) -> tuple[int, int]:
        end = form.time("end", self._clock())
        return form.time("start", end - INDEX_PERIOD_MS), end

    def _matching(self, form: Form, reading: Reading) -> set[bytes]:
        """The canonical labels of the series that any `match[]` selects."""
        start, end = self._times(form)
        found: set[bytes] = set()
        for text in form.all("match[]"):
            conditions = _selector(text)
            found.update(self._reader.select(conditions, start, end, reading).labels)
        return found


def _cost(found: Estimate) -> Answer:
    estimate = {"seriesTouched": found.series, "samplesRead": found.samples, "bytes": found.bytes}
    return Answer(answer.text({"estimate": estimate}), [])


def _selector(text: str) -> tuple[Matcher, ...]:
    try:
        return parser.selector(text)
    except InvalidExpression as error:
        if error.detail.endswith(NON_EMPTY):
            raise InvalidSelector(f"match[] must contain {NON_EMPTY}") from None
        raise InvalidSelector(str(error)) from None


def _truncation(found: Sequence[object] | set[str], limit: int | None) -> list[str]:
    return [TRUNCATED] if limit is not None and len(found) > limit else []
