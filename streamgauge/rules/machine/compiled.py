"""Rules ready to be evaluated: everything parsed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.rule_files import Group, NoData, Rule, RuleKind
from streamgauge.promql.syntax.ast import Expr
from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.machine.alerts import Terms
from streamgauge.rules.machine.no_data import asks_for_absence, without_conditions
from streamgauge.rules.templates.template import Template
from streamgauge.rules.templates.template import parse as parse_template


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What rules know beside their samples: labels and URL of this system, and how an instant query is asked.

    :param lookback_ms: how old a sample may be. :param subquery_step_ms: of subqueries that name no step.
    """

    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    lookback_ms: int = 300_000
    subquery_step_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Outside:
    """What a rule makes of the series that it finds, however it finds them: its templates parsed, and its terms.

    labels: those of the group too.
    """

    rule: Rule
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]
    terms: Terms

    @property
    def is_alert(self) -> bool:
        """Whether it raises alerts; it records series otherwise."""
        return self.rule.kind is RuleKind.ALERT


@dataclass(frozen=True, slots=True)
class CompiledRule(Outside):
    """A rule with its expressions and templates parsed.

    resolve: None if there is none. data: what tells which series have data; None if the rule does not need to know.
    """

    expr: Expr
    resolve: Expr | None
    data: Expr | None


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """A group with its rules ready."""

    group: Group
    rules: Sequence[CompiledRule]
    query_offset_ms: int


def compile_group(group: Group, query_offset_ms: int = 0) -> CompiledGroup:
    """Parse everything in a group that was read without faults.

    :param query_offset_ms: of groups that name none.
    :raises InvalidExpression, InvalidTemplate: for one that was not.
    """
    offset = query_offset_ms if group.query_offset_ms is None else group.query_offset_ms
    return CompiledGroup(group, [compile_rule(rule, group) for rule in group.rules], offset)


def compile_rule(rule: Rule, group: Group) -> CompiledRule:
    """Parse everything in a rule of a group.

    :raises InvalidExpression, InvalidTemplate: if it cannot be parsed.
    """
    expr = _expression(rule.expr)
    looks_at_data = rule.no_data is not NoData.OK or rule.resolve is not None
    looks_at_data = looks_at_data and not asks_for_absence(expr)
    outside = outside_of(rule, group)
    return CompiledRule(
        rule,
        outside.labels,
        outside.annotations,
        outside.terms,
        expr,
        None if rule.resolve is None else _expression(rule.resolve),
        without_conditions(expr) if looks_at_data else None,
    )


def outside_of(rule: Rule, group: Group) -> Outside:
    """Parse everything in a rule of a group but its expressions.

    :raises InvalidTemplate: if it cannot be parsed.
    """
    return Outside(
        rule,
        {name: _template(text, rule) for name, text in {**group.labels, **rule.labels}.items()},
        {name: _template(text, rule) for name, text in rule.annotations.items()},
        Terms(rule.hold_ms, rule.keep_firing_ms, rule.no_data, rule.resolve is not None, group.limit),
    )


def _expression(text: str) -> Expr:
    return resolve(parse(text), 0, 0, text)


def _template(text: str, rule: Rule) -> Template:
    # labels of recording rules are plain text, whatever stands in them
    return Template.of_text(text) if rule.kind is RuleKind.RECORD else parse_template(text)
