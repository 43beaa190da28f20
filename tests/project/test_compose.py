"""docker-compose.yml is what the compose specification allows, and names what it runs exactly."""

import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamgauge import config as configuration
from streamgauge.local.supervision.jobs import JOBS

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
ONCE = {"schema"}
"""Services that end when they are done."""
FLINK_REST = "8081"
"""Whoever reaches it can run code in the cluster."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with the defaults of its variables."""
    text = (ROOT / "docker-compose.yml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(VARIABLE.sub(r"\1", text))
    return loaded


def test_it_fulfils_the_schema_of_the_compose_specification(compose: dict[str, Any]) -> None:
    vendored = importlib.resources.files("check_jsonschema.builtin_schemas.vendor") / "compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(compose)


def test_every_image_has_a_version(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":v?\d+\.\d+", service["image"])


def test_everything_that_serves_has_a_health_check_and_what_waits_for_it_waits_for_its_health(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == ONCE
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if needed in ONCE else "service_healthy"
            assert how["condition"] == condition


def test_ports_are_published_on_the_loopback_address_and_flinks_not_at_all(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    for port in published:
        address, outside, inside = port.split(":")
        assert address == "127.0.0.1"
        assert FLINK_REST not in (outside, inside)
    assert not any("network_mode" in service for service in compose["services"].values())


def test_services_are_started_again_whenever_they_end_but_those_that_end_when_they_are_done(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == ("on-failure" if name in ONCE else "unless-stopped")


def test_visitors_of_grafana_only_look_and_its_password_comes_from_the_environment(
    compose: dict[str, Any],
) -> None:
    environment = compose["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    # without one compose refuses to start
    assert environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")


def test_a_cassandra_whose_disk_fails_ends(compose: dict[str, Any]) -> None:
    options = compose["services"]["cassandra"]["environment"]["JVM_EXTRA_OPTS"].split()
    assert "-Dcassandra.config.allow_system_properties=true" in options
    assert {option for option in options if option.endswith("_failure_policy=die")} == {
        "-Dcassandra.settings.disk_failure_policy=die",
        "-Dcassandra.settings.commit_failure_policy=die",
    }


def test_every_volume_and_mounted_file_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists()
            else:
                assert source in compose["volumes"]


@pytest.mark.parametrize("name", ["streamgauge.yml", "streamgauge-replicated.yml"])
def test_the_configurations_of_the_containers_can_be_read(name: str) -> None:
    config = configuration.read(ROOT / "docker" / name)
    assert config.local.home == Path("/var/lib/streamgauge")


def test_the_jobs_that_are_submitted_exist() -> None:
    assert all(file.exists() for file in JOBS.values())
