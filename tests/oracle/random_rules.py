"""Random rule files, and unit tests that expect of them what our engine gives."""

import math
from random import Random
from typing import Any

from schemas.rule_files import Group
from streamgauge.promql.data.vectors import written
from streamgauge.promql.syntax.parser import parse as parse_expression
from streamgauge.rules.files.reader import parse
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import points
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.rules.unit_tests.series_notation import labels, values

MINUTE = 60_000
LENGTH = 20
"""Of a test, in minutes."""
TEMPLATES = (
    "{{ $labels.host }} has {{ $value }}",
    "{{ $value | humanize }} {{ humanizePercentage $value }} {{ humanizeDuration $value }} {{ humanize1024 $value }}",
    '{{ range query "sum by (host) (a)" | sortByLabel "host" }}{{ .Labels.host }}={{ printf "%.2f" .Value }};{{ end }}',
    "{{ if gt $value 3.0 }}much{{ else if lt $value 0.0 }}negative{{ else }}little{{ end }}",
    "{{ $externalLabels.region }}{{ $externalURL }} {{- $labels.nope -}} | {{ title $labels.job }}",
    '{{ with query "max(a)" }}{{ . | first | value }}{{ else }}none{{ end }}',
    "{{ range $k, $v := $labels }}{{ $k }}:{{ $v | toUpper }} {{ end }}",
    "plain",
)
CONDITIONS = (
    "a > 3",
    "a",
    "b == 0",
    "a > on (host, job) b",
    "sum by (job) (a) > 10",
    "a unless b > 1",
    "absent(c)",
    "rate(a[3m]) > 0.01",
    "r > 2",
    'ALERTS{alertstate="firing"}',
    "count_over_time(ALERTS_FOR_STATE[3m]) > 2",
    "changes(b[5m]) > 1 or a < 0",
    "vector(1) > 2",
    "max_over_time(a[5m:2m]) > 5",
)


class RandomRules:
    """Draws files and tests."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def rules(self) -> dict[str, Any]:
        """The content of a rule file."""
        groups = []
        for number in range(self._random.randint(1, 3)):
            rules: list[dict[str, Any]] = []
            if self._maybe(0.5):
                rules.append(
                    {"record": "r", "expr": self._random.choice(["a * 2", "sum by (job) (a)", "a > 2"])}
                )
                if self._maybe(0.3):
                    rules[-1]["labels"] = {"team": "x", "job": ""}
            rules += [self._alert(f"A{number}{at}") for at in range(self._random.randint(1, 3))]
            group = {"name": f"g{number}", "rules": rules}
            if self._maybe(0.3):
                group["labels"] = {"severity": "page", "group": "g"}
            if self._maybe(0.2):
                group["query_offset"] = "1m"
            groups.append(group)
        return {"groups": groups}

    def series(self) -> list[dict[str, str]]:
        """The input series of a test."""
        found = []
        for name in "ab":
            for host in range(self._random.randint(0, 3)):
                text = " ".join(self._run() for _ in range(self._random.randint(1, 6)))
                found.append({"series": f'{name}{{host="h{host}", job="j{host % 2}"}}', "values": text})
        return found

    def _alert(self, name: str) -> dict[str, Any]:
        rule: dict[str, Any] = {"alert": name, "expr": self._random.choice(CONDITIONS)}
        for key in ("for", "keep_firing_for"):
            if self._maybe(0.5):
                rule[key] = f"{self._random.randint(0, 5)}m"
        if self._maybe(0.4):
            rule["labels"] = (
                {"team": "t{{ $labels.job }}", "host": ""} if self._maybe(0.2) else {"level": "{{ $value }}"}
            )
        rule["annotations"] = {
            f"n{at}": self._random.choice(TEMPLATES) for at in range(self._random.randint(0, 3))
        }
        return rule

    def _run(self) -> str:
        random = self._random
        first = random.choice(["0", "1", "4", "-2", "5.5"])
        return random.choice(
            [
                "_",
                "stale",
                "_x2",
                "NaN",
                first,
                f"{first}x{random.randint(0, 4)}",
                f"{random.randint(0, 5)}+1.5x3",
                "9-2x4",
            ]
        )

    def _maybe(self, probability: float) -> bool:
        return self._random.random() < probability


def expectations(
    rule_text: str, series: list[dict[str, str]], external: dict[str, str], url: str
) -> dict[str, Any]:
    """What our engine gives for a test, in the words of a test file; {} if a rule cannot be evaluated."""
    read = parse("rules.yml", rule_text)
    assert read.is_usable, [str(fault) for fault in read.faults]
    memory, context = Memory(), EvaluationContext(external, url)
    for one in series:
        memory.load(labels(one["series"]), 0, MINUTE, values(one["values"]))
    groups: list[Group] = list(read.rules.groups)
    runs = [GroupRun(compile_group(group), memory, context) for group in groups]
    names = [rule.name for group in groups for rule in group.rules if rule.kind == "alert"]
    cases = []
    for minute in range(LENGTH + 1):
        memory.until = minute * MINUTE
        failures = [failure for run in runs for failure in run.tick(minute * MINUTE)]
        if failures:
            return {}
        active = [pair for run in runs for pair in run.firing_or_pending()]
        for name in names:
            firing = [
                {
                    "exp_labels": {key: value for key, value in alert.labels if key != "alertname"},
                    "exp_annotations": dict(alert.annotations),
                }
                for rule, alert in active
                if rule.rule.name == name and alert.state == "firing"
            ]
            cases.append({"eval_time": f"{minute}m", "alertname": name, "exp_alerts": firing})
    samples = []
    for text in ("ALERTS", "ALERTS_FOR_STATE", "r", "count_over_time(r[30m])"):
        for minute in (5, LENGTH):
            found = _samples(memory, context, text, minute)
            # to promtool a NaN is no other
            if not any(math.isnan(sample["value"]) for sample in found):
                samples.append({"expr": text, "eval_time": f"{minute}m", "exp_samples": found})
    return {"alert_rule_test": cases, "promql_expr_test": samples}


def _samples(memory: Memory, context: EvaluationContext, text: str, minute: int) -> list[dict[str, Any]]:
    found = points(parse_expression(text), memory, context, minute * MINUTE)
    return [{"labels": written(point.labels), "value": point.value} for point in found]
