"""The result cache as a whole: Redis, range queries in parts, lists of the index, and its metrics."""

from collections.abc import Callable

from streamgauge.config import Config
from streamgauge.gateway.cache.answers import Answers, Listing
from streamgauge.gateway.cache.asked import Asked, Report
from streamgauge.gateway.cache.ranges import Ranges
from streamgauge.gateway.cache.remote import RemoteFault, RemoteValues
from streamgauge.gateway.cache.sealed import ReaderState, scope
from streamgauge.gateway.cache.values import ValueFault
from streamgauge.gateway.metrics import Metrics
from streamgauge.gateway.query.evaluation import Evaluation, refusing
from streamgauge.promql.engine.evaluator import Result
from streamgauge.store.reader import Reader
from streamgauge.store.reading import ReadContext


class QueryCache:
    """Responds from Redis where the cached results are still valid.

    :param store: its identity (`schema.identity`). :param clock: gives ms.
    """

    def __init__(
        self, config: Config, reader: Reader, store: str, clock: Callable[[], int], metrics: Metrics
    ) -> None:
        self._metrics = metrics
        self.remote = RemoteValues(config.redis, self._failed)
        own = scope(config, store)
        lanes = config.layout.lanes
        self._ranges = Ranges(
            own, ReaderState(reader), config.storage_classes, lanes, self.remote, clock, self._failed
        )
        self._answers = Answers(own, reader, self.remote, self._failed)

    def range(self, evaluation: Evaluation, no_store: bool, reading: ReadContext) -> tuple[Result, Report]:
        """The result of a range query, and where it came from.

        :raises InvalidRequest: with the reason, if it has none.
        """
        query = evaluation.query
        asked = Asked(
            evaluation.text,
            evaluation.expression,
            query,
            evaluation.levels,
            evaluation.compute,
            evaluation.limits(),
            no_store,
        )
        with refusing():
            value, warnings, infos, report = self._ranges.answer(asked, reading)
        self._metrics.lookups.add("results", "hit", report.kept_points)
        self._metrics.lookups.add("results", "miss", report.points - report.kept_points)
        if report.refusal:
            self._metrics.not_kept.labels(report.refusal).inc()
        return Result(value, query.grid.times, warnings, infos), report

    def listing(
        self,
        question: tuple[object, ...],
        times: tuple[int, int],
        compute: Callable[[], Listing],
        reading: ReadContext,
    ) -> Listing:
        """A list that follows from the index, as `Answers.answer` says."""
        found, was_kept = self._answers.answer(question, times, compute, reading)
        if was_kept is not None:
            self._metrics.lookups.add("lists", "hit" if was_kept else "miss", 1)
        return found

    def _failed(self, fault: RemoteFault | ValueFault) -> None:
        self._metrics.cache_faults.labels(fault).inc()
