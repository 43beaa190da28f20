"""Label matchers by Prometheus's rules: an absent label is an empty value, a regex matches a whole value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from streamgauge.series.labels import NAME, SEPARATOR
from streamgauge.series.regexes import InvalidRegex, RegexAllowance, compiled, literals

KNOWN_VALUES = 65_536
"""So many values a matcher remembers what it said of."""
LOOKED_UP = 1000
"""So many values of a list are looked up one by one."""


class MatchOp(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


class MatcherFault(StrEnum):
    """Why a matcher was refused."""

    BAD_REGEX = "bad_regex"
    NOT_UTF8 = "not_utf8"


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

    :param allowance: for all regexes of the request that it belongs to.
    :raises InvalidMatcher: for a regex that RE2 refuses or that is too large, and for a value that is not UTF-8.
    """

    def __init__(self, name: str, op: MatchOp, value: str, allowance: RegexAllowance | None = None) -> None:
        self.name = name
        self.op = op
        self.value = value
        is_regex = op in (MatchOp.REGEX, MatchOp.NOT_REGEX)
        listing = literals(value) if is_regex else (value,)
        self.values = self._values(listing)
        """Those that a label may have, if they are listed and none of them is empty; else none."""
        self._known: dict[bytes, bool] = {}
        self._test = self._compile(listing, allowance)

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
            if len(self._known) >= KNOWN_VALUES:
                self._known.clear()
            verdict = self._known[value] = self._test(value)
        return verdict

    def _values(self, listing: tuple[str, ...]) -> tuple[str, ...]:
        is_positive = self.op in (MatchOp.EQUAL, MatchOp.REGEX)
        return listing if is_positive and "" not in listing and len(listing) <= LOOKED_UP else ()

    def _compile(self, listing: tuple[str, ...], allowance: RegexAllowance | None) -> Callable[[bytes], bool]:
        is_negative = self.op in (MatchOp.NOT_EQUAL, MatchOp.NOT_REGEX)
        try:
            if listing:
                # no regex has to be compiled for a list
                wanted = frozenset(each.encode() for each in listing)
                return lambda value: (value in wanted) is not is_negative
            fullmatch = compiled(self.value, allowance).fullmatch
        except UnicodeEncodeError:
            raise InvalidMatcher(MatcherFault.NOT_UTF8, self.value, "invalid UTF-8") from None
        except InvalidRegex as error:
            raise InvalidMatcher(MatcherFault.BAD_REGEX, self.value, str(error)) from None
        return lambda value: (fullmatch(value) is not None) is not is_negative


def all_match(labels: Mapping[str, str], conditions: Iterable[Matcher]) -> bool:
    """Whether labels fulfil all conditions."""
    return all(each.matches(labels.get(each.name, "").encode()) for each in conditions)


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
