"""Reads YAML value by value: every fault is noted with its place, and reading goes on."""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import NamedTuple

import yaml

from streamgauge.promql.syntax.literals import duration
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.files.positions import Lines

MAX_DEPTH = 50
_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"
_KINDS: dict[type[yaml.Node], str] = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list"}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


class Entry(NamedTuple):
    """A key of a mapping and what stands there."""

    key: yaml.Node
    value: yaml.Node


class YamlTree:
    """One file. `faults` has what was found so far."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = Lines(text)
        self.faults: list[Fault] = []

    def root(self) -> yaml.Node | None:
        """The document; None if there is none, or if the file is not YAML."""
        text = self.lines.text
        try:
            # the loader recurses in C, so depth is looked at before
            if self._is_too_deep(text):
                return None
            loader = yaml.CSafeLoader(text)
            node = loader.get_node() if loader.check_node() else None
            if node is not None and loader.check_node():
                more = loader.get_node()
                if more is not None and not self._is_null(more):
                    detail = "a second document is not allowed"
                    self.add(more, FileFault.SECOND_DOCUMENT, detail)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Position(mark.line + 1, mark.column + 1) if mark else Position()
            context = f" {error.context}" if error.context else ""
            self.add(place, FileFault.NOT_YAML, f"not YAML: {error.problem}{context}")
            return None
        except yaml.reader.ReaderError as error:
            place = self.lines.place(error.position)
            self.add(place, FileFault.NOT_YAML, f"not YAML: {error.reason}")
            return None
        return None if node is None or self._is_null(node) else node

    def add(self, where: yaml.Node | Position, reason: FileFault, detail: str) -> None:
        """Note a fault."""
        place = where if isinstance(where, Position) else self.place(where)
        self.faults.append(Fault(self.file, place, reason, detail))

    def place(self, node: yaml.Node) -> Position:
        """Where a node begins."""
        return Position(node.start_mark.line + 1, node.start_mark.column + 1)

    def mapping(self, node: yaml.Node, known: Collection[str] | None, where: str) -> dict[str, Entry]:
        """The entries of a mapping, without those that are null.

        :param known: the keys that there may be; None if any may. :param where: of what, for people.
        """
        if not isinstance(node, yaml.MappingNode):
            if not self._is_null(node):
                self._wrong(node, "a mapping", where)
            return {}
        found: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    for name, entry in self.mapping(part, known, where).items():
                        merged.setdefault(name, entry)
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a string as key", where)
                continue
            name = key.value
            if known is not None and name not in known:
                close = get_close_matches(name, known, 1)
                hint = f', did you mean "{close[0]}"?' if close else ""
                self.add(key, FileFault.UNKNOWN_KEY, f'{where}: unknown key "{name}"{hint}')
            elif name in found:
                line = self.place(found[name].key).line
                detail = f'{where}: the key "{name}" is already set in line {line}'
                self.add(key, FileFault.DUPLICATE_KEY, detail)
            else:
                found[name] = Entry(key, value)
        entries = {**merged, **found}
        return {name: entry for name, entry in entries.items() if not self._is_null(entry.value)}

    def items(self, node: yaml.Node, where: str) -> Iterator[yaml.Node]:
        """The elements of a list."""
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif not self._is_null(node):
            self._wrong(node, "a list", where)

    def text(self, node: yaml.Node, where: str) -> str | None:
        """A string; numbers and the like are taken as they are written."""
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, "a string", where)
            return None
        return "" if self._is_null(node) else str(node.value)

    def texts(self, node: yaml.Node, where: str) -> dict[str, tuple[Entry, str]]:
        """A mapping of strings to strings."""
        found: dict[str, tuple[Entry, str]] = {}
        if not isinstance(node, yaml.MappingNode):
            self.mapping(node, None, where)
            return found
        nulls = {key.value: Entry(key, value) for key, value in node.value if self._is_null(value)}
        for name, entry in {**nulls, **self.mapping(node, None, where)}.items():
            value = self.text(entry.value, f"{where}: {name}")
            if value is not None:
                found[name] = entry, value
        return found

    def duration(self, node: yaml.Node, where: str) -> int | None:
        """A duration such as 5m in ms."""
        text = self.text(node, where)
        if text is None:
            return None
        try:
            if text == "":
                raise ValueError("empty duration string")
            return 0 if text == "0" else duration(text)
        except ValueError as error:
            self.add(node, FileFault.BAD_DURATION, f"{where}: {error}")
            return None

    def integer(self, node: yaml.Node, where: str) -> int | None:
        """A whole number."""
        text = self.text(node, where)
        if text is None:
            return None
        digits = text.replace("_", "")
        if isinstance(node, yaml.ScalarNode) and not node.style and _INTEGER.fullmatch(digits):
            return int(digits)
        self.add(node, FileFault.BAD_NUMBER, f'{where}: "{text}" is not a whole number')
        return None

    def boolean(self, node: yaml.Node, where: str) -> bool | None:
        """True or false."""
        text = self.text(node, where)
        if text is None:
            return None
        if text.lower() not in (*_TRUE, *_FALSE):
            self.add(node, FileFault.WRONG_TYPE, f'{where}: "{text}" is neither true nor false')
            return None
        return text.lower() in _TRUE

    def _wrong(self, node: yaml.Node, wanted: str, where: str) -> None:
        kind = _KINDS.get(type(node)) or ("nothing" if self._is_null(node) else f'"{node.value}"')
        self.add(node, FileFault.WRONG_TYPE, f"{where}: expected {wanted}, found {kind}")

    def _is_null(self, node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and bool(node.tag == _NULL) and not node.style

    def _is_too_deep(self, text: str) -> bool:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                place = Position(mark.line + 1, mark.column + 1) if (mark := event.start_mark) else Position()
                self.add(place, FileFault.NOT_YAML, f"nested in more than {MAX_DEPTH} levels")
                return True
        return False
