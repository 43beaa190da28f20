"""The endpoints that read the store. They block; each takes its parameters and a reading with limits."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from schemas.tables import INDEX_PERIOD_MS, Resolution
from streamgauge.config import Gateway
from streamgauge.gateway.cache.answers import Listing
from streamgauge.gateway.cache.asked import Report
from streamgauge.gateway.formats import prometheus_json as answer
from streamgauge.gateway.formats.bodies import PIECE_BYTES, Body, gathered
from streamgauge.gateway.query.evaluation import Estimate, Evaluation, expression
from streamgauge.gateway.query.explain import explained
from streamgauge.gateway.query.query_cache import QueryCache
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.request.parameters import MAX_MS, NS_PER_MS, Form, label_name
from streamgauge.promql.data.query import TEXT_BYTES, Query
from streamgauge.promql.engine.evaluator import Result
from streamgauge.promql.syntax import parser
from streamgauge.promql.syntax.functions_table import ValueType
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression
from streamgauge.promql.syntax.printer import pretty
from streamgauge.series.labels import NAME
from streamgauge.series.matchers import Matcher
from streamgauge.series.regexes import RegexAllowance
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext

_NO_TIME = -MAX_MS - 1
"""Earlier than any that is given."""
TRUNCATED = "results truncated due to limit"


class InvalidSelector(InvalidRequest):
    """An invalid `match[]`."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorType.BAD_DATA, message)


class Answer(NamedTuple):
    """The JSON of `data`, warnings, infos, and the JSON of the explanation if requested.

    One without data has no content.
    """

    data: Body
    warnings: list[str]
    infos: Sequence[str] = ()
    explain: str = ""


class Queries:
    """Prometheus's query endpoints over a reader. `clock` returns ms, `kept` is the result cache."""

    def __init__(
        self, settings: Gateway, reader: Reader, clock: Callable[[], int], kept: QueryCache | None = None
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._kept = kept

    def instant(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/query"""
        limit = form.limit()
        evaluation = self._instant(form, reading)
        result = evaluation.whole()
        return self._answer(form, evaluation, result, answer.instant(result, limit, reading.hold), reading)

    def range(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/query_range"""
        limit = form.limit()
        evaluation = self._range(form, reading)
        if self._kept is None:
            result, report = evaluation.whole(), None
        else:
            result, report = self._kept.range(evaluation, form.no_store, reading)
        shown = answer.ranged(result, limit, reading.hold)
        return self._answer(form, evaluation, result, shown, reading, report)

    def instant_cost(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/query_cost"""
        form.limit()
        return _cost(self._instant(form, reading).forecast(), reading)

    def range_cost(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/query_range_cost"""
        form.limit()
        return _cost(self._range(form, reading).forecast(), reading)

    def formatted(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/format_query"""
        return document(pretty(expression(form.get("query"), "query")), reading)

    def series(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/series"""
        if not form.all("match[]"):
            raise InvalidRequest(ErrorType.BAD_DATA, "no match[] parameter provided")
        limit = form.limit()

        def compute() -> Listing:
            try:
                found = sorted(self._matching(form, reading), key=answer.by_labels)
            except InvalidSelector as fault:
                raise invalid_parameter("match[]", str(fault)) from None
            sets = (answer.text(answer.label_set(data)) for data in islice(found, limit))
            return Listing(_listing(sets, reading), _truncation(found, limit))

        return self._listed("series", form, compute, reading)

    def label_names(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/labels"""
        limit = form.limit()

        def compute() -> Listing:
            found = self._names(form, reading)
            return Listing(_texts(found, limit, reading), _truncation(found, limit))

        return self._listed("labels", form, compute, reading)

    def _names(self, form: Form, reading: ReadContext) -> set[str]:
        if form.all("match[]"):
            return {name for data in self._matching(form, reading) for name in answer.label_set(data)}
        start, end = self._times(form)
        return self._reader.index.label_names(start, end, reading) if start <= end else set()

    def label_values(self, form: Form, reading: ReadContext) -> Answer:
        """/api/v1/label/NAME/values"""
        name = label_name(form.path_name)
        limit = form.limit()

        def compute() -> Listing:
            found = self._values(name, form, reading)
            return Listing(_texts(found, limit, reading), _truncation(found, limit))

        return self._listed(f"values {name}", form, compute, reading)

    def _values(self, name: str, form: Form, reading: ReadContext) -> set[str]:
        if form.all("match[]"):
            sets = [answer.label_set(data) for data in self._matching(form, reading)]
            return {labels[name] for labels in sets if name in labels}
        start, end = self._times(form)
        return self._reader.index.label_values(name, start, end, reading) if start <= end else set()

    def _listed(self, what: str, form: Form, compute: Callable[[], Listing], reading: ReadContext) -> Answer:
        """A list that follows from the index."""
        if self._kept is None or form.no_store:
            return _listed(compute(), reading)
        question = (what, tuple(form.selectors()), form.limit())
        return _listed(self._kept.listing(question, self._times(form), compute, reading), reading)

    def readable(self, reading: ReadContext) -> None:
        """Check that the store responds; raises its errors."""
        self._reader.blocks.progress(Resolution.MIN1, reading)

    def metrics(self, form: Form, reading: ReadContext) -> set[str]:
        """The names of the metrics that any `match[]` selects."""
        return {answer.label_set(data).get(NAME, "") for data in self._matching(form, reading)}

    def _instant(self, form: Form, reading: ReadContext) -> Evaluation:
        time = form.time("time", self._clock())
        text, lookback = form.get("query"), self._lookback(form)
        reading.is_now = not form.no_store
        query = Query(time, time, 1, lookback)
        return Evaluation(text, expression(text, "query"), query, self._reader, reading)

    def _range(self, form: Form, reading: ReadContext) -> Evaluation:
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
        shown: tuple[list[bytes], bool],
        reading: ReadContext,
        report: Report | None = None,
    ) -> Answer:
        pieces, cut = shown
        warnings = [*result.warnings, *([TRUNCATED] if cut else [])]
        explain = ""
        if form.flag("explain"):
            levels, looks = evaluation.levels, evaluation.source.looks.all
            explain = explained(evaluation.expression, evaluation.query, levels, looks, report)
        return Answer(kept(pieces, reading), warnings, result.infos, explain)

    def _lookback(self, form: Form) -> int:
        try:
            given = form.duration_ns("lookback_delta") if form.get("lookback_delta") else 0
            # as in Prometheus, whose engine takes none for its own, and one below 1 ms for the samples of the very step
            return max(1, given // NS_PER_MS) if given > 0 else self._settings.lookback_s * 1000
        except InvalidRequest as fault:
            _, _, detail = str(fault).partition(": ")
            message = f"error parsing lookback delta duration: {detail}"
            raise InvalidRequest(ErrorType.BAD_DATA, message) from None

    def _times(self, form: Form) -> tuple[int, int]:
        start, end = form.time("start", _NO_TIME), form.time("end", self._clock())
        return (end - INDEX_PERIOD_MS if start == _NO_TIME else start), end

    def _matching(self, form: Form, reading: ReadContext) -> set[bytes]:
        """The canonical labels of the series that any `match[]` selects; none where the end is before the start."""
        start, end = self._times(form)
        found: set[bytes] = set()
        regexes = RegexAllowance()
        for conditions in [selector(text, regexes) for text in form.selectors()]:
            if start <= end:
                found.update(self._reader.select(conditions, start, end, reading).labels)
        return found


def _cost(found: Estimate, reading: ReadContext) -> Answer:
    estimate = {"seriesTouched": found.series, "samplesRead": found.samples, "bytes": found.bytes}
    return document({"estimate": estimate}, reading)


def selector(text: str, regexes: RegexAllowance) -> tuple[Matcher, ...]:
    """The conditions of a `match[]`.

    :raises InvalidSelector: for what is none, or one that series without any label would fulfil.
    """
    try:
        return parser.selector(text, regexes)
    except InvalidExpression as error:
        if error.reason is ExpressionFault.EMPTY:
            raise InvalidSelector("match[] must contain at least one non-empty matcher") from None
        raise InvalidSelector(str(error)) from None


def document(content: object, reading: ReadContext, warnings: Sequence[str] = (), held: int = 0) -> Answer:
    """An answer of any JSON value, in which iterators are lists that are made while they are written.

    :param held: bytes that the value takes, beside what is written of it.
    :raises InvalidRequest: by `hold`. :raises DeadlinePassed: by the reading.
    """
    parts = reading.watched(answer.parts(content))
    pieces = gathered(parts, lambda size: reading.hold(held + size))
    return Answer(kept(pieces, reading), [*warnings])


def kept(pieces: list[bytes], reading: ReadContext) -> Body:
    """Return a body that keeps only its own share of the reading's memory."""
    return Body(pieces, reading.keep(sum(map(len, pieces))))


def _texts(found: set[str], limit: int | None, reading: ReadContext) -> str:
    return _listing(map(answer.text, sorted(found)[:limit]), reading)


def _listing(parts: Iterable[str], reading: ReadContext) -> str:
    """A list of JSON. It is there twice when it is put together, and again when it is kept."""
    found, size = [], 0
    for number, part in enumerate(parts):
        found.append(part)
        size += len(part) + TEXT_BYTES
        if number % 1000 == 0:
            reading.hold(3 * size)
    reading.hold(3 * size)
    return f"[{','.join(found)}]"


def _listed(found: Listing, reading: ReadContext) -> Answer:
    pieces = gathered(
        (found.data[at : at + PIECE_BYTES] for at in range(0, len(found.data), PIECE_BYTES)),
        lambda size: reading.hold(len(found.data) + size),
    )
    return Answer(kept(pieces, reading), found.warnings)


def _truncation(found: Sequence[object] | set[str], limit: int | None) -> list[str]:
    return [TRUNCATED] if limit is not None and len(found) > limit else []
