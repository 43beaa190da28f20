"""Label matchers by Prometheus's rules: an absent label is an empty value, a regex matches a whole value."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import re2

from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.literals import literals

REGEX_MEMORY_BYTES = 64 * 1024 * 1024


class MatchOp(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


class MatcherFault(StrEnum):
    """Why a matcher was refused."""

    BAD_REGEX = "bad_regex"


class InvalidMatcher(ValueError):
    """A matcher that cannot be evaluated.

    :param reason: the kind of fault, for counters. :param detail: what is wrong, for people.
    """

    def __init__(self, reason: MatcherFault, value: str, detail: str) -> None:
        super().__init__(f"{reason.value}: {value!r}: {detail}")
        self.reason = reason
        self.detail = detail


class Matcher:
    """One condition on one label.

    :raises InvalidMatcher: for a regex that RE2 refuses.
    """

    def __init__(self, name: str, op: MatchOp, value: str) -> None:
        self.name = name
        self.op = op
        self.value = value
        self.values = self._values()
        """Those that a label may have, if they are listed and none of them is empty; else none."""
        self._known: dict[bytes, bool] = {}
        self._test = self._compile()

    def __repr__(self) -> str:
        return f"Matcher({self.name!r}, {self.op.value!r}, {self.value!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matcher) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[str, MatchOp, str]:
        """What it says; unlike the matcher, it remembers no values."""
        return self.name, self.op, self.value

    @property
    def picks(self) -> bool:
        """Whether it names the one value that a series must have."""
        return self.op is MatchOp.EQUAL and self.value != ""

    def matches(self, value: bytes) -> bool:
        """Whether a label with this value, UTF-8 and empty if absent, fulfils the condition."""
        verdict = self._known.get(value)
        if verdict is None:
            verdict = self._known[value] = self._test(value)
        return verdict

    def _values(self) -> tuple[str, ...]:
        found: tuple[str, ...] = ()
        if self.op is MatchOp.EQUAL:
            found = (self.value,)
        elif self.op is MatchOp.REGEX:
            found = literals(self.value)
        return () if "" in found else found

    def _compile(self) -> Callable[[bytes], bool]:
        wanted = self.value.encode()
        if self.op is MatchOp.EQUAL:
            return lambda value: value == wanted
        if self.op is MatchOp.NOT_EQUAL:
            return lambda value: value != wanted
        options = re2.Options()
        options.dot_nl = True
        options.log_errors = False
        options.max_mem = REGEX_MEMORY_BYTES
        try:
            fullmatch = re2.compile(wanted, options).fullmatch
        except re2.error as error:
            detail = error.args[0].decode(errors="replace") if error.args else ""
            raise InvalidMatcher(MatcherFault.BAD_REGEX, self.value, detail) from None
        if self.op is MatchOp.REGEX:
            return lambda value: fullmatch(value) is not None
        return lambda value: fullmatch(value) is None


def names_of(matchers: Sequence[Matcher]) -> tuple[str, ...]:
    """The metric names that a matcher lists; none if no matcher does."""
    return next((matcher.values for matcher in matchers if matcher.name == NAME and matcher.values), ())


def metric_of(matchers: Sequence[Matcher]) -> str | None:
    """The metric name that the matchers ask for, if they name one."""
    return next((matcher.value for matcher in matchers if matcher.name == NAME and matcher.picks), None)


Named = Sequence[tuple[bytes, Matcher]]
"""Matchers, each with the name of its label."""


def named(matchers: Iterable[Matcher]) -> Named:
    """Matchers as `fulfils` takes them."""
    return [(matcher.name.encode(), matcher) for matcher in matchers]


def fulfils(data: bytes, matchers: Named) -> bool:
    """Whether the series with these canonical bytes fulfils all matchers."""
    parts = data.split(SEPARATOR)
    labels = dict(zip(parts[::2], parts[1::2], strict=False))
    return all(matcher.matches(labels.get(name, b"")) for name, matcher in matchers)
