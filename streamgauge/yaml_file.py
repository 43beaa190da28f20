"""YAML files read into frozen models, with errors that name file, line and column."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A part of a configuration file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class InvalidFile(ValueError):
    """An invalid file; each line of the message names the place."""


def load(path: Path, model: type[Model]) -> Model:
    """Read and check a YAML file.

    :raises InvalidFile: unreadable, not YAML, or not of the model: every fault with `file:line:column`.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: cannot be read: {error}") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidFile(f"{path}:{_place(error)}: not YAML: {_problem(error)}") from None
    try:
        return model.model_validate({} if content is None else content)
    except ValidationError as error:
        faults = [_fault(path, root, fault) for fault in error.errors(include_url=False)]
        raise InvalidFile("\n".join(faults)) from None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong, without the line itself: it may hold a password."""
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")


def _fault(path: Path, root: yaml.Node | None, fault: Any) -> str:
    location = fault["loc"]
    mark = _mark(root, location)
    name = ".".join(str(part) for part in location) or "the file"
    message = (
        "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
    )
    return f"{path}:{mark}: {name}: {message}"


def _mark(node: yaml.Node | None, location: tuple[int | str, ...]) -> str:
    """The line and column of the deepest node that the location reaches."""
    if node is None:
        return "1:1"
    at = node.start_mark
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == part), None)
            if pair is None:
                break
            key, node = pair
            at = key.start_mark
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            at = node.start_mark
        else:
            break
    return f"{at.line + 1}:{at.column + 1}"
