"""Reads SQL rules; reports all errors of a file at once, each with its line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path

import yaml

from schemas.rule_files import MIN_INTERVAL_MS, SQL_KEYS, Rule, RuleKind
from streamgauge.promql.syntax.literals import duration_text
from streamgauge.rules.files.entries import EntryReader, Texts, plain
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.files.positions import Lines
from streamgauge.rules.files.yaml_tree import Entry, YamlTree
from streamgauge.rules.sql.columns import SAMPLES, unknown_columns
from streamgauge.rules.sql.rule import SqlRule
from streamgauge.rules.sql.statement import Statement
from streamgauge.rules.sql.statement import parse as parse_statement
from streamgauge.rules.sql.tokens import InvalidSql, tokens

SUFFIX = ".sql"
EVERY_MS = 60_000
"""How far apart the ticks of a rule are that says nothing of it and whose windows do not either."""
SEVERITY = "severity"
MAX_SHOWN = 100
"""Characters of a name in a fault."""
MAX_UNKNOWN = 20
"""Columns of a file that are told to be unknown."""
MAX_CHARACTERS = 65_536
"""Of a file: readers of alerts learn of the rule from a message that holds it."""


@dataclass(frozen=True, slots=True)
class ReadSqlRule:
    """What was read of a file, None if nothing can be used, and what is wrong with it."""

    rule: SqlRule | None
    faults: Sequence[Fault]


def read(path: Path, severities: Collection[str] | None = None) -> ReadSqlRule:
    """Read a file.

    :param severities: what `severity` may be; None for anything.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error.reason}"
        return ReadSqlRule(
            None, [Fault(str(path), Position(), FileFault.UNREADABLE, f"cannot be read: {detail}")]
        )
    return parse(str(path), text, severities)


def read_folder(folder: Path, severities: Collection[str] | None = None) -> tuple[list[SqlRule], list[Fault]]:
    """The rules of all files of a folder that end in .sql, in the order of their names, and what is wrong.

    A folder that is none, or has no such file, is a fault.
    """
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not paths:
        detail = f"no file that ends in {SUFFIX}" if folder.is_dir() else "no such folder"
        return [], [Fault(str(folder), Position(), FileFault.UNREADABLE, detail)]
    found = [read(path, severities) for path in paths]
    faults = [fault for one in found for fault in one.faults]
    rules: dict[str, SqlRule] = {}
    for one in found:
        if one.rule is None:
            continue
        first = rules.setdefault(one.rule.rule.name, one.rule)
        if first is not one.rule:
            detail = f'rule "{first.rule.name}" is already defined in {first.file}'
            place = Position(one.rule.rule.line, one.rule.rule.column)
            faults.append(Fault(one.rule.file, place, FileFault.DUPLICATE_RULE, detail))
    return list(rules.values()), faults


def parse(file: str, text: str, severities: Collection[str] | None = None) -> ReadSqlRule:
    """Read the text of a file of this name."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        detail = f"more than {MAX_CHARACTERS:,} characters"
        return ReadSqlRule(None, [Fault(file, Position(), FileFault.BAD_SQL, detail)])
    header, size = _header(text)
    tree = YamlTree(file, header)
    reader = _Header(tree, severities)
    statement = None
    try:
        statement = parse_statement(text)
        for token, meant in islice(unknown_columns(list(tokens(text))), MAX_UNKNOWN):
            hint = f"did you mean `{meant}`?" if meant else f"samples has {', '.join(SAMPLES)}"
            detail = f'unknown column "{token.value[:MAX_SHOWN]}", {hint}'
            tree.add(Lines(text).place(token.start), FileFault.BAD_SQL, detail)
    except InvalidSql as fault:
        place = Lines(text).place(min(fault.position, len(text)))
        tree.add(place, FileFault.BAD_SQL, fault.detail)
    root = tree.root()
    if root is None and not tree.faults:
        tree.add(Position(), FileFault.MISSING_KEY, 'no header: the file must begin with "-- name: ..."')
    found = reader.rule(root, text[size:].strip(), statement) if root is not None else None
    rule = SqlRule(file, *found, statement) if found and statement and not tree.faults else None
    return ReadSqlRule(rule, sorted(tree.faults))


class _Header(EntryReader):
    def rule(self, root: yaml.Node, select: str, statement: Statement | None) -> tuple[Rule, int] | None:
        """The rule and how far apart its ticks are; None without a name."""
        tree = self.tree
        entries = tree.mapping(root, SQL_KEYS, "the header")
        if not isinstance(root, yaml.MappingNode):
            return None
        name = tree.text(entries["name"].value, "name") if "name" in entries else ""
        if not name:
            at = entries["name"].value if "name" in entries else root
            tree.add(at, FileFault.MISSING_KEY, "the header: a rule needs a name")
        where = f'"{name}"'
        labels = self._labels(entries, where)
        annotations = self.texts(entries, "annotations", where)
        self.check_alert(labels, annotations, where)
        keep_firing_ms = self.duration(entries, "keep_firing_for", where) or 0
        place = tree.place(root)
        rule = Rule(
            RuleKind.ALERT,
            name or "",
            select,
            plain(labels),
            plain(annotations),
            self.duration(entries, "for", where) or 0,
            keep_firing_ms,
            None,
            self.no_data(entries, where),
            place.line,
            place.column,
        )
        step = statement.step_ms if statement else None
        every = self._every(entries, where, None if keep_firing_ms else step)
        return (rule, every or step or EVERY_MS) if name else None

    def _labels(self, entries: dict[str, Entry], where: str) -> Texts:
        labels = self.labels(entries, where)
        if SEVERITY in entries:
            if SEVERITY in labels:
                detail = f"{where}: severity: already set among the labels"
                self.tree.add(entries[SEVERITY].key, FileFault.DUPLICATE_KEY, detail)
            text = self.tree.text(entries[SEVERITY].value, f"{where}: severity")
            if text is not None:
                labels[SEVERITY] = entries[SEVERITY], text
        return labels

    def _every(self, entries: dict[str, Entry], where: str, step_ms: int | None) -> int | None:
        every = self.duration(entries, "every", where)
        if every is None:
            return None
        if every < MIN_INTERVAL_MS:
            detail = f"{where}: every: less than {MIN_INTERVAL_MS // 1000}s"
            self.tree.add(entries["every"].value, FileFault.BAD_DURATION, detail)
        elif step_ms is not None and every < step_ms:
            # most ticks would see no row, and the alert would end
            detail = f"{where}: every: less than the {duration_text(step_ms)} between windows"
            self.tree.add(entries["every"].value, FileFault.BAD_DURATION, detail)
        return every


def _header(text: str) -> tuple[str, int]:
    """The comments at the top as YAML, every character where it stands in the file, and how far they go."""
    lines = []
    size = 0
    for line in StringIO(text):
        if line.strip() and not line.startswith("--"):
            break
        size += len(line)
        lines.append(f"  {line[2:]}" if line.startswith("--") else line)
    return "".join(lines), size
