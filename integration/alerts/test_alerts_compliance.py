"""What the Prometheus project asks of whatever generates alerts, at a time that runs fast, on the real stack.

The rules of its compliance suite for alert generators are shown by stories of our own: https://github.com/prometheus/compliance,
`alert_generator/specification.md`. Its resending is a matter of the bridge: see test_notify.py.
"""

import time

import httpx

from integration.support.alerting import triggered
from integration.support.stored import wait_for

SAMPLES_MS = 15_000
TICKS_MS = 30_000
RULES = """\
groups:
- name: comes-and-goes
  interval: 30s
  rules:
  - alert: Full
    expr: {name}{{of="full"}} > 10
    for: 6m
    labels: {{foo: bar}}
    annotations: {{summary: "The value is {{{{ $value }}}} {{{{ .Value }}}}"}}
- name: never-fires
  interval: 30s
  rules:
  - alert: TooShort
    expr: {name}{{of="short"}} > 10
    for: 3m
  - alert: TooLow
    expr: {name}{{of="short"}} > 99
- name: at-once
  interval: 30s
  rules:
  - alert: AtOnce
    expr: {name}{{of="now"}} > 10
    labels: {{foo: bar}}
    annotations:
      numbers: "{{{{ humanize 1048576.0 }}}} {{{{ humanize1024 1048576.0 }}}} {{{{ humanizeDuration 135.3563 }}}}\\
        \\ {{{{ humanizePercentage 0.959 }}}} {{{{ humanizeTimestamp 1643114203 }}}}"
      found: '{{{{ define "three" }}}}{{{{ .arg0 }}}} {{{{ .arg1 }}}} {{{{ .arg2 }}}}:
        {{{{ with query "{name}{{of=''template''}}" }}}}{{{{ . | sortByLabel "id" | first | label "id" }}}};
        {{{{- range sortByLabel "id" . }}}} {{{{ . | label "id" }}}}={{{{ . | value }}}}{{{{ end }}}}{{{{ end }}}}
        {{{{- end }}}}{{{{ template "three" (args "foo" "bar" 99) }}}}'
  - alert: SoonAfter
    expr: {name}{{of="now"}} > 13
    for: 15s
    annotations:
      words: '{{{{ title "this part" }}}} {{{{ toUpper "is testing" }}}} {{{{ toLower "THE STRINGS" }}}},
        {{{{ stripPort "[::1]:6006" }}}} {{{{ stripPort "127.0.0.1:4004" }}}} {{{{ parseDuration "2h10m15s" }}}}
        {{{{ if match "[0-9]+" "1234" }}}}{{{{ reReplaceAll "r.*d" "replaced" "rpld text" }}}}{{{{ end }}}}
        {{{{- if match "[0-9]+$" "1234a" }}}} wrong{{{{ end }}}}'
- name: in-order
  interval: 30s
  rules:
  - alert: First
    expr: {name}{{of="order"}} > 10
    for: 3m
    labels: {{foo: bar}}
  - alert: Second
    expr: |
      ALERTS{{alertstate="firing", alertname="First", of="order", foo="bar", variant="one"}}
        + ignoring(variant)
      ALERTS{{alertstate="firing", alertname="First", of="order", foo="bar", variant="two"}} == 2
    labels: {{foo: baz}}
    annotations: {{text: "was {{{{ $labels.alertname }}}} of foo {{{{ .Labels.foo }}}}"}}
"""


def values(*runs):
    """(value, how often) one after the other."""
    return [value for value, count in runs for _ in range(count)]


STORIES = {
    (("of", "full"),): values(
        *((3, 1), (5, 3), (9, 4), (11, 13), (15, 32), (19, 16), (9, 20), (15, 45), (8, 16)),
    ),
    (("of", "short"),): values((3, 1), (5, 3), (9, 4), (11, 11), (9, 1)),
    (("of", "now"),): values((3, 1), (5, 3), (9, 4), (15, 13), (9, 72), (11, 13), (9, 1)),
    (("of", "order"), ("variant", "one")): values((1, 8), (11, 65), (9, 21)),
    (("of", "order"), ("variant", "two")): values((1, 32), (11, 33), (9, 21)),
    **{(("of", "template"), ("id", f"10{n}")): values((n, 28), (2 * n, 122)) for n in (1, 2, 3)},
}
WANTED = {
    ("Full", ""): [
        ("pending", 120),
        ("firing", 480),
        ("resolved", 1050),
        ("pending", 1350),
        ("firing", 1710),
        ("resolved", 2010),
    ],
    ("TooShort", ""): [("pending", 120), ("inactive", 300)],
    ("AtOnce", ""): [("firing", 120), ("resolved", 330), ("firing", 1410), ("resolved", 1590)],
    ("SoonAfter", ""): [("pending", 120), ("firing", 150), ("resolved", 330)],
    ("First", "one"): [("pending", 120), ("firing", 300), ("resolved", 1110)],
    ("First", "two"): [("pending", 480), ("firing", 660), ("resolved", 990)],
    ("Second", ""): [("firing", 660), ("resolved", 990)],
}
GROUPS = ("comes-and-goes", "never-fires", "at-once", "in-order")
BEFORE_TEMPLATES = (7, 92)
"""Samples after which rules ask for what has been sent: it has to be stored by then."""
WHILE_PENDING = (18, 29)
"""Samples after which the value of an alert that is pending is looked at."""


class Told:
    """What the gateway says, at a time of the test (s)."""

    def __init__(self, config, begin) -> None:
        self._url = f"http://{config.gateway.listen}/api/v1"
        self._begin = begin

    def result(self, query, second):
        """The samples of an instant query by their labels."""
        asked = {"query": query, "time": self._begin / 1000 + second}
        found = httpx.get(f"{self._url}/query", params=asked).json()["data"]["result"]
        return {tuple(sorted(one["metric"].items())): one["value"][1] for one in found}

    def seconds(self, query, last):
        """The times at which a range query has a value, by labels."""
        start = self._begin // 1000
        asked = {"query": query, "start": start, "end": start + last, "step": TICKS_MS // 1000}
        asked["lookback_delta"] = "1s"
        found = httpx.get(f"{self._url}/query_range", params=asked).json()["data"]["result"]
        return {
            (one["metric"]["alertname"], one["metric"].get("variant", ""), one["metric"]["alertstate"]): [
                int(moment) - start for moment, _ in one["values"]
            ]
            for one in found
        }

    def alerts(self, name):
        """The alerts of a rule: state, value, annotations."""
        found = httpx.get(f"{self._url}/alerts").json()["data"]["alerts"]
        return [
            (one["state"], float(one["value"]), one["annotations"])
            for one in found
            if one["labels"]["alertname"] == name
        ]


def _step(stream, name, number):
    samples = {
        (("__name__", name), *labels): float(story[number])
        for labels, story in STORIES.items()
        if number < len(story)
    }
    stream.now += SAMPLES_MS - 5000
    stream.step(samples, 0.03)


def _periods(path, state, until):
    """The ticks (s) at which an alert was in a state."""
    ends = [*path[1:], ("", until)]
    return [
        second
        for (one, begin), (_, end) in zip(path, ends, strict=True)
        if one == state
        for second in range(begin, end, TICKS_MS // 1000)
    ]


def test_alerts_are_what_the_compliance_suite_expects(config, stream, rules, name):
    stream.idle()
    first = rules.apply(name, RULES.format(name=name))
    while stream.now < first or (stream.now + SAMPLES_MS) % 60_000:
        stream.step({}, 0.02)
    begin = stream.now + SAMPLES_MS
    told = Told(config, begin)
    for number in range(151):
        _step(stream, name, number)
        second = number * SAMPLES_MS // 1000
        if number in BEFORE_TEMPLATES:
            wait_for(
                lambda now=second: len(told.result(f'{name}{{of="template"}} offset 1s', now + 1)) == 3, 60
            )
        if number + 4 in WHILE_PENDING:
            # values are told now and then only
            time.sleep(2)
        if number in WHILE_PENDING:
            value = STORIES[("of", "full"),][number]
            shown = [("pending", float(value), {"summary": f"The value is {value} {value}"})]
            wait_for(lambda wanted=shown: told.alerts("Full") == wanted, 60, lambda: str(told.alerts("Full")))
    stream.idle()
    total = sum(map(len, WANTED.values()))

    def found():
        return [
            one
            for group in GROUPS
            for messages in triggered(config, f"{name}/{group}").values()
            for one in messages
        ]

    wait_for(lambda: len({one.id for one in found()}) >= total, 90, lambda: str(found()))
    paths = {}
    for one in sorted({each.id: each for each in found()}.values(), key=lambda one: one.tick):
        alert = one.labels["alertname"], one.labels.get("variant", "")
        paths.setdefault(alert, []).append((one.after, (one.tick - begin) // 1000))
    assert paths == WANTED
    _check_contents(found())
    until = (stream.now - begin) // 1000 // 30 * 30 - 60
    _check_series(told, until)


def _check_contents(found):
    said = {
        (one.labels["alertname"], one.after, one.tick): (one.labels, one.annotations)
        for one in sorted(found, key=lambda one: one.tick)
    }

    def of(alert, after):
        return [content for (name, state, _), content in said.items() if (name, state) == (alert, after)]

    assert [annotations["summary"] for _, annotations in of("Full", "firing")] == [
        "The value is 15 15",
        "The value is 15 15",
    ]
    # what ended is told with the annotations that it had
    assert [annotations["summary"] for _, annotations in of("Full", "resolved")] == [
        "The value is 19 19",
        "The value is 15 15",
    ]
    (_, soon), *_ = of("SoonAfter", "firing")
    assert soon == {
        "words": "This Part IS TESTING the strings, ::1 127.0.0.1 7815 replaced text",
    }
    once = of("AtOnce", "firing")
    assert [annotations["numbers"] for _, annotations in once] == [
        "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"
    ] * 2
    assert [annotations["found"] for _, annotations in once] == [
        "foo bar 99: 101; 101=1 102=2 103=3",
        "foo bar 99: 101; 101=2 102=4 103=6",
    ]
    [(labels, annotations)] = of("Second", "firing")
    assert labels == {"alertname": "Second", "alertstate": "firing", "of": "order", "foo": "baz"}
    assert annotations == {"text": "was First of foo bar"}


def _check_series(told, until):
    """ALERTS is there at the ticks at which an alert was pending or firing, and at no other."""
    wanted = {
        (*alert, state): seconds
        for alert, path in WANTED.items()
        for state in ("pending", "firing")
        if (seconds := _periods(path, state, until))
    }
    asked = 'ALERTS{of=~"full|short|now|order"}'
    wait_for(lambda: told.seconds(asked, until) == wanted, 60, lambda: str(told.seconds(asked, until)))
