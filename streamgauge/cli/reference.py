"""`python -m streamgauge.cli.reference`: write the tables of docs/reference that follow from the code.

A page holds text and regions. `<!-- generated: NAME -->` begins a region, `<!-- end -->` ends it, and what lies between
is replaced.
"""

import ast
import inspect
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Gt, MinLen
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streamgauge.cli import main
from streamgauge.collect.metrics import Metrics as CollectorMetrics
from streamgauge.config import Config
from streamgauge.gateway.metrics import Looked
from streamgauge.gateway.metrics import Metrics as GatewayMetrics
from streamgauge.notify.metrics import Metrics as NotifyMetrics
from streamgauge.yaml_file import Section

PAGES = Path(__file__).parents[2] / "docs" / "reference"
_REGION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "text",
}
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"))


def generated(text: str) -> str:
    """Replace the regions of a page."""
    return _REGION.sub(lambda region: f"{region[1]}\n{_REGIONS[region[2]]()}\n{region[3]}", text)


def configuration() -> str:
    """Describe every key of the configuration, a heading and a table for each section."""
    return "\n".join(_sections("", Config, Config()))


def commands() -> str:
    """Describe every command, with its usage and options."""
    return "\n".join(_command(main, click.Context(main, info_name="streamgauge")))


def _sections(path: str, model: type[Section], values: Section | None) -> Iterator[str]:
    """The table of a section, and those of the sections in it. values: the defaults, None where it is absent."""
    described, below = descriptions(model), []
    rows = []
    for name, field in model.model_fields.items():
        key, default = f"{path}.{name}".strip("."), getattr(values, name, None)
        inner = section_in(field.annotation)
        if inner is not None:
            by_name = ".NAME" if get_origin(field.annotation) is dict else ""
            below.append((f"{key}{by_name}", inner, default))
        if inner is None or described.get(name):
            shown = "see below" if inner else _default(field, default)
            rows.append(
                (f"`{name}`", _type(field.annotation), shown, _meaning(described.get(name, ""), field))
            )
    if path:
        yield f"{'##' if '.' not in path else '###'} {path}\n"
        yield f"{inspect.getdoc(model)}" + ("\n" if values else " Absent by default.\n")
        if rows:
            yield _table(("key", "type", "default", "meaning"), rows)
    for key, inner, default in below:
        yield from _sections(key, inner, default if isinstance(default, Section) else None)


def descriptions(model: type[Section]) -> Mapping[str, str]:
    """The texts that follow the fields of a model and of those that it inherits from, by the fields' names."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not issubclass(one, Section):
            continue
        [tree] = ast.parse(dedent(inspect.getsource(one))).body
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match text:
                    case ast.Expr(ast.Constant(str(content))):
                        found[field.target.id] = " ".join(content.split())
    return found


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field of this type holds, itself, optionally or by name; None if it holds none."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, Section):
            return each
    return None


def _type(annotation: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in parts if part is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return f"list of {_type(parts[0])}" if Ellipsis in parts else f"{len(parts)} of {_type(parts[0])}"
    if origin is dict:
        return f"map of {_type(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    return _TYPES[annotation]


def _default(field: FieldInfo, default: Any) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is socket.gethostname:
        return "the host name"
    if default is None:
        default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ((), {}, ""):
        return "none"
    if isinstance(default, tuple):
        return ", ".join(f"`{each}`" for each in default)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    for size, unit in _SIZES:
        if isinstance(default, int) and default >= size and default % size == 0:
            return f"`{default}` ({default // size} {unit})"
    return f"`{default}`"


def _meaning(text: str, field: FieldInfo) -> str:
    """What a key means, and which values it may have."""
    bounds = []
    for bound in field.metadata:
        if isinstance(bound, Ge):
            bounds.append(f"At least {bound.ge}.")
        elif isinstance(bound, Gt):
            bounds.append(f"More than {bound.gt}.")
        elif isinstance(bound, MinLen):
            bounds.append("Not empty.")
        elif pattern := getattr(bound, "pattern", None):
            bounds.append(f"Matches `{pattern}`.")
    return " ".join([text, *bounds]).strip()


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    """A command and those below it."""
    path = context.command_path.removeprefix("streamgauge").strip()
    if path:
        yield f"{'#' * (2 + path.count(' '))} {path}\n"
    # click marks paragraphs that it must not wrap
    yield f"{inspect.cleandoc(command.help or '')}\n".replace("\b\n", "")
    if not isinstance(command, click.Group):
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"`streamgauge {path} {usage}`\n"
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    records = [option.get_help_record(context) for option in options]
    rows = [(f"`{names}`", text) for names, text in filter(None, records)]
    if rows:
        yield _table(("option", "meaning"), rows)
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from _command(below, click.Context(below, info_name=name, parent=context))


def _metrics(metrics: object, *others: Metric) -> str:
    """A table of the metrics that an object holds in its fields, and of others."""
    wrapped = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    rows = [(each._name, each._type, each._labelnames, each._documentation) for each in wrapped]
    # prometheus_client keeps the names of labels where only it looks
    rows += [(each.name, each.type, getattr(each, "_labelnames", ()), each.documentation) for each in others]
    return _table(
        ("metric", "type", "labels", "meaning"),
        [
            (f"`{name}{'_total' if kind == 'counter' else ''}`", kind or "", ", ".join(labels), text)
            for name, kind, labels, text in sorted(rows)
        ],
    )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table, with a line behind it."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """A text on one line of a table; a name such as __type__ is no emphasis."""
    return re.sub(r"(?<![`\w])(__\w+__)(?![`\w])", r"`\1`", " ".join(text.split()).replace("|", r"\|"))


def _looked() -> Iterator[Metric]:
    return Looked(dict, lambda: False, dict, dict).collect()


_REGIONS: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "commands": commands,
    "collector": lambda: _metrics(CollectorMetrics()),
    "gateway": lambda: _metrics(GatewayMetrics(), *_looked()),
    "notify": lambda: _metrics(NotifyMetrics()),
}

if __name__ == "__main__":
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(generated(page.read_text()))
