"""Parses templates: a recursive descent over the tokens of the whole text."""

from collections.abc import Collection, Sequence
from typing import NoReturn

from streamgauge.rules.templates.constants import character, number, string
from streamgauge.rules.templates.faults import InvalidTemplate, TemplateFault
from streamgauge.rules.templates.lexer import Kind, Token, tokens
from streamgauge.rules.templates.nodes import (
    Dot,
    Fields,
    Function,
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

MAX_CHARACTERS = 65_536
MAX_DEPTH = 60


class Parser:
    """Reads one template. `defined` has the bodies of `define` and `block` once `parse` is done."""

    def __init__(self, text: str, functions: Collection[str], variables: Sequence[str]) -> None:
        if len(text) > MAX_CHARACTERS:
            detail = f"the template has more than {MAX_CHARACTERS} characters"
            raise InvalidTemplate(TemplateFault.TOO_MUCH, detail, MAX_CHARACTERS)
        self._tokens = list(tokens(text))
        self._at = 0
        self._functions = functions
        self._variables = ["$", *variables]
        self._ranges = 0
        self._depth = 0
        self.defined: dict[str, Sequence[Node]] = {}

    def parse(self) -> list[Node]:
        """The nodes of the text.

        :raises InvalidTemplate: at the first fault.
        """
        nodes, end = self._list(at_top=True)
        if end.kind is not Kind.END:
            self._refuse(f"unexpected {{{{{end.text}}}}}", end)
        return nodes

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind is not Kind.END
        return token

    def _take_if(self, kind: Kind, text: str | None = None) -> Token | None:
        token = self._next
        return self._take() if token.kind is kind and text in (None, token.text) else None

    def _expect(self, kind: Kind, context: str) -> Token:
        token = self._take()
        if token.kind is not kind:
            self._refuse(f"unexpected {token.described()} in {context}", token)
        return token

    def _refuse(self, detail: str, token: Token, reason: TemplateFault = TemplateFault.SYNTAX) -> NoReturn:
        raise InvalidTemplate(reason, detail, token.start)

    def _list(self, at_top: bool = False) -> tuple[list[Node], Token]:
        """Nodes up to an `end`, an `else` or the end of the text, and that token."""
        self._depth += 1
        nodes: list[Node] = []
        while True:
            token = self._take()
            if self._depth > MAX_DEPTH:
                self._refuse(
                    f"actions are nested in more than {MAX_DEPTH} levels", token, TemplateFault.TOO_MUCH
                )
            if token.kind is Kind.TEXT:
                nodes.append(Text(token.text))
                continue
            if token.kind is Kind.END:
                if not at_top:
                    self._refuse("unexpected end of the template: an {{end}} is missing", token)
                break
            if self._next.kind is Kind.KEYWORD and self._next.text in ("end", "else"):
                token = self._take()
                if token.text == "end":
                    self._expect(Kind.RIGHT, "end")
                break
            nodes.extend(self._action(at_top))
        self._depth -= 1
        return nodes, token

    def _action(self, at_top: bool) -> list[Node]:
        token = self._next
        if token.kind is not Kind.KEYWORD:
            return [self._pipeline("command", Kind.RIGHT)]
        self._take()
        match token.text:
            case "if":
                return [If(*self._control("if"))]
            case "with":
                return [With(*self._control("with"))]
            case "range":
                return [Range(*self._control("range"))]
            case "break" | "continue":
                if not self._ranges:
                    self._refuse(f"{{{{{token.text}}}}} outside {{{{range}}}}", token)
                self._expect(Kind.RIGHT, token.text)
                return [Leave(token.text == "continue")]
            case "template":
                return [self._invoke(token)]
            case "block":
                return [self._block(token)]
        if not at_top:
            self._refuse("unexpected {{define}}: it may stand outside of other actions only", token)
        self._define()
        return []

    def _control(self, word: str) -> tuple[Pipeline, list[Node], list[Node]]:
        mark = len(self._variables)
        value = self._pipeline(word, Kind.RIGHT)
        self._ranges += word == "range"
        body, end = self._list()
        self._ranges -= word == "range"
        otherwise: list[Node] = []
        if end.text == "else":
            again = self._next
            if again.kind is Kind.KEYWORD and again.text == word and word != "range":
                self._take()
                chained: Node = If(*self._control("if")) if word == "if" else With(*self._control("with"))
                otherwise = [chained]
            else:
                self._expect(Kind.RIGHT, "else")
                otherwise, end = self._list()
                if end.text == "else":
                    self._refuse("expected {{end}}, found a second {{else}}", end)
        del self._variables[mark:]
        return value, body, otherwise

    def _name(self, context: str) -> Token:
        return self._expect(Kind.STRING, f"{context}, which needs a name in quotes")

    def _value_of(self, context: str) -> Pipeline | None:
        return None if self._take_if(Kind.RIGHT) else self._pipeline(context, Kind.RIGHT)

    def _invoke(self, token: Token) -> Invoke:
        name = string(self._name("template clause"))
        return Invoke(name, self._value_of("template clause"), token.start)

    def _block(self, token: Token) -> Invoke:
        name = self._name("block clause")
        value = self._pipeline("block clause", Kind.RIGHT)
        self._body(name)
        return Invoke(string(name), value, token.start)

    def _define(self) -> None:
        name = self._name("define clause")
        self._expect(Kind.RIGHT, "define clause")
        self._body(name)

    def _body(self, name: Token) -> None:
        outside, self._variables = self._variables, ["$"]
        ranges, self._ranges = self._ranges, 0
        body, end = self._list()
        if end.text == "else":
            self._refuse("unexpected {{else}}", end)
        if self.defined.get(string(name)) and body:
            self._refuse(f"multiple definition of template {name.text}", name)
        self.defined[string(name)] = body
        self._variables, self._ranges = outside, ranges

    def _pipeline(self, context: str, end: Kind) -> Pipeline:
        start = self._next.start
        declares, assigns = self._declarations(context)
        commands: list[list[Operand]] = []
        while True:
            token = self._next
            if token.kind is end:
                if not commands or self._tokens[self._at - 1].kind is Kind.PIPE:
                    self._refuse(f"missing value for {context}", token)
                self._take()
                return Pipeline(commands, declares, assigns, start)
            command = self._command()
            if commands and isinstance(command[0], Literal | Nil | Dot):
                detail = f"non executable command in pipeline stage {len(commands) + 1}"
                raise InvalidTemplate(TemplateFault.SYNTAX, detail, token.start)
            commands.append(command)
            if self._next.kind is not Kind.PIPE and self._next.kind is not end:
                self._refuse(f"unexpected {self._next.described()} in {context}", self._next)
            self._take_if(Kind.PIPE)

    def _declarations(self, context: str) -> tuple[list[str], bool]:
        names: list[str] = []
        at = self._at
        while self._next.kind is Kind.VARIABLE:
            variable = self._take()
            if self._next.kind in (Kind.DECLARE, Kind.ASSIGN):
                assigns = self._take().kind is Kind.ASSIGN
                names.append(variable.text)
                if assigns:
                    for name in names:
                        self._check_variable(name, variable)
                self._variables.extend(names)
                return names, assigns
            comma = self._take_if(Kind.COMMA)
            if comma is None:
                break
            names.append(variable.text)
            if context != "range" or len(names) > 1:
                self._refuse(f"too many declarations in {context}", comma)
            if self._next.kind is not Kind.VARIABLE:
                self._refuse("range can only initialize variables", self._next)
        self._at = at
        return [], False

    def _check_variable(self, name: str, token: Token) -> None:
        if name not in self._variables:
            self._refuse(f'undefined variable "{name}"', token, TemplateFault.UNKNOWN_VARIABLE)

    def _command(self) -> list[Operand]:
        first = self._next
        operands: list[Operand] = []
        while self._next.kind not in (Kind.PIPE, Kind.RIGHT, Kind.CLOSE):
            if operands and not self._next.spaced:
                self._refuse(f"unexpected {self._next.described()} in operand", self._next)
            operands.append(self._operand())
        if not operands:
            self._refuse("empty command", first)
        return operands

    def _operand(self) -> Operand:
        found = self._term()
        names: list[str] = []
        while self._next.kind is Kind.FIELD and not self._next.spaced:
            field = self._take()
            if isinstance(found, Literal | Nil):
                self._refuse(f"unexpected . after term {field.described()}", field)
            names.append(field.text[1:])
        if isinstance(found, Fields):
            return Fields(found.of, [*found.names, *names], found.start)
        return Fields(found, names, found.start) if names else found

    def _term(self) -> Operand:
        token = self._take()
        match token.kind:
            case Kind.IDENTIFIER:
                if token.text not in self._functions:
                    detail = f'function "{token.text}" not defined'
                    self._refuse(detail, token, TemplateFault.UNKNOWN_FUNCTION)
                return Function(token.text, token.start)
            case Kind.DOT:
                return Dot(token.start)
            case Kind.NIL:
                return Nil(token.start)
            case Kind.VARIABLE:
                self._check_variable(token.text, token)
                return Variable(token.text, token.start)
            case Kind.FIELD:
                return Fields(Dot(token.start), [token.text[1:]], token.start)
            case Kind.BOOL:
                return Literal(token.text == "true", token.start)
            case Kind.NUMBER:
                return Literal(number(token), token.start)
            case Kind.STRING:
                return Literal(string(token), token.start)
            case Kind.CHARACTER:
                return Literal(character(token), token.start)
            case Kind.OPEN:
                return self._parenthesized(token)
        detail = f"unexpected {token.described()} in operand"
        raise InvalidTemplate(TemplateFault.SYNTAX, detail, token.start)

    def _parenthesized(self, token: Token) -> Pipeline:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(
                f"parentheses are nested in more than {MAX_DEPTH} levels", token, TemplateFault.TOO_MUCH
            )
        found = self._pipeline("parenthesized pipeline", Kind.CLOSE)
        self._depth -= 1
        return found
