"""Entry point: parse a template once, expand it for every alert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamgauge.rules.templates.evaluator import Evaluator
from streamgauge.rules.templates.faults import InvalidTemplate, TemplateFault
from streamgauge.rules.templates.functions import NAMES, Environment, functions
from streamgauge.rules.templates.nodes import Node, Text
from streamgauge.rules.templates.parser import Parser
from streamgauge.rules.templates.values import AlertData

_OWN_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
VARIABLES = ("$labels", "$externalLabels", "$externalURL", "$value")
"""What every template of an alert finds beside `$`."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. defined: the templates that it defines, by name. plain: its text, if there are no actions."""

    nodes: Sequence[Node]
    defined: Mapping[str, Sequence[Node]]
    plain: str | None = field(init=False)

    def __post_init__(self) -> None:
        texts = [node.text for node in self.nodes if isinstance(node, Text)]
        object.__setattr__(self, "plain", "".join(texts) if len(texts) == len(self.nodes) else None)

    @classmethod
    def of_text(cls, text: str) -> "Template":
        """One without actions, whatever stands in the text."""
        return cls([Text(text)], {})

    def expand(self, data: AlertData, environment: Environment) -> str:
        """The text for one alert.

        :raises InvalidTemplate: if a value is not what an action needs, or it writes or takes too much.
        """
        plain = self.plain
        if plain is not None:
            return plain
        values = (data.Labels, data.ExternalLabels, data.ExternalURL, data.Value)
        evaluator = Evaluator(functions(environment), self.defined)
        try:
            return evaluator.expand(self.nodes, data, dict(zip(VARIABLES, values, strict=True)))
        except InvalidTemplate:
            raise
        except _OWN_FAULTS as error:
            # ours, and in one text: it must not end the evaluation of everybody's rules
            raise InvalidTemplate(TemplateFault.EXECUTION, f"{type(error).__name__}: {error}", 0) from error


def parse(text: str) -> Template:
    """Parse a template.

    :raises InvalidTemplate: with the place of the first fault.
    """
    parser = Parser(text, NAMES, VARIABLES)
    nodes = parser.parse()
    return Template(nodes, parser.defined)
