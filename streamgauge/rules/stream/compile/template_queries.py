"""The queries that stand in templates as literal texts."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from streamgauge.rules.templates.nodes import Function, Literal, Operand, Pipeline
from streamgauge.rules.templates.template import Template


def literal_queries(template: Template) -> list[str]:
    """What a template may ask for, as far as that stands in it; text that it puts together is not found."""
    waiting: list[object] = [template.nodes, *template.defined.values()]
    found: dict[str, None] = {}
    while waiting:
        part = waiting.pop()
        if isinstance(part, Pipeline):
            found.update(dict.fromkeys(_asked(part.commands)))
        if isinstance(part, list | tuple):
            waiting += part
        elif is_dataclass(part):
            waiting += [getattr(part, field.name) for field in fields(part)]
    return sorted(found)


def _asked(commands: Sequence[Sequence[Operand]]) -> Iterator[str]:
    for before, command in zip([(), *commands], commands, strict=False):
        match [*command]:
            case [Function(name="query"), Literal(value=str(text))]:
                yield text
            case [Function(name="query")]:
                match [*before]:
                    case [Literal(value=str(text))]:
                        yield text
