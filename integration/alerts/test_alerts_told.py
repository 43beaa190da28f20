"""Faults as in test_alerts_faults.py, seen where they matter: at the Alertmanager that the bridge tells."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from integration.alerts.test_alerts import THRESHOLD, heat
from integration.support.alerting import STEP_MS, await_changes, expected
from integration.support.alertmanager import Alertmanager, Webhook, require_program
from integration.support.bridge import Bridge
from integration.support.stored import wait_for
from streamgauge.local.servers.ports import free_ports

BEFORE_MS = 720_000
"""The test's time begins so long ago: the bridge tells what was resolved within 15 minutes."""
STEPS = 110


@pytest.fixture
def bridge(stack, tmp_path):
    require_program()
    hook = Webhook()
    [port] = free_ports(1)
    alertmanager = Alertmanager(tmp_path, port, hook.url)
    bridge = Bridge(stack.config, tmp_path, alertmanager.url)
    alertmanager.start()
    bridge.start()
    _await_bridge(bridge)
    yield bridge
    bridge.stop()
    alertmanager.stop()
    hook.close()


def _await_bridge(bridge):
    def answers():
        try:
            return httpx.get(bridge.metrics_url).is_success
        except httpx.TransportError:
            return False

    wait_for(answers, 60, lambda: bridge.log.read_text()[-3000:])


def _kill_everything_in_turn(stack, bridge):
    for pid in stack.python_workers():
        os.kill(pid, signal.SIGKILL)
    bridge.kill()
    bridge.start()
    time.sleep(4)
    stack.kill("taskmanager")
    time.sleep(2)
    bridge.kill()
    bridge.start()


def test_the_alertmanager_is_told_the_same_as_without_faults(stack, config, stream, rules, name, bridge):
    stream.now = (int(time.time() * 1000) - BEFORE_MS) // 60_000 * 60_000
    stream.idle()
    first = rules.apply(name, THRESHOLD.format(name=name))
    with ThreadPoolExecutor(1) as beside:
        stream.run(heat(name), 30, 0.1)
        injected = beside.submit(_kill_everything_in_turn, stack, bridge)
        stream.run(heat(name), STEPS - 30, 0.1)
        injected.result()
    stream.idle()
    key = f"{name}/{name}"
    wanted = expected(stream, rules, key, first, stream.now - STEP_MS)
    told = {one for one, change in wanted.items() if change.transition.after.value in ("firing", "resolved")}
    assert len(told) > 30
    await_changes(config, key, set(wanted), 240)

    def sent():
        return {one for ids in bridge.sent().values() for one in ids} & wanted.keys()

    wait_for(lambda: sent() >= told, 120, lambda: f"not told: {sorted(told - sent())}")
    assert sent() == told
    order = {one: change.transition.tick for one, change in wanted.items()}
    for ids in bridge.sent().values():
        ticks = [order[one] for one in ids if one in order]
        assert ticks == sorted(ticks)
