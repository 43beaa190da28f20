"""Commands and files that the pages of the root and of docs/ name in a sentence exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from streamgauge.cli import main

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(?:[A-Z_]+=\S+ )?streamgauge ([a-z][^`]*)`")
FILES = re.compile(r"`((?:streamgauge|operators|sinks|schemas|jobs|tests|integration|benchmarks)/[\w/*.]+)`")
PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
FOUND = sorted(
    {
        (str(page.relative_to(ROOT)), match[1].replace("\n", " "))
        for page in PAGES
        for match in NAMED.finditer(page.read_text())
    }
)


@pytest.mark.parametrize(("page", "text"), FOUND, ids=lambda each: each)
def test_a_command_that_a_page_names_is_there(page, text):
    words = shlex.split(text.replace("...", ""))
    command: click.Command = main
    while words and isinstance(command, click.Group):
        name = words.pop(0)
        assert name in command.commands, f"{page}: {name}"
        command = command.commands[name]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    flags = {word.partition("=")[0].rstrip(",") for word in words if word.startswith("-")}
    # what follows `flink` is Flink's
    assert flags <= known or command.name == "flink", f"{page}: {flags - known}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_file_that_a_page_names_is_there(page):
    named = {match[1] for match in FILES.finditer(page.read_text())}
    assert {name for name in named if not list(ROOT.glob(name))} == set()


def test_pages_name_commands_and_files():
    assert len(FOUND) > 20
    assert sum(len(FILES.findall(page.read_text())) for page in PAGES) > 50
