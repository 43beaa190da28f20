"""Folders that a reader can take in: each has few modules, and its `__init__` says what they are."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_MODULES = 15
FOLDERS = sorted(
    {
        file.parent
        for name in ("integration", "operators", "schemas", "sinks", "streamgauge")
        for file in (ROOT / name).rglob("*.py")
    }
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_has_few_modules_and_says_what_they_are(folder):
    modules = [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]
    assert len(modules) <= MOST_MODULES, modules
    # without this file a folder is left out of what is installed
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
