import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamgauge import kernel_cache

ROOT = Path(__file__).parents[1]
FOLDERS = ("schemas", "streamgauge", "operators", "sinks", "jobs", "benchmarks", "tests", "integration")


def test_the_folder_is_the_same_as_long_as_the_source_is(tmp_path):
    assert kernel_cache.folder(tmp_path) == kernel_cache.folder(tmp_path)


@pytest.mark.parametrize("package", ["schemas", "schemas/blocks", "streamgauge/promql/kernels"])
def test_another_source_has_another_folder_and_old_ones_go(tmp_path, monkeypatch, package):
    before = kernel_cache.folder(tmp_path)
    os.utime(before, (1, 1))
    monkeypatch.setattr(kernel_cache, "_ROOT", tmp_path)
    without = kernel_cache.folder(tmp_path)
    os.utime(without, (1, 1))
    (tmp_path / package).mkdir(parents=True)
    (tmp_path / package / "kernels.py").write_text("@njit\ndef f(): ...\n")
    after = kernel_cache.folder(tmp_path)
    assert after not in (before, without)
    assert list(after.parent.iterdir()) == [after]


@pytest.mark.parametrize("name", kernel_cache.HOW)
def test_what_is_compiled_otherwise_has_another_folder(tmp_path, monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    before = kernel_cache.folder(tmp_path)
    monkeypatch.setenv(name, "1")
    assert kernel_cache.folder(tmp_path) != before


def test_a_folder_that_the_environment_names_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv(kernel_cache.VARIABLE, str(tmp_path))
    assert kernel_cache.chosen() == tmp_path


def test_where_no_cache_can_be_a_process_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = kernel_cache.chosen(), kernel_cache.chosen()
    assert first != second
    assert first.parent == second.parent == tmp_path
    assert first.stat().st_mode & 0o077 == 0


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_numba_is_imported_in_one_place():
    files = {
        str(file.relative_to(ROOT)): file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")
    }
    found = {
        name
        for name, file in files.items()
        if any((module or "").split(".")[0] == "numba" for module in _imported(ast.parse(file.read_text())))
    }
    assert found == {"streamgauge/compiled.py"}


CALLS_A_KERNEL = (
    "from streamgauge.series.samples import wins; import numpy; wins(numpy.uint64(1), numpy.uint64(2))"
)


@pytest.mark.parametrize("before", ["", "import numba"])
def test_whoever_compiles_a_kernel_keeps_it_in_the_cache_and_not_beside_the_source(tmp_path, before):
    environment = {name: text for name, text in os.environ.items() if name != kernel_cache.VARIABLE}
    kept = _compiled(ROOT)
    run = subprocess.run(
        [sys.executable, "-c", f"{before}\n{CALLS_A_KERNEL}"],
        env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert _compiled(tmp_path / "streamgauge" / "kernels")
    assert _compiled(ROOT) == kept


def _compiled(folder):
    """The compiled kernels below a folder, those of packages apart."""
    return {
        file
        for each in folder.iterdir()
        if each.name != ".venv"
        for file in (each.rglob("*.nb[ci]") if each.is_dir() else ())
    }
