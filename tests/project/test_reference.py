"""The generated tables in docs/reference are those of the code; `python -m streamgauge.cli.reference` writes them."""

import re
from types import SimpleNamespace

import pytest

from streamgauge.cli import reference
from streamgauge.collect import app as collector
from streamgauge.config import Config
from streamgauge.gateway.http import app as gateway
from tests.support.memory_reader import MemoryReader

PAGES = sorted(reference.PAGES.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_of_the_reference_is_up_to_date(page):
    text = page.read_text()
    assert reference.generated(text) == text


def test_a_change_of_a_generated_region_is_found():
    text = (reference.PAGES / "configuration.md").read_text()
    changed = text.replace("127.0.0.1:9480", "127.0.0.1:1")
    assert changed != text
    assert reference.generated(changed) == text


def sections(model):
    yield model
    for field in model.model_fields.values():
        if (below := reference.section_in(field.annotation)) is not None:
            yield from sections(below)


@pytest.mark.parametrize("model", [*dict.fromkeys(sections(Config))], ids=lambda model: model.__name__)
def test_every_key_of_the_configuration_is_described(model):
    described = reference.descriptions(model)
    keys = {name for name, field in model.model_fields.items() if not reference.section_in(field.annotation)}
    assert keys <= described.keys()


@pytest.mark.parametrize(
    "application",
    [
        gateway.application(gateway.Gateway(Config(), MemoryReader([]))),
        collector.application(SimpleNamespace(metrics=None)),
    ],
    ids=["gateway", "collector"],
)
def test_every_endpoint_is_in_the_reference(application):
    documented = set(re.findall(r"/[\w./-]*", (reference.PAGES / "http-api.md").read_text()))
    paths = {route.path.replace("{name}", "NAME") for route in application.routes}
    assert paths - {"/assets/NAME"} <= documented
