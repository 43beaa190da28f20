"""Links between pages lead to files and headings that exist, on a forge and on the site."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_forge(heading):
    """The anchor of a heading as forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def on_site(heading):
    """The anchor of a heading as mkdocs makes it."""
    kept = re.sub(r"[^\w\s-]", "", heading.encode("ascii", "ignore").decode()).strip().lower()
    return re.sub(r"[-\s]+", "-", kept)


def headings(page):
    text = FENCED.sub("", page.read_text())
    return [re.sub(r"[`*]", "", found) for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    for link in links:
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        if anchor:
            assert anchor in map(on_forge, headings(target)), link
            assert anchor in map(on_site, headings(target)), link


def test_the_site_has_every_page_once():
    def named(entry):
        if isinstance(entry, str):
            return [entry]
        return [
            page for below in (entry.values() if isinstance(entry, dict) else entry) for page in named(below)
        ]

    listed = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    there = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*there, "index.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])


def test_pages_have_links():
    assert sum(len(LINK.findall(page.read_text())) for page in PAGES) > 100
