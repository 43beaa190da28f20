"""The terminal that commands print tables and plots to."""

from rich.console import Console

PIPE_WIDTH = 200
"""Columns without a terminal: a table in a file or pipe is not cut to a usual width."""


def terminal() -> Console:
    """Standard output, in colours and as wide as it is if it is a terminal. Numbers and words are not highlighted."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
