"""One SQL rule, tick by tick, without Flink: see `SqlAlerts`."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

from schemas.rule_files import NoData
from schemas.rule_messages import encode_group
from streamgauge.config import Alerts
from streamgauge.promql.data.query import Source
from streamgauge.rules.job.group_messages import GroupMessages, Moment, Ticked
from streamgauge.rules.machine.alerts import Failure, Observed, Result
from streamgauge.rules.machine.compiled import EvaluationContext, outside_of
from streamgauge.rules.machine.evaluation import ALERT_NAME, Evaluation, FromSource, Point
from streamgauge.rules.machine.group_state import GroupState, Origin, Outcome, identities
from streamgauge.rules.sql.rule import SqlRule

Found = tuple[Mapping[str, str], float]
"""The labels and the value of a row."""


class SqlGroup:
    """A rule from when a worker first meets it; it is the one rule of its group.

    :param key: of the group. :param rule: None if it is gone. :param state: what is in Flink's state.
    :param store: where queries of templates are answered. :param clock: seconds of the epoch.
    """

    def __init__(
        self,
        key: str,
        rule: SqlRule | None,
        state: GroupState,
        config: Alerts,
        lanes: int,
        context: EvaluationContext,
        store: Source,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rule = rule
        self.state = state
        self._answers = FromSource(store, context)
        self._context = context
        self._clock = clock
        definition = encode_group(rule.group).decode() if rule else ""
        self._messages = GroupMessages(key, state, config, lanes, clock, definition)
        self._rules = identities(rule.group, key) if rule else []
        self._outside = outside_of(rule.rule, rule.group) if rule else None

    def tick(self, tick: int, rows: Sequence[Found], has_samples: bool) -> Ticked:
        """Go on to a tick (ms) with the rows that count at it; one that is there twice counts once.

        :param has_samples: whether anything came that the rule reads, for rules that need to know.
        """
        began = self._clock()
        ticked = self._adopted(tick)
        if self.rule is None or self._outside is None:
            self._messages.emit(Moment(tick, "", 0, tick), ticked)
            self._messages.withdraw(ticked)
            return ticked
        found = self._result(tick, rows, has_samples)
        self.state.take(self._rules[0], self._outside, tick, found, ticked.outcome)
        moment = Moment(tick, self.rule.version, self.rule.every_ms, tick)
        self._messages.emit(moment, ticked)
        self._messages.show(moment, ticked, self._rules, [self._clock() - began], [len(rows)])
        return ticked

    def _adopted(self, tick: int) -> Ticked:
        origins = {}
        if self.rule is not None:
            origins = {one: Origin(self.rule.rule.name, self.rule.statement.queries) for one in self._rules}
        if self.state.origins == origins:
            return Ticked(Outcome(), are_new=self.rule is None)
        return Ticked(self.state.adopt(origins, tick), are_new=True)

    def _result(self, tick: int, rows: Sequence[Found], has_samples: bool) -> Result | Failure:
        outside = self._outside
        if outside is None:
            raise ValueError("a rule that is gone")
        evaluation = Evaluation(self._answers, self._context, tick)
        alerting: dict[tuple[tuple[str, str], ...], Observed] = {}
        for labels, value in rows:
            own = {name: text for name, text in labels.items() if text and name != ALERT_NAME}
            one = evaluation.observed(outside, Point(own, value))
            if one.series in alerting and not _same(alerting[one.series].value, value):
                return Failure(f"two rows with the labels {own} and different values")
            alerting[one.series] = one
        is_asked = outside.terms.no_data is not NoData.OK and not has_samples
        return Result(
            list(alerting.values()),
            (),
            frozenset() if is_asked else None,
            evaluation.observed(outside, Point({}, math.nan)) if is_asked else None,
        )


def _same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))
