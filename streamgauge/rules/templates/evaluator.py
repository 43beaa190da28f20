"""Expands a parsed template."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from streamgauge.rules.templates import methods
from streamgauge.rules.templates.faults import FunctionFault, InvalidTemplate, TemplateFault
from streamgauge.rules.templates.formatting import fields_of, text_of
from streamgauge.rules.templates.functions import Function, Kind
from streamgauge.rules.templates.nodes import (
    Dot,
    Fields,
    If,
    Invoke,
    Leave,
    Literal,
    Nil,
    Node,
    Operand,
    Pipeline,
    Range,
    Text,
    Variable,
    With,
)
from streamgauge.rules.templates.nodes import Function as FunctionName
from streamgauge.rules.templates.values import (
    AlertData,
    Args,
    Duration,
    Sample,
    Time,
    Value,
    is_true,
    type_name,
)

MAX_OUTPUT = 1_000_000
MAX_STEPS = 100_000
MAX_DEPTH = 30

_MISSING = object()
_GO_TYPES = {str: "string", int: "int", Time: "time.Time", Duration: "time.Duration"}
_TYPES: Mapping[Kind, type] = {Kind.STRING: str, Kind.SAMPLE: Sample, Kind.SAMPLES: list}


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Evaluator:
    """One expansion: walks the nodes and collects what they write.

    Every method may raise InvalidTemplate.
    """

    def __init__(self, functions: Mapping[str, Function], defined: Mapping[str, Sequence[Node]]) -> None:
        self._functions = functions
        self._defined = defined
        self._variables: list[list[Value]] = []
        self._parts: list[str] = []
        self._written = 0
        self._steps = 0
        self._depth = 0

    def expand(self, nodes: Sequence[Node], dot: Value, variables: Mapping[str, Value]) -> str:
        """What the nodes write."""
        self._variables = [["$", dot], *([name, value] for name, value in variables.items())]
        try:
            self._walk(nodes, dot)
        except RecursionError:
            raise InvalidTemplate(TemplateFault.TOO_MUCH, "the template is nested too deeply", 0) from None
        return "".join(self._parts)

    def _write(self, text: str, start: int) -> None:
        self._written += len(text)
        if self._written > MAX_OUTPUT:
            raise InvalidTemplate(TemplateFault.TOO_MUCH, f"more than {MAX_OUTPUT:,} characters", start)
        self._parts.append(text)

    def _step(self, start: int) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise InvalidTemplate(TemplateFault.TOO_MUCH, f"more than {MAX_STEPS:,} steps", start)

    def _walk(self, nodes: Sequence[Node], dot: Value) -> None:
        for node in nodes:
            match node:
                case Text():
                    self._write(node.text, 0)
                case Pipeline():
                    value = self._pipeline(dot, node)
                    if not node.declares:
                        self._write(_shown(value), node.start)
                case If():
                    mark = len(self._variables)
                    self._walk(
                        node.then if is_true(self._pipeline(dot, node.condition)) else node.otherwise, dot
                    )
                    del self._variables[mark:]
                case With():
                    mark = len(self._variables)
                    value = self._pipeline(dot, node.value)
                    truth = is_true(value)
                    self._walk(node.then if truth else node.otherwise, value if truth else dot)
                    del self._variables[mark:]
                case Range():
                    mark = len(self._variables)
                    self._range(dot, node)
                    del self._variables[mark:]
                case Leave():
                    raise _Continue if node.goes_on else _Break
                case Invoke():
                    self._invoke(dot, node)

    def _range(self, dot: Value, node: Range) -> None:
        over = node.over
        value = self._commands(dot, over)
        pairs: list[tuple[Value, Value]]
        match value:
            case bool():
                self._refuse("range can't iterate over a bool", over.start)
            case int():
                if len(over.declares) > 1:
                    self._refuse(f"can't use {value} to iterate over more than one variable", over.start)
                # of months they are months
                pairs = [(None, type(value)(at)) for at in range(min(value, MAX_STEPS + 1))]
            case list():
                pairs = list(enumerate(value))
            case dict():
                pairs = [(key, value[key]) for key in sorted(value)]
            case None:
                pairs = []
            case _:
                self._refuse(f"range can't iterate over {text_of(value)}", over.start)
        if not over.assigns:
            self._variables.extend([name, value] for name in over.declares)
        mark = len(self._variables)
        for key, element in pairs:
            self._step(over.start)
            taken = [key, element] if len(over.declares) > 1 else [element]
            for at, name in enumerate(over.declares):
                if over.assigns:
                    self._assign(name, taken[at], over.start)
                else:
                    self._variables[mark - len(over.declares) + at][1] = taken[at]
            try:
                self._walk(node.body, element)
            except _Continue:
                pass
            except _Break:
                break
            finally:
                del self._variables[mark:]
        if not pairs:
            self._walk(node.otherwise, dot)

    def _invoke(self, dot: Value, node: Invoke) -> None:
        body = self._defined.get(node.name)
        if body is None:
            self._refuse(f'template "{node.name}" not defined', node.start)
        value = None if node.value is None else self._pipeline(dot, node.value)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidTemplate(TemplateFault.TOO_MUCH, "templates call each other too deeply", node.start)
        outside, self._variables = self._variables, [["$", value]]
        self._walk(body, value)
        self._variables = outside
        self._depth -= 1

    def _pipeline(self, dot: Value, node: Pipeline) -> Value:
        value = self._commands(dot, node)
        for name in node.declares:
            if node.assigns:
                self._assign(name, value, node.start)
            else:
                self._variables.append([name, value])
        return value

    def _commands(self, dot: Value, node: Pipeline) -> Value:
        value: Value = _MISSING
        for command in node.commands:
            self._step(node.start)
            value = self._command(dot, command, value)
        return value

    def _assign(self, name: str, value: Value, start: int) -> None:
        self._variable(name, start)[1] = value

    def _variable(self, name: str, start: int) -> list[Value]:
        for variable in reversed(self._variables):
            if variable[0] == name:
                return variable
        raise InvalidTemplate(TemplateFault.UNKNOWN_VARIABLE, f"undefined variable: {name}", start)

    def _command(self, dot: Value, command: Sequence[Operand], final: Value) -> Value:
        first = command[0]
        if isinstance(first, FunctionName):
            return self._call(dot, first, command[1:], final)
        if isinstance(first, Fields):
            return self._fields(dot, first, command[1:], final)
        if len(command) > 1 or final is not _MISSING:
            self._refuse("can't give argument to non-function", first.start)
        if isinstance(first, Nil):
            self._refuse("nil is not a command", first.start)
        return self._operand(dot, first)

    def _operand(self, dot: Value, node: Operand) -> Value:
        match node:
            case Literal():
                return node.value
            case Nil():
                return None
            case Dot():
                return dot
            case Variable():
                return self._variable(node.name, node.start)[1]
            case Pipeline():
                return self._pipeline(dot, node)
            case Fields():
                return self._fields(dot, node, (), _MISSING)
            case FunctionName():
                return self._call(dot, node, (), _MISSING)

    def _fields(self, dot: Value, node: Fields, operands: Sequence[Operand], final: Value) -> Value:
        value = self._operand(dot, node.of)
        given = [self._operand(dot, operand) for operand in operands]
        given += [] if final is _MISSING else [final]
        for at, name in enumerate(node.names):
            value = self._field(value, name, given if at == len(node.names) - 1 else [], node.start)
        return value

    def _field(self, value: Value, name: str, given: Sequence[Value], start: int) -> Value:
        if value is None:
            return None
        if (method := methods.of(value).get(name)) is not None:
            return self._method(value, name, method, given, start)
        match value:
            case dict():
                found = value.get(name, None if isinstance(value, Args) else "")
            case Sample() | AlertData() if name in value.__slots__:
                found = getattr(value, name)
            case _:
                self._refuse(f"can't evaluate field {name} in type {type_name(value)}", start)
        if given:
            self._refuse(f"{name} is not a method but has arguments", start)
        return found

    def _method(
        self, value: Value, name: str, method: methods.Method, given: Sequence[Value], start: int
    ) -> Value:
        if len(given) != len(method.kinds):
            detail = f"wrong number of args for {name}: want {len(method.kinds)} got {len(given)}"
            self._refuse(detail, start)
        for one, kind in zip(given, method.kinds, strict=True):
            # a bool, a month and a day of the week are ints to Python
            if not isinstance(one, kind) or (kind is int and type(one) is not int):
                detail = f"wrong type for value; expected {_GO_TYPES[kind]}; got {type_name(one)}"
                self._refuse(detail, start)
        try:
            found = method.call(value, *given)
            if isinstance(found, Time):
                # one that has no date could not be written either
                _ = found.date
        except (FunctionFault, OverflowError, ValueError) as fault:
            self._refuse(f"error calling {name}: {fault}", start)
        return found

    def _call(self, dot: Value, node: FunctionName, operands: Sequence[Operand], final: Value) -> Value:
        function = self._functions[node.name]
        count = len(operands) + (final is not _MISSING)
        if count < len(function.kinds) or (function.rest is None and count > len(function.kinds)):
            wanted = f"{'at least ' if function.rest else ''}{len(function.kinds)}"
            self._refuse(f"wrong number of args for {node.name}: want {wanted} got {count}", node.start)
        if node.name in ("and", "or"):
            return self._logic(dot, node.name == "or", operands, final)
        values = [self._operand(dot, operand) for operand in operands]
        starts = [operand.start for operand in operands]
        if final is not _MISSING:
            values.append(final)
            starts.append(node.start)
        for at, (value, start) in enumerate(zip(values, starts, strict=True)):
            self._check(value, function.kinds[at] if at < len(function.kinds) else function.rest, start)
        try:
            return function.call(*values)
        except FunctionFault as fault:
            self._refuse(f"error calling {node.name}: {fault}", node.start)

    def _logic(self, dot: Value, wanted: bool, operands: Sequence[Operand], final: Value) -> Value:
        value: Value = None
        for operand in operands:
            value = self._operand(dot, operand)
            if is_true(value) == wanted:
                return value
        return value if final is _MISSING else final

    def _check(self, value: Value, kind: Kind | None, start: int) -> None:
        wanted = _TYPES.get(kind) if kind else None
        if wanted is None or isinstance(value, wanted):
            return
        if value is None:
            self._refuse(f"invalid value; expected {kind}", start)
        self._refuse(f"wrong type for value; expected {kind}; got {type_name(value)}", start)

    def _refuse(self, detail: str, start: int) -> NoReturn:
        raise InvalidTemplate(TemplateFault.EXECUTION, detail, start)


def _shown(value: Value) -> str:
    """A value as an action writes it."""
    if value is None:
        return "<no value>"
    return f"{{{fields_of(value)}}}" if isinstance(value, Sample) else text_of(value)
