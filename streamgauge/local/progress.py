"""Progress of long steps on the terminal."""

import time

import click


class Progress:
    """Prints one line per step with the seconds since the beginning."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, line: str) -> None:
        click.echo(f"{time.monotonic() - self._begin:6.1f} s  {line}")
