"""The methods of times and durations that templates may call."""

import re
from collections.abc import Callable, Mapping

from streamgauge.rules.templates.values import SECOND_NS, Duration, Time, Value

# Go shows how a certain moment is to be written
_LAYOUT = re.compile(
    r"2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|-07:00|-0700|-07|PM|pm|01|02|03|04|05|06|15|002|_2"
    r"|[.,](?:0+|9+)(?!\d)|[12345]"
)
_CODES = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "002": "%j",
    "PM": "%p",
}
_FIXED = {"MST": "UTC", "Z07:00": "Z", "Z0700": "Z", "-07:00": "+00:00", "-0700": "+0000", "-07": "+00"}


def _formatted(time: Time, layout: str) -> str:
    date = time.date
    short = {
        "1": str(date.month),
        "2": str(date.day),
        "_2": f"{date.day:2}",
        "3": str(date.hour % 12 or 12),
        "4": str(date.minute),
        "5": str(date.second),
        "pm": f"{date:%p}".lower(),
    }

    def part(found: re.Match[str]) -> str:
        word = found[0]
        if word[0] in ".,":
            digits = f"{time.ms % 1000:03}".ljust(len(word) - 1, "0")[: len(word) - 1]
            if word[1] == "9":
                digits = digits.rstrip("0")
            return word[0] + digits if digits else ""
        if word in _CODES:
            return f"{date.year:04}" if word == "2006" else date.strftime(_CODES[word])
        return _FIXED.get(word) or short[word]

    return _LAYOUT.sub(part, layout)


TIME: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "Format": (1, _formatted),
    "String": (0, str),
    "UTC": (0, lambda time: time),
    "Unix": (0, lambda time: time.ms // 1000),
    "UnixMilli": (0, lambda time: time.ms),
    "Year": (0, lambda time: time.date.year),
    "Month": (0, lambda time: f"{time.date:%B}"),
    "Day": (0, lambda time: time.date.day),
    "Hour": (0, lambda time: time.date.hour),
    "Minute": (0, lambda time: time.date.minute),
    "Second": (0, lambda time: time.date.second),
    "Weekday": (0, lambda time: f"{time.date:%A}"),
    "YearDay": (0, lambda time: time.date.timetuple().tm_yday),
}
DURATION: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "String": (0, str),
    "Seconds": (0, lambda duration: duration.ns / SECOND_NS),
    "Minutes": (0, lambda duration: duration.ns / SECOND_NS / 60),
    "Hours": (0, lambda duration: duration.ns / SECOND_NS / 3600),
    "Milliseconds": (0, lambda duration: int(duration.ns / 1_000_000)),
}


def of(value: Value) -> Mapping[str, tuple[int, Callable[..., Value]]]:
    """How many arguments each method of a value takes, all strings, and what it does."""
    if isinstance(value, Time):
        return TIME
    return DURATION if isinstance(value, Duration) else {}
