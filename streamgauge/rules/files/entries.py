"""Reads the fields common to all rules: labels, annotations, durations, no_data."""

from collections.abc import Collection
from typing import TypeAlias

from schemas.rule_files import NoData
from streamgauge.rules.files import checks
from streamgauge.rules.files.faults import FileFault
from streamgauge.rules.files.yaml_tree import Entry, YamlTree

Texts: TypeAlias = dict[str, tuple[Entry, str]]


class EntryReader:
    """Reads from one file; faults go to its tree.

    :param severities: what the label `severity` of an alert may be; None for anything.
    """

    def __init__(self, tree: YamlTree, severities: Collection[str] | None) -> None:
        self.tree = tree
        self.severities = severities

    def duration(self, entries: dict[str, Entry], key: str, where: str) -> int | None:
        """A duration in ms; None if it is not there."""
        return self.tree.duration(entries[key].value, f"{where}: {key}") if key in entries else None

    def no_data(self, entries: dict[str, Entry], where: str) -> NoData:
        """What becomes of alerts whose series has no data."""
        if "no_data" not in entries:
            return NoData.OK
        word = self.tree.text(entries["no_data"].value, f"{where}: no_data")
        if word in set(NoData):
            return NoData(word)
        if word is not None:
            detail = f'{where}: no_data: "{word}" is not one of {", ".join(NoData)}'
            self.tree.add(entries["no_data"].value, FileFault.BAD_WORD, detail)
        return NoData.OK

    def texts(self, entries: dict[str, Entry], key: str, where: str) -> Texts:
        """A mapping of texts; nothing if it is not there."""
        return self.tree.texts(entries[key].value, f"{where}: {key}") if key in entries else {}

    def labels(self, entries: dict[str, Entry], where: str) -> Texts:
        """Labels that a rule sets."""
        found = self.texts(entries, "labels", where)
        for name, (entry, _) in found.items():
            checks.check_label_name(self.tree, entry.key, name, f"{where}: labels")
        return found

    def check_alert(self, labels: Texts, annotations: Texts, where: str) -> None:
        """Note what is wrong with the templates of an alert and with its severity."""
        for name, (entry, text) in labels.items():
            checks.check_template(self.tree, entry.value, text, f"{where}: labels: {name}")
            if name == "severity" and self.severities is not None:
                checks.check_severity(self.tree, entry.value, text, self.severities, where)
        for name, (entry, text) in annotations.items():
            if not name:
                self.tree.add(entry.key, FileFault.BAD_LABEL, f"{where}: an annotation needs a name")
            checks.check_template(self.tree, entry.value, text, f"{where}: annotations: {name}")


def plain(texts: Texts) -> dict[str, str]:
    """The texts alone."""
    return {name: text for name, (_, text) in texts.items()}
