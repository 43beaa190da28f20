"""The endpoints that read the store. They block; each gets its parameters and the reading it may do."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from schemas.tables import INDEX_PERIOD_MS, Resolution
from streamgauge.config import Gateway
from streamgauge.gateway import prometheus_json as answer
from streamgauge.gateway.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.parameters import Form, label_name
from streamgauge.promql.lookback import at_steps, without_stale
from streamgauge.promql.selectors import ExpressionFault, InvalidExpression, Selector, parse
from streamgauge.series.id_kernels import rows_of
from streamgauge.series.samples import Samples
from streamgauge.store.reader import Reader, Reading, Selection
from streamgauge.store.reading import TooManySamples


class Answer(NamedTuple):
    """The JSON of `data`, and warnings."""

    data: str
    warnings: list[str]


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
        lookback = self._lookback(form)
        selector = _parse(form.get("query"), "query")
        end = time - selector.offset_ms
        start = end - (lookback if selector.range_ms is None else selector.range_ms)
        selection = self._reader.select(selector.matchers, start + 1, end, reading)
        samples = self._reader.raw(selection, start + 1, end, reading)
        if selector.range_ms is not None:
            return _series(answer.matrix, without_stale(samples), selection, limit)
        found = at_steps(samples, end, 1, 1, lookback)
        return _series(answer.vector, _moved(found, selector.offset_ms), selection, limit)

    def range(self, form: Form, reading: Reading) -> Answer:
        """/api/v1/query_range"""
        limit = form.limit()
        steps = form.steps(self._settings.max_points)
        lookback = self._lookback(form)
        selector = _parse(form.get("query"), "query")
        if selector.range_ms is not None:
            raise invalid_parameter(
                "query",
                'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
            )
        first, end = steps.start - selector.offset_ms, steps.end - selector.offset_ms
        selection = self._reader.select(selector.matchers, first - lookback + 1, end, reading)
        if len(selection.labels) * steps.points > reading.max_samples:
            raise TooManySamples
        samples = self._reader.raw(selection, first - lookback + 1, end, reading)
        found = at_steps(samples, first, steps.step, steps.points, lookback)
        return _series(answer.matrix, _moved(found, selector.offset_ms), selection, limit)

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
            selector = _parse(text, "match[]")
            if selector.range_ms is not None or selector.offset_ms:
                raise invalid_parameter("match[]", "parse error: only a vector selector may stand here")
            found.update(self._reader.select(selector.matchers, start, end, reading).labels)
        return found


def _parse(text: str, parameter: str) -> Selector:
    try:
        return parse(text)
    except InvalidExpression as error:
        if error.reason is ExpressionFault.NOT_EVALUATED:
            raise InvalidRequest(ErrorType.EXECUTION, str(error)) from None
        raise invalid_parameter(parameter, str(error)) from None


def _moved(samples: Samples, offset_ms: int) -> Samples:
    """Points at the times they were asked for, not those an offset looked at."""
    return samples._replace(timestamps=samples.timestamps + offset_ms)


def _series(
    write: Callable[[Samples, Sequence[bytes], Sequence[int]], str],
    samples: Samples,
    selection: Selection,
    limit: int | None,
) -> Answer:
    labels = [selection.labels[row] for row in rows_of(selection.ids, samples.ids).tolist()]
    rows = sorted(range(len(labels)), key=lambda row: answer.by_labels(labels[row]))
    return Answer(write(samples, labels, rows[:limit]), _truncation(rows, limit))


def _truncation(found: Sequence[object] | set[str], limit: int | None) -> list[str]:
    return ["results truncated due to limit"] if limit is not None and len(found) > limit else []
