"""Values as text, by the rules of Go's fmt package."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from streamgauge.promql.syntax.literals import quoted
from streamgauge.rules.templates.faults import FunctionFault
from streamgauge.rules.templates.values import AlertData, Duration, Named, Sample, Time, Value, type_name

MAX_WIDTH = 1000
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?:\[(?P<index>\d+)\])?(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?"
    r"(?:\[(?P<late>\d+)\])?(?P<verb>.)?",
    re.DOTALL,
)
_BASES = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


@dataclass(frozen=True, slots=True)
class Style:
    """Flags, width and precision of one directive."""

    flags: str = ""
    width: int | None = None
    precision: int | None = None

    def padded(self, text: str) -> str:
        """The text filled up to the width."""
        if self.width is None or len(text) >= self.width:
            return text
        if "-" in self.flags:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if "0" in self.flags else " ")

    def signed(self, text: str) -> str:
        """A number with the sign that the flags ask for, filled up to the width."""
        if not text.startswith("-"):
            text = ("+" if "+" in self.flags else " " if " " in self.flags else "") + text
        if "0" in self.flags and "-" not in self.flags and self.width and text[-1] not in "fN":
            sign = text[:1] if text[:1] in "+- " else ""
            return sign + text[len(sign) :].rjust(self.width - len(sign), "0")
        return replace(self, flags=self.flags.replace("0", "")).padded(text)


_PLAIN = Style()


def shortest(number: float) -> str:
    """The fewest digits that read back the same, with an exponent below 1e-4 and from 1e6 on."""
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    if math.isfinite(number) and -4 <= Decimal(repr(number)).adjusted() < 6:
        return format(Decimal(repr(number)).normalize(), "f")
    return exponential(number)


def exponential(number: float) -> str:
    """The fewest digits that read back the same, always with an exponent: 8.05e+01."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    exact = Decimal(repr(number))
    sign, digits, _ = exact.as_tuple()
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    rest = f".{figures[1:]}" if len(figures) > 1 else ""
    power = exact.adjusted() if number else 0
    return f"{'-' if sign else ''}{figures[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02}"


def text_of(value: Value) -> str:
    """A value as `print` and an action write it."""
    return formatted(value, "v", _PLAIN)


def sprint(values: Sequence[Value]) -> str:
    """Values one after another, with a space between two of which neither is a string."""
    parts: list[str] = []
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            parts.append(" ")
        parts.append(text_of(value))
    return "".join(parts)


def sprintln(values: Sequence[Value]) -> str:
    """Values with a space between them and a newline at the end."""
    return " ".join(text_of(value) for value in values) + "\n"


def sprintf(format_: str, values: Sequence[Value]) -> str:
    """Values laid out by a format.

    :raises FunctionFault: for a width that no text should have.
    """
    parts: list[str] = []
    at, reordered, end = 0, False, 0
    for found in _DIRECTIVE.finditer(format_):
        parts.append(format_[end : found.start()])
        end = found.end()
        flags, verb = found["flags"], found["verb"]
        index = found["index"] or found["late"]
        if index:
            at, reordered = int(index) - 1, True
        sizes: list[int | None] = []
        for name, bad in (("width", "%!(BADWIDTH)"), ("precision", "%!(BADPREC)")):
            size = found[name]
            if size == "*":
                given = values[at] if 0 <= at < len(values) else None
                at += 1
                if not isinstance(given, int) or isinstance(given, bool):
                    parts.append(bad)
                    given = None
                elif name == "width" and given < 0:
                    flags, given = flags + "-", -given
                sizes.append(given)
            else:
                sizes.append(None if size is None else int(size or 0))
        if any((size or 0) > MAX_WIDTH for size in sizes):
            raise FunctionFault(f"a width of more than {MAX_WIDTH} in the format {quoted(format_)}")
        if verb is None:
            parts.append("%!(NOVERB)")
        elif verb == "%":
            parts.append("%")
        elif at < 0 or (index and at >= len(values)):
            parts.append(f"%!{verb}(BADINDEX)")
        elif at >= len(values):
            parts.append(f"%!{verb}(MISSING)")
        else:
            parts.append(formatted(values[at], verb, Style(flags, *sizes)))
            at += 1
    parts.append(format_[end:])
    if at < len(values) and not reordered:
        extra = ", ".join(
            "<nil>" if value is None else f"{type_name(value)}={text_of(value)}" for value in values[at:]
        )
        parts.append(f"%!(EXTRA {extra})")
    return "".join(parts)


def formatted(value: Value, verb: str, style: Style) -> str:
    """One value by one verb."""
    if verb == "v" and "+" in style.flags:
        style = replace(style, flags=style.flags.replace("+", ""))
    if verb == "T":
        return _string(type_name(value), "s", style)
    match value:
        case None:
            return style.padded("<nil>") if verb == "v" else _bad(value, verb, style)
        case bool():
            return style.padded(str(value).lower()) if verb in "tv" else _bad(value, verb, style)
        case str():
            return _string(value, verb, style)
        case Named() if verb in "sqxX" or (verb == "v" and "#" not in style.flags):
            return _string(str(value), verb, style)
        case int():
            return _integer(value, verb, style)
        case float():
            return _float(value, verb, style)
        case dict():
            inner = " ".join(
                f"{formatted(key, verb, style)}:{formatted(value[key], verb, style)}" for key in sorted(value)
            )
            return f"map[{inner}]"
        case list():
            return f"[{' '.join(formatted(one, verb, style) for one in value)}]"
        case Sample():
            return f"&{{{fields_of(value, verb, style)}}}"
        case AlertData():
            own = (value.Labels, value.ExternalLabels, value.ExternalURL, value.Value)
            return f"{{{' '.join(formatted(one, verb, style) for one in own)}}}"
        case Duration() if verb == "d":
            return _integer(value.ns, verb, style)
        case Time() | Duration() if verb in "vsqxX":
            return _string(str(value), verb, style)
    return _bad(value, verb, style)


def fields_of(sample: Sample, verb: str = "v", style: Style = _PLAIN) -> str:
    """Labels and value of a sample."""
    return f"{formatted(sample.Labels, verb, style)} {formatted(sample.Value, verb, style)}"


def _bad(value: Value, verb: str, style: Style) -> str:
    plain = replace(style, flags=style.flags.replace("#", ""))
    bare = int(value) if isinstance(value, Named) else value
    shown = "<nil>" if value is None else f"{type_name(value)}={formatted(bare, 'v', plain)}"
    return f"%!{verb}({shown})"


def _string(value: str, verb: str, style: Style) -> str:
    cut = value if style.precision is None else value[: style.precision]
    match verb:
        case "s":
            return style.padded(cut)
        case "v":
            return style.padded(quoted(cut) if "#" in style.flags else cut)
        case "q":
            raw = "#" in style.flags and "`" not in cut and "\n" not in cut
            return style.padded(f"`{cut}`" if raw else quoted(cut))
        case "x" | "X":
            digits = value.encode()[: style.precision].hex()
            if " " in style.flags:
                digits = " ".join(re.findall("..", digits))
            return style.padded(digits.upper() if verb == "X" else digits) if digits else style.padded("")
    return _bad(value, verb, style)


def _integer(value: int, verb: str, style: Style) -> str:
    match verb:
        case "v" | "d" | "b" | "o" | "O" | "x" | "X":
            digits = format(abs(value), _BASES.get(verb, "d"))
        case "c":
            return style.padded(_character(value))
        case "q":
            return style.padded(quoted(_character(value), "'"))
        case "U":
            return style.padded(f"U+{value:04X}")
        case _:
            return _bad(value, verb, style)
    if style.precision is not None:
        digits = "" if value == style.precision == 0 else digits.rjust(style.precision, "0")
        style = replace(style, flags=style.flags.replace("0", ""))
    prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in style.flags else ""
    return style.signed(("-" if value < 0 else "") + prefix + digits)


def _character(value: int) -> str:
    valid = 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000
    return chr(value) if valid else "\N{REPLACEMENT CHARACTER}"


def _float(value: float, verb: str, style: Style) -> str:
    if verb not in "vgGeEfF":
        return _bad(value, verb, style)
    if not math.isfinite(value):
        text = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        style = replace(style, flags=style.flags.replace("0", ""))
        # only infinity has a plus of its own
        return (
            style.padded(text)
            if text[0] in "+-" and " " not in style.flags
            else style.signed(text.lstrip("+"))
        )
    if verb in "vgG" and style.precision is None:
        text = shortest(value)
        return style.signed(text.upper() if verb == "G" else text)
    precision = 6 if style.precision is None else style.precision
    kind = {"v": "g", "F": "f"}.get(verb, verb)
    mark = "#" if "#" in style.flags else ""
    return style.signed(f"{value:{mark}.{precision}{kind}}")
