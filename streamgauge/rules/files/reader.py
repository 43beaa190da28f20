"""Reads rule files; reports all errors of a file at once, each with its line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from schemas.limits import MAX_LABEL_NAME_BYTES
from schemas.rule_files import (
    ALERT_ONLY_KEYS,
    FILE_KEYS,
    GROUP_KEYS,
    MIN_INTERVAL_MS,
    RULE_KEYS,
    Group,
    Rule,
    RuleFile,
    RuleKind,
)
from streamgauge.rules.files import checks
from streamgauge.rules.files.duplicates import duplicates
from streamgauge.rules.files.entries import EntryReader, plain
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.files.yaml_tree import Entry, YamlTree


@dataclass(frozen=True, slots=True)
class ReadRules:
    """What was read of a file, and what is wrong with it. Only without faults but lint is it to be used."""

    rules: RuleFile
    faults: Sequence[Fault]

    @property
    def is_usable(self) -> bool:
        """Whether nothing is wrong but lint."""
        return all(fault.is_lint for fault in self.faults)


def read(path: Path, severities: Collection[str] | None = None) -> ReadRules:
    """Read a rule file.

    :param severities: what the label `severity` of an alert may be; None for anything.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error.reason}"
        fault = Fault(str(path), Position(), FileFault.UNREADABLE, f"cannot be read: {detail}")
        return ReadRules(RuleFile(), [fault])
    return parse(str(path), text, severities)


def parse(file: str, text: str, severities: Collection[str] | None = None) -> ReadRules:
    """Read the text of a rule file, of this name."""
    tree = YamlTree(file, text)
    root = tree.root()
    groups: list[Group] = []
    if root is not None:
        top = tree.mapping(root, FILE_KEYS, "the file")
        if "groups" in top:
            groups = _Reader(tree, severities).groups(top["groups"].value)
    return ReadRules(RuleFile(groups), sorted(tree.faults))


class _Reader(EntryReader):
    def groups(self, node: yaml.Node) -> list[Group]:
        nodes = list(self.tree.items(node, "groups"))
        groups = [self._group(one, at) for at, one in enumerate(nodes, 1)]
        first: dict[str, int] = {}
        for one, group in zip(nodes, groups, strict=True):
            line = self.tree.place(one).line
            if group.name and first.setdefault(group.name, line) != line:
                detail = f'group "{group.name}": already defined in line {first[group.name]}'
                self.tree.add(one, FileFault.DUPLICATE_GROUP, detail)
        for rule, line in duplicates(groups):
            detail = (
                f'"{rule.name}" with the same labels stands in line {line} already: which one counts is open'
            )
            self.tree.add(Position(rule.line, rule.column), FileFault.DUPLICATE_RULE, detail)
        return groups

    def _group(self, node: yaml.Node, number: int) -> Group:
        tree = self.tree
        entries = tree.mapping(node, GROUP_KEYS, f"group {number}")
        name = tree.text(entries["name"].value, f"group {number}: name") if "name" in entries else None
        where = f'group "{name}"' if name else f"group {number}"
        if not name and (name == "" or "name" not in entries):
            tree.add(node, FileFault.MISSING_KEY, f"{where}: a group needs a name")
        if name and len(name.encode(errors="replace")) > MAX_LABEL_NAME_BYTES:
            detail = f"group {number}: the name takes more than {MAX_LABEL_NAME_BYTES} bytes"
            tree.add(entries["name"].value, FileFault.BAD_NAME, detail)
        interval = self.duration(entries, "interval", where)
        if interval and interval < MIN_INTERVAL_MS:
            detail = f"{where}: interval: less than {MIN_INTERVAL_MS // 1000}s"
            tree.add(entries["interval"].value, FileFault.BAD_DURATION, detail)
        limit = tree.integer(entries["limit"].value, f"{where}: limit") if "limit" in entries else 0
        labels = self.labels(entries, where)
        rules = tree.items(entries["rules"].value, f"{where}: rules") if "rules" in entries else ()
        return Group(
            name or "",
            [self._rule(one, f"{where}, rule {at}") for at, one in enumerate(rules, 1)],
            interval or None,
            limit or 0,
            self.duration(entries, "query_offset", where),
            plain(labels),
        )

    def _rule(self, node: yaml.Node, where: str) -> Rule:
        tree = self.tree
        entries = tree.mapping(node, RULE_KEYS, where)
        names = {
            kind: (tree.text(entries[kind].value, f"{where}: {kind}") or "") if kind in entries else ""
            for kind in RuleKind
        }
        kind = RuleKind.RECORD if names[RuleKind.RECORD] else RuleKind.ALERT
        name = names[kind]
        where = f'{where}, "{name}"' if name else where
        if not name and isinstance(node, yaml.MappingNode):
            tree.add(node, FileFault.MISSING_KEY, f'{where}: a rule needs "record" or "alert"')
        if all(names.values()):
            later = max((entries[one].key for one in RuleKind), key=tree.place)
            tree.add(later, FileFault.MISPLACED_KEY, f'{where}: a rule has either "record" or "alert"')
        elif name and kind is RuleKind.RECORD:
            checks.check_record(tree, entries["record"].value, name, where)
            self._refuse_alert_keys(entries, where)
        labels = self.labels(entries, where)
        annotations = self.texts(entries, "annotations", where)
        if kind is RuleKind.ALERT:
            self.check_alert(labels, annotations, where)
        place = tree.place(node)
        return Rule(
            kind,
            name,
            self._expression(entries, "expr", node, where) or "",
            plain(labels),
            plain(annotations),
            self.duration(entries, "for", where) or 0,
            self.duration(entries, "keep_firing_for", where) or 0,
            self._expression(entries, "resolve", node, where),
            self.no_data(entries, where),
            place.line,
            place.column,
        )

    def _refuse_alert_keys(self, entries: dict[str, Entry], where: str) -> None:
        for key in ALERT_ONLY_KEYS:
            if key in entries:
                detail = f'{where}: a recording rule has no "{key}"'
                self.tree.add(entries[key].key, FileFault.MISPLACED_KEY, detail)

    def _expression(self, entries: dict[str, Entry], key: str, node: yaml.Node, where: str) -> str | None:
        text = self.tree.text(entries[key].value, f"{where}: {key}") if key in entries else ""
        if text:
            checks.check_expression(self.tree, entries[key].value, text, f"{where}: {key}")
            return text
        if text is not None and (key == "expr" or key in entries) and isinstance(node, yaml.MappingNode):
            at = entries[key].value if key in entries else node
            self.tree.add(at, FileFault.MISSING_KEY, f'{where}: "{key}" is empty or missing')
        return None
