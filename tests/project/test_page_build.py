"""The page's sources: types, units, and that what is committed was built from them. Needs Node and `make browser`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "page"
ASSETS = ROOT / "streamgauge" / "gateway" / "assets"
MOST_LINES = 300


@pytest.fixture(scope="module")
def node():
    """Runs a program of page/node_modules, or of Node itself."""
    absent = None
    if shutil.which("node") is None:
        absent = "there is no Node on the PATH"
    elif not (PAGE / "node_modules").is_dir():
        absent = "page/node_modules is not there: `make browser` fetches it"
    if absent and os.environ.get("STREAMGAUGE_ORACLE_REQUIRED"):
        pytest.fail(absent)
    if absent:
        pytest.skip(absent)

    def run(*arguments):
        ran = subprocess.run(["node", *arguments], cwd=PAGE, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_its_types_are_right(node):
    node("node_modules/typescript/bin/tsc")


def test_its_units_do_what_they_should(node):
    node("build.mjs", "--tests")
    files = sorted(str(file) for file in (PAGE / "build" / "test").glob("*.mjs"))
    assert "# fail 0" in node("--test", "--test-reporter=tap", *files)


def test_what_is_committed_was_built_from_the_sources(node, tmp_path):
    node("build.mjs", "--out", str(tmp_path))
    built = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert built.keys() == {file.name for file in ASSETS.iterdir()}
    changed = [name for name, content in built.items() if (ASSETS / name).read_bytes() != content]
    assert changed == [], "`make page` builds them anew"


def test_no_source_is_longer_than_a_sitting():
    sources = [file for folder in ("src", "test", "browser") for file in (PAGE / folder).rglob("*.*")]
    assert len(sources) > 30
    long = [str(file) for file in sources if len(file.read_text().splitlines()) >= MOST_LINES]
    assert long == []


def test_the_lock_names_no_registry():
    assert '"resolved"' not in (PAGE / "package-lock.json").read_text()
