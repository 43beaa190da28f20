"""Reads files of unit tests; every fault is reported with its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from schemas.units import MINUTE_MS
from streamgauge.rules.files.faults import Fault, FileFault, Position
from streamgauge.rules.files.yaml_tree import Entry, YamlTree
from streamgauge.rules.unit_tests.series_notation import InvalidSeries, labels, values

_FILE_KEYS = frozenset({"rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"})
_TEST_KEYS = frozenset(
    {
        "interval",
        "input_series",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
        "name",
        "start_timestamp",
    }
)
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InputSeries:
    """A series that a test starts with; None where it has no sample."""

    labels: Mapping[str, str]
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """Labels and annotations of an alert that has to fire."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertCase:
    """Which alerts of a name have to fire at a time in ms from the start."""

    time: int
    name: str
    alerts: Sequence[ExpectedAlert]


@dataclass(frozen=True, slots=True)
class ExpectedSample:
    """A series of an instant query and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class ExpressionCase:
    """What an expression has to give at a time in ms from the start."""

    time: int
    expression: str
    samples: Sequence[ExpectedSample]


@dataclass(frozen=True, slots=True)
class UnitTest:
    """Series, and what has to come of them. interval: between samples, ms. start: of time, ms."""

    name: str
    interval: int
    start: int
    series: Sequence[InputSeries]
    alerts: Sequence[AlertCase]
    expressions: Sequence[ExpressionCase]
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""

    @property
    def length(self) -> int:
        """The time of the last expectation in ms from the start."""
        times = [case.time for case in self.alerts] + [case.time for case in self.expressions]
        return max(times, default=0)


@dataclass(frozen=True, slots=True)
class TestFile:
    """Unit tests of one file. rule_files: patterns, as they stand there."""

    __test__ = False

    rule_files: Sequence[str] = ()
    interval: int = MINUTE_MS
    group_order: Sequence[str] = ()
    fuzzy: bool = False
    tests: Sequence[UnitTest] = ()


def read(path: Path) -> tuple[TestFile, Sequence[Fault]]:
    """What a file says, and what is wrong with it; only without faults is it to be used."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else f"not UTF-8: {error.reason}"
        return TestFile(), [Fault(str(path), Position(), FileFault.UNREADABLE, f"cannot be read: {detail}")]
    tree = YamlTree(str(path), text)
    root = tree.root()
    found = TestFile() if root is None else _Reader(tree).file(root)
    return found, sorted(fault for fault in tree.faults if not fault.is_lint)


class _Reader:
    def __init__(self, tree: YamlTree) -> None:
        self._tree = tree

    def file(self, root: yaml.Node) -> TestFile:
        top = self._tree.mapping(root, _FILE_KEYS, "the file")
        interval = self._duration(top, "evaluation_interval", "the file") or MINUTE_MS
        order: list[str] = []
        for node in self._items(top, "group_eval_order", "the file"):
            name = self._tree.text(node, "group_eval_order") or ""
            if name in order:
                detail = f'group_eval_order: group "{name}" is listed twice'
                self._tree.add(node, FileFault.DUPLICATE_GROUP, detail)
            order.append(name)
        patterns = [
            self._tree.text(node, "rule_files") for node in self._items(top, "rule_files", "the file")
        ]
        fuzzy = "fuzzy_compare" in top and self._tree.boolean(top["fuzzy_compare"].value, "fuzzy_compare")
        tests = [
            self._test(node, at, interval) for at, node in enumerate(self._items(top, "tests", "the file"), 1)
        ]
        return TestFile([one for one in patterns if one], interval, order, bool(fuzzy), tests)

    def _test(self, node: yaml.Node, number: int, interval: int) -> UnitTest:
        where = f"test {number}"
        entries = self._tree.mapping(node, _TEST_KEYS, where)
        name = self._text(entries, "name", where)
        where = f'test "{name}"' if name else where
        external = (
            self._tree.texts(entries["external_labels"].value, f"{where}: external_labels")
            if "external_labels" in entries
            else {}
        )
        return UnitTest(
            name or f"test {number}",
            self._duration(entries, "interval", where) or interval,
            self._start(entries, where),
            [self._series(one, where) for one in self._items(entries, "input_series", where)],
            [self._alert_case(one, where) for one in self._items(entries, "alert_rule_test", where)],
            [self._expression_case(one, where) for one in self._items(entries, "promql_expr_test", where)],
            {name: value for name, (_, value) in external.items()},
            self._text(entries, "external_url", where),
        )

    def _series(self, node: yaml.Node, where: str) -> InputSeries:
        where = f"{where}: input_series"
        entries = self._tree.mapping(node, {"series", "values"}, where)
        found = self._labels(entries, "series", where)
        text = self._text(entries, "values", where)
        try:
            return InputSeries(found, values(text))
        except InvalidSeries as fault:
            self._invalid(entries["values"], fault, f"{where}: values")
            return InputSeries(found, [])

    def _alert_case(self, node: yaml.Node, where: str) -> AlertCase:
        where = f"{where}: alert_rule_test"
        entries = self._tree.mapping(node, {"eval_time", "alertname", "exp_alerts"}, where)
        name = self._text(entries, "alertname", where)
        if not name and isinstance(node, yaml.MappingNode):
            self._tree.add(node, FileFault.MISSING_KEY, f'{where}: "alertname" is missing')
        expected = []
        for one in self._items(entries, "exp_alerts", where):
            alert = self._tree.mapping(one, {"exp_labels", "exp_annotations"}, f"{where}: exp_alerts")
            own, annotations = (
                {key: value for key, (_, value) in self._tree.texts(alert[part].value, where).items()}
                if part in alert
                else {}
                for part in ("exp_labels", "exp_annotations")
            )
            expected.append(ExpectedAlert({**own, "alertname": name}, annotations))
        return AlertCase(self._duration(entries, "eval_time", where) or 0, name, expected)

    def _expression_case(self, node: yaml.Node, where: str) -> ExpressionCase:
        where = f"{where}: promql_expr_test"
        entries = self._tree.mapping(node, {"expr", "eval_time", "exp_samples"}, where)
        samples = []
        for one in self._items(entries, "exp_samples", where):
            sample = self._tree.mapping(one, {"labels", "value", "histogram"}, f"{where}: exp_samples")
            if "histogram" in sample:
                detail = f"{where}: exp_samples: native histograms are not supported"
                self._tree.add(sample["histogram"].key, FileFault.BAD_SERIES, detail)
            number = self._number(sample["value"].value, where) if "value" in sample else 0.0
            samples.append(ExpectedSample(self._labels(sample, "labels", where), number))
        return ExpressionCase(
            self._duration(entries, "eval_time", where) or 0, self._text(entries, "expr", where), samples
        )

    def _items(self, entries: dict[str, Entry], key: str, where: str) -> Iterator[yaml.Node]:
        return self._tree.items(entries[key].value, f"{where}: {key}") if key in entries else iter(())

    def _text(self, entries: dict[str, Entry], key: str, where: str) -> str:
        return (self._tree.text(entries[key].value, f"{where}: {key}") or "") if key in entries else ""

    def _duration(self, entries: dict[str, Entry], key: str, where: str) -> int | None:
        return self._tree.duration(entries[key].value, f"{where}: {key}") if key in entries else None

    def _labels(self, entries: dict[str, Entry], key: str, where: str) -> dict[str, str]:
        try:
            return labels(self._text(entries, key, where))
        except InvalidSeries as fault:
            self._invalid(entries[key], fault, f"{where}: {key}")
            return {}

    def _invalid(self, entry: Entry, fault: InvalidSeries, where: str) -> None:
        place = self._tree.lines.place_in(entry.value, fault.position)
        self._tree.add(place, FileFault.BAD_SERIES, f"{where}: {fault.detail}")

    def _number(self, node: yaml.Node, where: str) -> float:
        text = self._tree.text(node, f"{where}: value") or ""
        text = _SPECIAL.get(text.lower(), text)
        if isinstance(node, yaml.ScalarNode) and not node.style:
            if _FLOAT.fullmatch(text) or text in _SPECIAL.values():
                return float(text)
            if re.fullmatch(r"0x[0-9a-fA-F]+", text):
                return float(int(text, 16))
        self._tree.add(node, FileFault.BAD_NUMBER, f'{where}: value: "{text}" is not a number')
        return 0.0

    def _start(self, entries: dict[str, Entry], where: str) -> int:
        text = self._text(entries, "start_timestamp", where)
        if not text:
            return 0
        try:
            return round(float(text) * 1000)
        except (ValueError, OverflowError):
            pass
        try:
            date = datetime.fromisoformat(text)
            return (date - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, TypeError, OverflowError):
            node = entries["start_timestamp"].value
            detail = f'{where}: start_timestamp: "{text}" is neither RFC 3339 nor Unix seconds'
            self._tree.add(node, FileFault.BAD_TIME, detail)
            return 0
