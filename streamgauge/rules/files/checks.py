"""What has to be right in the texts of a rule: expressions, templates, names, severities."""

from collections.abc import Collection

import yaml

from streamgauge.promql.engine.calls import NOT_SUPPORTED
from streamgauge.promql.syntax.ast import Call, walk
from streamgauge.promql.syntax.functions_table import ValueType
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.promql.syntax.parser import parse
from streamgauge.rules.files.faults import FileFault
from streamgauge.rules.files.yaml_tree import YamlTree
from streamgauge.rules.templates import template
from streamgauge.rules.templates.faults import InvalidTemplate
from streamgauge.series.labels import NAME


def check_expression(tree: YamlTree, node: yaml.Node, text: str, where: str) -> None:
    """Note what is wrong with an expression, at its own place."""
    try:
        expression = parse(text)
    except InvalidExpression as fault:
        place = tree.lines.place_in(node, min(fault.span.start, len(text.rstrip())))
        tree.add(place, FileFault.BAD_EXPRESSION, f"{where}: {fault.detail}")
        return
    if expression.type not in (ValueType.VECTOR, ValueType.SCALAR):
        detail = f"{where}: a rule needs an instant vector or a scalar, not a {expression.type.documented}"
        tree.add(tree.lines.place_in(node, 0), FileFault.BAD_EXPRESSION, detail)
    for part in walk(expression):
        if isinstance(part, Call) and part.function in NOT_SUPPORTED:
            place = tree.lines.place_in(node, part.span.start)
            detail = f"{where}: function {part.function}() works on {NOT_SUPPORTED[part.function]}"
            tree.add(place, FileFault.BAD_EXPRESSION, detail)


def check_template(tree: YamlTree, node: yaml.Node, text: str, where: str) -> None:
    """Note what is wrong with a template, at its own place."""
    try:
        template.parse(text)
    except InvalidTemplate as fault:
        place = tree.lines.place_in(node, min(fault.position, len(text)))
        tree.add(place, FileFault.BAD_TEMPLATE, f"{where}: {fault.detail}")


def check_label_name(tree: YamlTree, node: yaml.Node, name: str, where: str) -> None:
    """Note a label that no rule can set."""
    if not name or name == NAME:
        tree.add(node, FileFault.BAD_LABEL, f'{where}: invalid label name "{name}"')


def check_record(tree: YamlTree, node: yaml.Node, name: str, where: str) -> None:
    """Note a name of a recorded series that looks like an expression."""
    if "{" in name or "}" in name:
        detail = f"{where}: braces in the name of a recording rule; do they belong to its expr?"
        tree.add(node, FileFault.BAD_NAME, detail)


def check_severity(
    tree: YamlTree, node: yaml.Node, text: str, severities: Collection[str], where: str
) -> None:
    """Note a severity that nobody knows; one made by a template is not looked at."""
    if text and "{{" not in text and text not in severities:
        known = f"{', '.join(severities)}, which rules.severities lists"
        tree.add(node, FileFault.BAD_SEVERITY, f'{where}: severity "{text}" is none of {known}')
