"""Lines of many series in the terminal, drawn with the dots of braille characters: two by four in each."""

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import groupby
from math import isfinite, nan

from rich.text import Text

from streamgauge.query.axes import time_ticks, value_labels, value_ticks
from streamgauge.query.series import Series

COLOURS = (
    "bright_green",
    "bright_yellow",
    "bright_blue",
    "bright_magenta",
    "bright_cyan",
    "bright_red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "red",
)
MIN_WIDTH, MIN_HEIGHT = 20, 4
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


class Canvas:
    """Dots, from the left and from the bottom, of which each character takes the colour that came last."""

    def __init__(self, columns: int, rows: int) -> None:
        self.width, self.height = columns * 2, rows * 4
        self._dots = [[0] * columns for _ in range(rows)]
        self._colours = [[""] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, colour: str) -> None:
        """Set a dot; one outside is left out."""
        if 0 <= x < self.width and 0 <= y < self.height:
            down = self.height - 1 - y
            self._dots[down // 4][x // 2] |= _DOTS[down % 4][x % 2]
            self._colours[down // 4][x // 2] = colour

    def line(self, start: tuple[int, int], end: tuple[int, int], colour: str) -> None:
        """Set the dots from one to another."""
        across, up = end[0] - start[0], end[1] - start[1]
        count = max(abs(across), abs(up), 1)
        for at in range(count + 1):
            self.dot(round(start[0] + across * at / count), round(start[1] + up * at / count), colour)

    def row(self, number: int) -> Text:
        """A line of characters, from the top."""
        text = Text()
        cells = zip(self._dots[number], self._colours[number], strict=True)
        for colour, run in groupby(cells, key=lambda cell: cell[1]):
            text.append("".join(chr(_BRAILLE + dots) if dots else " " for dots, _ in run), colour or None)
        return text


def colour_of(number: int) -> str:
    """The colour of the series with this number."""
    return COLOURS[number % len(COLOURS)]


def plot(
    found: Sequence[Series],
    span: tuple[float, float],
    step: float,
    size: tuple[int, int],
    zone: tzinfo = UTC,
) -> Iterator[Text]:
    """The lines of a plot, axes included.

    :param span: first and last time, Unix seconds. :param step: between points; a longer gap breaks a line.
    :param size: columns and lines of the whole.
    """
    values = [value for one in found for value in one.values if isfinite(value)]
    rows = max(MIN_HEIGHT, size[1] - 2)
    ticks = value_ticks(min(values, default=0.0), max(values, default=0.0), max(2, rows // 4 + 1))
    labels = value_labels(ticks)
    margin = max(map(len, labels)) + 1
    canvas = Canvas(max(MIN_WIDTH, size[0] - margin - 2), rows)
    low, high = ticks[0], ticks[-1]

    def across(time: float) -> int:
        part = (time - span[0]) / ((span[1] - span[0]) or 1)
        return round(min(max(part, 0.0), 1.0) * (canvas.width - 1))

    def up(value: float) -> int:
        # values too large for any axis are drawn at its end
        return round((min(max(value, low), high) - low) / (high - low) * (canvas.height - 1))

    for number, one in enumerate(found):
        before, last = None, nan
        for time, value in zip(one.times, one.values, strict=True):
            if not isfinite(value):
                before = None
                continue
            here = across(time), up(value)
            joined = before is not None and time - last <= 1.5 * step
            canvas.line(before if joined and before else here, here, colour_of(number))
            before, last = here, time
    named = {rows - 1 - up(tick) // 4: label for tick, label in zip(ticks, labels, strict=True)}
    for number in range(rows):
        label = named.get(number)
        edge = f"{label or '':>{margin}} {'┤' if label else '│'}"
        yield Text().append(edge, "dim").append_text(canvas.row(number))
    yield from _time_axis(
        canvas.width // 2, margin, [(across(at) // 2, text) for at, text in _ticks(span, canvas, zone)]
    )


def _ticks(span: tuple[float, float], canvas: Canvas, zone: tzinfo) -> list[tuple[float, str]]:
    return time_ticks(*span, max(1, canvas.width // 2 // 12), zone)


def _time_axis(columns: int, margin: int, ticks: list[tuple[int, str]]) -> Iterator[Text]:
    line, words = ["─"] * columns, [" "] * (columns + margin + 2)
    end = 0
    for column, text in ticks:
        line[column] = "┬"
        start = min(max(0, column + margin + 2 - len(text) // 2), len(words) - len(text))
        if start >= end:
            words[start : start + len(text)] = text
            end = start + len(text) + 1
    yield Text(f"{'':>{margin}} └{''.join(line)}", "dim")
    yield Text("".join(words).rstrip(), "dim")
