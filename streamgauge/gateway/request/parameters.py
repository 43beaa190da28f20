"""The parameters of a request, read and refused as Prometheus does."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from streamgauge.gateway.request import go_values
from streamgauge.gateway.request.faults import ErrorType, InvalidRequest, invalid_parameter
from streamgauge.gateway.request.principals import ANYBODY, Principal
from streamgauge.go_numbers import InvalidNumber, integer
from streamgauge.times import go_duration

MAX_MS = 2**53
"""287,000 years: later times have no samples, and as a double may equal their neighbours."""
NS_PER_MS = 1_000_000
MAX_SELECTORS = 1000
MAX_SELECTOR_CHARACTERS = 65_536
"""Maximum number of `match[]` in a request, and of their characters together: that of a query."""
_ESCAPED = re.compile(r"__|_([0-9a-fA-F]{1,6})_|([^_]+)", re.DOTALL)


class Steps(NamedTuple):
    """The steps of a range query, ms; `end` may lie after the last one."""

    start: int
    end: int
    step: int

    @property
    def points(self) -> int:
        """Number of steps."""
        return (self.end - self.start) // self.step + 1


class Form:
    """The parameters of a request: those of the body come before those of the URL.

    :param path_name: the label that the path names. :param principal: the user. :param no_store: whether cached results
        may be neither read nor written. :param content_type: of the body.
    :raises InvalidRequest: for a form that is not UTF-8, or has too many parameters.
    """

    def __init__(
        self,
        url_query: str,
        body: bytes = b"",
        path_name: str = "",
        no_store: bool = False,
        principal: Principal = ANYBODY,
        content_type: str = go_values.URL_ENCODED,
    ) -> None:
        self.path_name = path_name
        self.no_store = no_store
        self.principal = principal
        self.pairs = go_values.pairs_of(url_query, body, content_type)

    def with_pairs(self, pairs: list[tuple[str, str]]) -> "Form":
        """The same request with other parameters."""
        other = Form("", b"", self.path_name, self.no_store, self.principal)
        other.pairs = pairs
        return other

    @property
    def identity(self) -> tuple[object, ...] | None:
        """Key of identical requests; None for a request relative to its arrival time."""
        is_dated = any(name in ("time", "end") and value for name, value in self.pairs)
        if not is_dated or self.no_store:
            return None
        return (self.path_name, self.principal.enforced, *self.pairs)

    def flag(self, name: str) -> bool:
        """Whether a flag is set: 1 or true.

        :raises InvalidRequest: if that is neither said nor denied.
        """
        given = self.get(name)
        if given not in ("", "0", "1", "false", "true"):
            raise invalid_parameter(name, f"cannot parse {quoted(given)} to a boolean")
        return given in ("1", "true")

    def get(self, name: str) -> str:
        """The first value, or an empty one."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value."""
        return [value for key, value in self.pairs if key == name]

    def selectors(self) -> list[str]:
        """The different values of `match[]`.

        :raises InvalidRequest: if they are too many, or too long together.
        """
        found = list(dict.fromkeys(self.all("match[]")))
        if len(found) > MAX_SELECTORS:
            detail = f"{len(found):,} different values, at most {MAX_SELECTORS:,} are allowed"
            raise invalid_parameter("match[]", detail)
        if sum(map(len, found)) > MAX_SELECTOR_CHARACTERS:
            raise invalid_parameter(
                "match[]", f"more than {MAX_SELECTOR_CHARACTERS:,} characters in all values together"
            )
        return found

    def time(self, name: str, default: int | None = None) -> int:
        """A time in ms. One beyond `MAX_MS`, in either direction, is that one.

        :raises InvalidRequest: if it is neither Unix seconds nor RFC 3339, or missing without a default.
        """
        given = self.get(name)
        if not given and default is not None:
            return default
        found = go_values.time_ms(given)
        if found is None:
            detail = f"cannot parse {quoted(given)} to a valid timestamp"
            raise invalid_parameter(
                name, detail if default is None else f"invalid time value for '{name}': {detail}"
            )
        return max(-MAX_MS, min(found, MAX_MS))

    def duration_ns(self, name: str) -> int:
        """A duration in ns.

        :raises InvalidRequest: if it is neither seconds nor written as in PromQL, or longer than 292 years.
        """
        given = self.get(name)
        detail = f"cannot parse {quoted(given)} to a valid duration"
        try:
            found = go_values.duration_ns(given)
        except OverflowError:
            raise invalid_parameter(name, f"{detail}. It overflows int64") from None
        if found is None:
            raise invalid_parameter(name, detail)
        return found

    def steps(self, max_points: int) -> Steps:
        """The `start`, `end` and `step` of a range query.

        :raises InvalidRequest: for wrong values, and for more than `max_points` steps.
        """
        start, end = self.time("start"), self.time("end")
        if end < start:
            raise invalid_parameter("end", "end timestamp must not be before start time")
        step = self.duration_ns("step")
        if step <= 0:
            raise invalid_parameter(
                "step",
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            )
        if (end - start) * NS_PER_MS // step > max_points:
            raise InvalidRequest(
                ErrorType.BAD_DATA,
                f"exceeded maximum resolution of {max_points:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)",
            )
        return Steps(start, end, max(1, step // NS_PER_MS))

    def limit(self) -> int | None:
        """Maximum number of results.

        :raises InvalidRequest: if it is not a number of 0 (all of them) or more.
        """
        given = self.get("limit")
        if not given:
            return None
        try:
            found = integer(given)
        except InvalidNumber as fault:
            raise invalid_parameter("limit", f"strconv.Atoi: parsing {quoted(given)}: {fault}") from None
        if found < 0:
            raise invalid_parameter("limit", "limit must be non-negative")
        return found or None

    def timeout_s(self, longest: float) -> float:
        """The `timeout` in seconds, or the longest allowed.

        :raises InvalidRequest: if it is not positive.
        """
        if not self.get("timeout"):
            return longest
        timeout = self.duration_ns("timeout")
        if timeout <= 0:
            detail = f"timeout must be positive, got {go_duration(timeout)}"
            raise invalid_parameter("timeout", detail)
        return min(timeout / 1e9, longest)


def label_name(given: str) -> str:
    """The label that a path names, unescaped if it starts with U__.

    :raises InvalidRequest: for an empty name.
    """
    if not given:
        raise InvalidRequest(ErrorType.BAD_DATA, 'invalid label name: ""')
    if not given.startswith("U__"):
        return given
    return _unescaped(given[3:]) or given


def quoted(given: str) -> str:
    """A text as Go quotes it, for errors."""
    escaped = given.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unescaped(name: str) -> str | None:
    """The name with `_<hex>_` as that character and `__` as one underscore; None if it is not such."""

    def characters() -> Iterator[str]:
        at = 0
        while at < len(name):
            part = _ESCAPED.match(name, at)
            if part is None:
                raise ValueError
            code, plain = part.groups()
            yield chr(int(code, 16)) if code else plain or "_"
            at = part.end()

    try:
        unescaped = "".join(characters())
        unescaped.encode()
    except ValueError:
        return None
    return unescaped
