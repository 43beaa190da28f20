"""The tree of a template. `start` is the place in the template, in characters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, character or boolean."""

    value: str | int | float | bool
    start: int


@dataclass(frozen=True, slots=True)
class Nil:
    """The word nil."""

    start: int


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    start: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, with its dollar sign."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function, called without arguments where it stands alone."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a value, the outermost first; of the current value if `of` is a Dot."""

    of: "Operand"
    names: Sequence[str]
    start: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands of which each gets the value of the one before as its last argument.

    declares: the variables that take the value. assigns: whether they exist already.
    """

    commands: Sequence[Sequence["Operand"]]
    declares: Sequence[str]
    assigns: bool
    start: int


Operand: TypeAlias = Literal | Nil | Dot | Variable | Function | Fields | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """What stands outside of actions."""

    text: str


@dataclass(frozen=True, slots=True)
class If:
    """`if` and its branches."""

    condition: Pipeline
    then: Sequence["Node"]
    otherwise: Sequence["Node"]


@dataclass(frozen=True, slots=True)
class With:
    """`with` and its branches."""

    value: Pipeline
    then: Sequence["Node"]
    otherwise: Sequence["Node"]


@dataclass(frozen=True, slots=True)
class Range:
    """`range` and what stands for nothing to range over."""

    over: Pipeline
    body: Sequence["Node"]
    otherwise: Sequence["Node"]


@dataclass(frozen=True, slots=True)
class Leave:
    """`break`, or `continue` if `goes_on`."""

    goes_on: bool


@dataclass(frozen=True, slots=True)
class Invoke:
    """`template` or `block`."""

    name: str
    value: Pipeline | None
    start: int


Node: TypeAlias = Text | Pipeline | If | With | Range | Leave | Invoke
