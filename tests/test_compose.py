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
from streamgauge.local.jobs import JOBS

ROOT = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")


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
    once = {"schema", "jobs"}
    assert {name for name, service in services.items() if "healthcheck" not in service} == once
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if needed in once else "service_healthy"
            assert how["condition"] == condition


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
