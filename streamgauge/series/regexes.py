"""Regexes of RE2 from outside: what compiling one may cost is bounded before it is compiled.

RE2 bounds the program that a regex becomes and what matching remembers, but not the work before that: classes such as
`\\pL` and repetitions are written out first, and what may be empty takes time with its square. So a regex is weighed by
its text, in about as much time as it takes to read it.
"""

import re
import threading
from collections import OrderedDict
from functools import cache
from string import punctuation
from typing import TypeAlias

import re2

_SPECIAL = frozenset(r".^$*+?()[]{}|")
_ESCAPED = frozenset(punctuation) - {"_"}


def literals(regex: str) -> tuple[str, ...]:
    """The distinct values that a regex of RE2 matches as a whole, if it is a list of such; else none."""
    body = regex
    for opening in ("(?:", "("):
        if body.startswith(opening) and body.endswith(")"):
            body = body[len(opening) : -1]
            break
    found: dict[str, None] = {}
    value: list[str] = []
    characters = iter(body)
    for character in characters:
        if character == "|":
            found["".join(value)] = None
            value = []
        elif character == "\\":
            escaped = next(characters, "")
            if not escaped or escaped not in _ESCAPED:
                return ()
            value.append(escaped)
        elif character in _SPECIAL:
            return ()
        else:
            value.append(character)
    found["".join(value)] = None
    return tuple(found)


MAX_CHARACTERS = 65_536
MAX_WEIGHT = 16_384
"""Of one regex."""
REQUEST_WEIGHT = 4 * MAX_WEIGHT
"""Of all regexes of a request."""
CACHE_BYTES = 64 * 1024 * 1024
"""Of the regexes that are kept compiled."""
_MEMORY_BYTES = 2 * 1024 * 1024
_CHARACTER_BYTES = 256
"""What RE2 may take for any regex, and for each character of it: program and states together."""
_LARGE = "expression too large"
_PART = re.compile(
    r"(?P<quoted>\\Q.*?(?:\\E|$))"
    r"|(?P<property>\\[pP](?:\{[^}]{0,64}\}|.))|(?P<escape>\\.)|(?P<class>\[\^?\]?(?:\[:[^\]]{0,16}:\]|\\.|[^\]\\])*\]?)"
    r"|(?P<count>\{(?P<least>\d{1,4})(?P<comma>,)?(?P<most>\d{0,4})\})|(?P<optional>[?*])|(?P<dot>\.)"
    r"|(?P<open>\()|(?P<close>\))",
    re.DOTALL,
)
_ANY_BYTE = re.compile(r"(?:^|[^\\])(?:\\\\)*\\C")
"""\\C exists only in RE2: it would split a character."""
_QUOTED = re.compile(r"\\Q.*?(?:\\E|$)", re.DOTALL)
_IN_GO = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
    "pattern too large - compile failed": _LARGE,
}
"""Go's words for what RE2 says in others."""
_PROPERTY = re.compile(r"\\[pP]")
_PROPERTY_WEIGHT = 1200
"""Of the largest class by a property of Unicode, in instructions."""
_NEGATED = re.compile(r"\\[DSW]")
_NEGATION_WEIGHT = 24
_CLASS_WEIGHT = 10
_DOT_WEIGHT = 8
_OPTIONAL_WEIGHT = 4

Compiled: TypeAlias = "re2._Regexp"


class InvalidRegex(ValueError):
    """A regex that RE2 or Go refuses, or that would take too much work. Its text is what is wrong, in Go's words."""


class RegexAllowance:
    """What the regexes of one request may weigh together."""

    def __init__(self, weight: int = REQUEST_WEIGHT) -> None:
        self._left = weight
        self.is_spent = False
        """Whether a regex was refused."""

    def take(self, pattern: str, weight: int) -> None:
        """Count a regex of this weight.

        :raises InvalidRegex: if it weighs more than what is left.
        """
        if weight > self._left:
            self.is_spent = True
            raise InvalidRegex(f"{_LARGE}, together with the regexes before it: `{pattern}`")
        self._left -= weight


def compiled(pattern: str, allowance: RegexAllowance | None = None, dot_nl: bool = True) -> Compiled:
    """A regex ready to match. The last ones are kept.

    :param allowance: of the request that it belongs to. :param dot_nl: whether a dot matches a newline.
    :raises InvalidRegex: for one that RE2 refuses, or that is too large.
    """
    try:
        size = len(pattern.encode())
    except UnicodeEncodeError:
        raise InvalidRegex("invalid UTF-8") from None
    heavy = MAX_WEIGHT + 1 if size > MAX_CHARACTERS else weight(pattern)
    if heavy > MAX_WEIGHT:
        raise InvalidRegex(f"{_LARGE}: `{pattern}`")
    if _ANY_BYTE.search(_QUOTED.sub("", pattern)):
        raise InvalidRegex("invalid escape sequence: `\\C`")
    if allowance is not None:
        allowance.take(pattern, heavy)
    return _kept().get(pattern, size, dot_nl)


def weight(pattern: str) -> int:
    """About how many instructions a regex has beyond one a character, repetitions written out."""
    # before each group that is open; of what a repetition would repeat
    outer: list[int] = []
    total = last = 0
    end = 0
    for part in _PART.finditer(pattern):
        if part.start() > end:
            total += part.start() - end
            last = 1
        end = part.end()
        match part.lastgroup:
            case "open":
                outer.append(total)
                total += 1
                last = 1
            case "close":
                total += 1
                last = total - outer.pop() if outer else 1
            case "count":
                least = int(part["least"])
                most = int(part["most"] or least)
                more = last * max(0, max(least, most) - 1) + _OPTIONAL_WEIGHT * max(0, most - least)
                total += len(part[0]) + more
                last += more
            case "optional":
                total += 1 + _OPTIONAL_WEIGHT
                last += _OPTIONAL_WEIGHT
            case "quoted":
                total += len(part[0])
                last = 1
            case "dot":
                # of addresses in lists many are not escaped
                total += 2
                last = _DOT_WEIGHT
            case kind:
                last = _weight_of(kind, part[0])
                total += last
    return max(0, total - end)


def _weight_of(kind: str | None, text: str) -> int:
    match kind:
        case "property":
            return _PROPERTY_WEIGHT
        case "class":
            negated = _NEGATION_WEIGHT * len(_NEGATED.findall(text))
            return len(text) // 2 + _CLASS_WEIGHT + negated + _PROPERTY_WEIGHT * len(_PROPERTY.findall(text))
        case _:
            return _NEGATION_WEIGHT if text[1] in "DSW" else len(text)


class _Kept:
    """Regexes that were compiled, the last ones of them. May be used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, bool], tuple[Compiled, int]] = OrderedDict()
        self._bytes = 0

    def get(self, pattern: str, size: int, dot_nl: bool) -> Compiled:
        key = pattern, dot_nl
        with self._lock:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known[0]
        memory = _MEMORY_BYTES + _CHARACTER_BYTES * size
        found = _compiled(pattern, memory, dot_nl)
        with self._lock:
            if key not in self._known:
                self._known[key] = found, memory
                self._bytes += memory
            while self._bytes > CACHE_BYTES:
                _, (_, dropped) = self._known.popitem(last=False)
                self._bytes -= dropped
        return found


@cache
def _kept() -> _Kept:
    return _Kept()


def _compiled(pattern: str, memory: int, dot_nl: bool) -> Compiled:
    options = re2.Options()
    options.dot_nl = dot_nl
    options.log_errors = False
    options.max_mem = memory
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0].decode(errors="replace") if error.args else "bad regex"
        raise InvalidRegex(_in_go(detail, pattern)) from None
    finally:
        # it keeps the last 128 for good, whatever they take
        re2.purge()
    return found


def _in_go(detail: str, pattern: str) -> str:
    """What RE2 says of a pattern, as Go says it; both name the part that is wrong."""
    for words, others in _IN_GO.items():
        if detail.startswith(words):
            part = pattern if others == _LARGE else detail[len(words) :].removeprefix(": ")
            return f"{others}: `{part}`"
    words, _, part = detail.partition(": ")
    return f"{words}: `{part}`"
