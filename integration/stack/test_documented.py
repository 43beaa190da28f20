"""Every command line of README.md and docs/ as it stands there, on the real stack, with the files that pages show."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from integration.support.flink_jobs import end_jobs
from integration.support.stored import wait_for
from streamgauge.local.supervision.home import ROOT

pytestmark = pytest.mark.usefixtures("own_collector")
COMMAND = re.compile(
    r"(\$ |[A-Z_]+=\S+ )?(\.venv/bin/)?(streamgauge|curl|flink|make|docker|echo|npm|python|pytest) "
)
FILE = re.compile(r"`([\w/]+\.(?:yml|sql))`")
OF_A_STACK = {
    "make demo",
    "streamgauge up",
    "streamgauge down",
    "streamgauge logs store -n 100",
    "flink run -d --jarfile flink-sql-connector-kafka-5.0.0-2.2.jar -pyexec .venv/bin/python "
    "-pyclientexec .venv/bin/python -py jobs/rollup.py --config streamgauge.yml",
}
"""Command lines that `test_documented_stack.py` runs, on a stack of its own."""
NOT_RUN = {
    "make test": "runs this; CI runs it",
    "docker compose up": "needs a container engine; tests/project/test_compose.py reads the file",
    "docker compose exec jobmanager curl -s localhost:8081/jobs": "the same",
}
CODES = {
    "streamgauge rules check bad.yml": {1},
    "streamgauge rules diff room.yml": {2},
    "streamgauge rules diff rules.yml": {2},
    "streamgauge rules diff --namespace": {2},
    # a test's stack has no day behind it: what Kafka lacks of a range is said, and ends so
    "streamgauge flink run -py jobs/backfill.py": {0, 1},
    # nothing answers for the machine's disks, or a job of another test has been restarted
    ".venv/bin/streamgauge status": {0, 1},
    "streamgauge status": {0, 1},
}
"""Exit codes other than 0, by how the command line begins."""
ENDLESS = {"streamgauge alerts --watch"}
EXACT = ("streamgauge rules check", "streamgauge rules test")
"""Commands whose output must equal the page's."""


class Line(NamedTuple):
    """A command line of a page. files: what the page has shown so far, by name. shown: what it prints there."""

    page: str
    number: int
    text: str
    files: dict[str, str]
    shown: list[str]


def _blocks(text):
    """Paragraphs and blocks of code of a page: whether it is code, the number of its first line, and its lines."""
    found, lines, is_code, is_fenced = [], [], False, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("```"):
            is_fenced = not is_fenced
            found.append((is_code, number - len(lines), lines))
            lines, is_code = [], is_fenced
            continue
        is_indented = is_fenced or (line.startswith("    ") and (is_code or not lines))
        if line.strip() and is_indented == is_code and (lines or is_indented):
            lines.append(line if is_fenced else line[4 * is_indented :])
        elif is_code and not line.strip():
            lines.append("")
        elif line.strip() or lines:
            found.append((is_code, number - len(lines), lines))
            lines, is_code = ([line[4 * is_indented :]] if line.strip() else []), is_indented
    found.append((is_code, 0, lines))
    return [each for each in found if any(each[2])]


def _lines(page):
    """All command lines of a page."""
    found, files, before = [], {}, []
    for is_code, number, lines in _blocks(page.read_text()):
        if not is_code:
            before = lines
            continue
        commands = [at for at, line in enumerate(lines) if COMMAND.match(f"{line} ")]
        if not commands:
            if (named := FILE.search(" ".join(before))) is not None:
                files[named[1]] = "\n".join(lines) + "\n"
            continue
        for at, following in zip(commands, [*commands[1:], len(lines)], strict=True):
            end = at + 1
            while lines[end - 1].endswith("\\"):
                end += 1
            text = " ".join(line.removesuffix("\\").strip() for line in lines[at:end]).removeprefix("$ ")
            # what is two blanks behind it describes it
            text = re.split(r"\s{2,}", text)[0]
            shown = [line for line in lines[end:following] if line.strip()]
            found.append(Line(str(page.relative_to(ROOT)), number + at, text, dict(files), shown))
    return found


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES = [line for page in PAGES for line in _lines(page)]


@pytest.fixture(scope="module")
def folder(stack, tmp_path_factory):
    """Make a working folder whose programs reach the stack under test at the addresses that the pages name."""
    place = tmp_path_factory.mktemp("documented")
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    own, curl = programs / "streamgauge", programs / "curl"
    own.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streamgauge.cli "$@"\n')
    addresses = {
        "127.0.0.1:9480": stack.config.gateway.listen,
        "127.0.0.1:9481": stack.config.collector.listen,
    }
    curl.write_text(
        f"#!{sys.executable}\nimport os, sys\nwords = sys.argv[1:]\n"
        + "".join(f"words = [word.replace({a!r}, {b!r}) for word in words]\n" for a, b in addresses.items())
        + f"os.execv({shutil.which('curl')!r}, ['curl', '-sS', '--fail-with-body', *words])\n"
    )
    for program in (own, curl):
        program.chmod(0o755)
    (place / "jobs").symlink_to(ROOT / "jobs")
    shutil.copytree(ROOT / "rules", place / "rules")
    yield place
    for flags in ("room.yml", "rules.yml", "self.yml", "--namespace shop rules.yml"):
        (place / flags.split()[-1]).write_text("groups: []\n")
        code, printed = _run(stack, place, f"streamgauge rules apply {flags}")
        assert code == 0, printed
    end_jobs(stack.config, "sql")


def _run(stack, folder, text, seconds=400.0):
    """The exit code and what is printed; a person at the terminal says yes."""
    environment = os.environ | {
        "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}",
        "STREAMGAUGE_CONFIG": str(stack.home.config),
        "PYTHONPATH": str(ROOT),
    }
    terminal, behind = pty.openpty()
    try:
        os.write(terminal, b"y\n")
        with subprocess.Popen(
            ["bash", "-c", text],
            cwd=folder,
            env=environment,
            stdin=behind,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as ran:
            try:
                printed, _ = ran.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(ran.pid, signal.SIGKILL)
                raise
    finally:
        os.close(terminal)
        os.close(behind)
    return ran.returncode, printed


def _codes(text):
    return next((codes for begin, codes in CODES.items() if text.startswith(begin)), {0})


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}:{line.number}: {line.text[:60]}")
def test_a_command_line_does_as_its_page_says(stack, folder, line):
    if line.text in NOT_RUN or line.text in OF_A_STACK:
        return
    for name, text in line.files.items():
        (folder / name).write_text(text)
        if name == "room.yml":
            (folder / "bad.yml").write_text(text.replace("no_data: keep", "no_data: kept"))
    if line.text in ENDLESS:
        code, printed = _run(stack, folder, f"timeout -s INT 8 {line.text}")
        assert code in (0, 124), printed
        return
    code, printed = _run(stack, folder, line.text)
    assert code in _codes(line.text), printed
    assert "Traceback" not in printed
    assert not printed.startswith("Error: ")
    if line.text.startswith(EXACT) and line.shown:
        assert printed.splitlines() == line.shown


def test_all_that_is_not_run_is_there():
    assert NOT_RUN.keys() <= {line.text for line in LINES}
    assert len(LINES) > 30


def test_a_sample_that_is_pushed_as_documented_is_found(stack, folder):
    pushed = next(line.text for line in LINES if line.text.startswith("curl") and "/push" in line.text)
    asked = next(line.text for line in LINES if line.text.startswith("curl") and "query=room" in line.text)
    assert _run(stack, folder, pushed)[0] == 0
    wait_for(lambda: '"21.5"' in _run(stack, folder, asked)[1], 60)
