"""Commands that README.md and docs/ name in a sentence are there, with the flags that they are named with."""

import re
import shlex
from pathlib import Path

import click
import pytest

from streamgauge.cli import main

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(?:[A-Z_]+=\S+ )?streamgauge ([a-z][^`]*)`")
FOUND = sorted(
    {
        (page.name, match[1].replace("\n", " "))
        for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
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


def test_pages_name_commands():
    assert len(FOUND) > 20
