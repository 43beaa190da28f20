"""A mass outage, and rules whose texts are far too long: no job restarts, and other rules go on."""

import time
from collections import Counter
from contextlib import ExitStack

import httpx
import pytest
from werkzeug import Request, Response

from integration.support.alerting import series, state, triggered
from integration.support.bridge import Bridge
from integration.support.stored import wait_for
from schemas.limits import MAX_ANNOTATIONS_BYTES
from tests.support.http_server import serving

MASSES = (5_000, pytest.param(50_000, marks=pytest.mark.long))
LONG = 100
WAIT_S = 150
"""For 50,000 alerts; a machine that does nothing else takes a third of it."""

RULES = """\
groups:
- name: mass
  interval: 5s
  rules:
  - alert: HostDown
    expr: {name}_up == 0
    labels: {{severity: page}}
    annotations:
      summary: "{{{{ $labels.instance }}}} is down"
      description: No scrape of this host has succeeded for two minutes.
      runbook_url: https://wiki.example.org/runbooks/host-down
- name: other
  interval: 5s
  rules:
  - alert: Other
    expr: {name}_other > 0
  - record: {name}:other
    expr: {name}_other * 2
"""
TEXTS = """\
groups:
- name: texts
  interval: 5s
  rules:
  - alert: LongText
    expr: {name}_text > 0
    annotations:
      summary: short
      description: "{{{{ range 999 }}}}{thousand}{{{{ end }}}}"
  - alert: LongLabel
    expr: {name}_text > 0
    labels:
      # ten times what a label may have, of one series alone
      long: '{{{{ if eq $labels.instance "0" }}}}{{{{ range 82 }}}}{thousand}{{{{ end }}}}{{{{ end }}}}'
  - record: {name}:long
    expr: label_join({name}_text, "long", "", {joined})
- name: other
  interval: 5s
  rules:
  - alert: Other
    expr: {name}_text > 0
"""


class Receiver:
    """Takes what `notify` posts; counts what of it fires and what is resolved, each alert once."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, str]] = {}
        self._server = ExitStack()
        self.url = self._server.enter_context(serving(self._answer))

    def count(self, name: str) -> Counter:
        """How many alerts of a name are told as what."""
        return Counter(self.told.get(name, {}).copy().values())

    def close(self) -> None:
        """End."""
        self._server.close()

    def _answer(self, request: Request) -> Response:
        for alert in request.get_json():
            ended = alert["endsAt"] < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
            told = self.told.setdefault(alert["labels"]["alertname"], {})
            told[alert["labels"].get("instance", "")] = "resolved" if ended else "firing"
        return Response()


@pytest.fixture
def receiver(config, tmp_path):
    found = Receiver()
    bridge = Bridge(config, tmp_path, found.url)
    bridge.start()
    wait_for(lambda: _answers(bridge.metrics_url), 60, lambda: bridge.log.read_text()[-3000:])
    found.bridge = bridge
    yield found
    bridge.stop()
    found.close()


def _answers(url):
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def shown(config, path, **parameters):
    """The data of an endpoint of the gateway."""
    found = httpx.get(f"{config.gateway.url}/api/v1/{path}", params=parameters, timeout=60)
    assert found.status_code == 200, found.text[:2000]
    assert "warnings" not in found.json()
    return found.json()["data"]


def restarts(stack):
    return {job: one["restarts"] for job, one in stack.state()["jobs"].items()}


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("mass", MASSES)
def test_a_mass_of_alerts_of_one_rule_is_shown_told_and_resolved(
    stack, config, stream, rules, name, receiver, mass
):
    stream.idle()
    before = restarts(stack)
    rules.apply(name, RULES.format(name=name))
    other = {series(f"{name}_other", instance="o"): 1.0}
    hosts = [
        series(f"{name}_up", instance=f"web-{at:05}.eu-west-1.example.org:9100", job="node")
        for at in range(mass)
    ]
    began = time.monotonic()
    times = []

    def lap(what):
        times.append((what, round(time.monotonic() - began, 1)))

    stream.idle(2)
    stream.step(dict.fromkeys(hosts, 0.0) | other)
    stream.idle(2)
    lap("sent")
    progress = lambda: f"{times} {receiver.count('HostDown')} {receiver.bridge.log.read_text()[-2000:]}"  # noqa: E731
    wait_for(lambda: receiver.count("HostDown") == {"firing": mass}, WAIT_S, progress)
    lap("told")
    active = [one for one in shown(config, "alerts")["alerts"] if one["labels"]["alertname"] == "HostDown"]
    assert len(active) == mass
    assert {one["state"] for one in active} == {"firing"}
    assert len({one["labels"]["instance"] for one in active}) == mass
    groups = {one["name"]: one for one in shown(config, "rules", **{"file[]": name})["groups"]}
    assert len(groups["mass"]["rules"][0]["alerts"]) == mass
    lap("shown")
    stream.step(dict.fromkeys(hosts, 1.0) | dict.fromkeys(other, 0.0))
    stream.idle(2)
    wait_for(lambda: receiver.count("HostDown") == {"resolved": mass}, WAIT_S, progress)
    lap("resolved")
    wait_for(lambda: not [key for key in state(config) if key.startswith(f"{name}/mass#0")], 30)
    [changes] = triggered(config, f"{name}/other").values()
    assert [one.after for one in changes] == ["firing", "resolved"]
    assert receiver.count("Other") == {"resolved": 1}
    lap("done")
    print(times)
    assert restarts(stack) == before


def test_texts_that_are_too_long_are_cut_or_left_out_and_nothing_else_is(
    stack, config, stream, rules, name, receiver
):
    stream.idle()
    before = restarts(stack)
    joined = ", ".join(['"filler"'] * 65)
    rules.apply(name, TEXTS.format(name=name, thousand="x" * 1000, joined=joined))
    texts = {series(f"{name}_text", instance=str(at), filler="y" * 1000): 1.0 for at in range(LONG)}
    stream.step(texts)
    stream.idle(2)
    log = lambda: f"{receiver.told.keys()} {receiver.bridge.log.read_text()[-2000:]}"  # noqa: E731
    wait_for(lambda: receiver.count("LongText") == {"firing": LONG}, WAIT_S, log)
    wait_for(lambda: receiver.count("LongLabel") == {"firing": LONG - 1}, WAIT_S, log)
    wait_for(lambda: receiver.count("Other") == {"firing": LONG}, WAIT_S, log)
    groups = {one["name"]: one["rules"] for one in shown(config, "rules", **{"file[]": name})["groups"]}
    long_text, long_label, recorded = groups["texts"]
    for alert in long_text["alerts"]:
        assert alert["annotations"]["summary"] == "short"
        assert alert["annotations"]["description"].endswith("... [cut: 999000 bytes]")
        assert len(alert["annotations"]["description"]) <= MAX_ANNOTATIONS_BYTES
    assert long_text["health"] == "ok"
    assert (long_label["health"], len(long_label["alerts"])) == ("err", LONG - 1)
    assert long_label["lastError"].startswith(f"1 of {LONG} series left out: label_value_too_long: ")
    assert recorded["health"] == "err"
    assert recorded["lastError"].startswith(f"{LONG} of {LONG} series left out: label_value_too_long: ")
    assert restarts(stack) == before
