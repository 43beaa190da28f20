"""Queries from a seed, over the whole grammar; nearly all are of right types, and most find something."""

from dataclasses import dataclass
from random import Random

from streamgauge.promql.syntax.ast import AggregateOp
from streamgauge.promql.syntax.functions_table import FUNCTIONS, Function, ValueType
from tests.oracle.random_selectors import DURATIONS, LABELS, METRICS, Selectors
from tests.oracle.random_series import MINUTES, START

ARITHMETIC = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")
NUMBERS = (
    *("0", "1", "2", "3", "-1", "0.5", "0.99", "10", "1e3", "NaN", "Inf", "-Inf", "0x1F", "1.5", "100"),
    *("1_000", ".5", "1e-3", "+Inf", "5m", "1h30m", "-0", "017"),
)
# native histograms and joins with info are not supported; their tests say so
LEFT_OUT = frozenset(name for name in FUNCTIONS if name.startswith("histogram_")) - {
    "histogram_quantile",
    "histogram_fraction",
    "histogram_quantiles",
} | {"info", "start_timestamp"}
_DEPTH = 4


@dataclass(frozen=True)
class RandomQuery:
    """step is 0 for an instant query; all times in ms."""

    text: str
    start: int
    end: int
    step: int

    @property
    def in_order(self) -> bool:
        """Whether the series of the answer come in an order that the query asks for."""
        return self.step == 0 and self.text.lower().startswith(("sort", "topk", "bottomk"))

    @property
    def has_steps(self) -> bool:
        """Whether something of it is evaluated more than once: it is a range query or has a subquery."""
        return self.step > 0 or ":" in self.text


class Queries:
    """An endless supply."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._selectors = Selectors(random)
        calls = [function for function in FUNCTIONS.values() if function.name not in LEFT_OUT]
        self._vectors = [function for function in calls if function.returns is ValueType.VECTOR]
        self._scalars = [function for function in calls if function.returns is ValueType.SCALAR]
        self._ranges = [one for one in self._vectors if ValueType.MATRIX in one.args]

    def next(self) -> RandomQuery:
        random = self._random
        start = START + random.randrange(0, MINUTES * 60) * 1000 + random.choice((0, 0, 0, 1, 500))
        if random.random() < 0.4:
            kind = random.choices((self.vector, self.scalar, self.matrix, self.string), (20, 2, 3, 0.3))[0]
            return RandomQuery(self._dressed(kind(_DEPTH)), start, start, 0)
        step = random.choice((1, 7, 15, 30, 60, 60, 300)) * 1000 + random.choice((0, 0, 0, 1))
        end = min(start + step * random.randint(0, 40), START + (MINUTES + 10) * 60_000)
        kind = random.choices((self.vector, self.scalar, self.matrix, self.string), (95, 5, 0.5, 0.2))[0]
        return RandomQuery(self._dressed(kind(_DEPTH)), start, max(start, end), step)

    def _dressed(self, text: str) -> str:
        """With a comment, or on several lines, now and then."""
        choice = self._random.random()
        if choice < 0.02:
            return f"{text} # as (is"
        if choice < 0.04:
            return f"# ü\n  {text}"
        return text.replace(", ", ",\n\t") if choice < 0.06 else text

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self._selectors.vector()
        kinds = (
            (lambda _: self._selectors.vector(), 3),
            (self._of_range, 5),
            (self._vector_call, 5),
            (self._aggregation, 5),
            (self._binary, 6),
            (self._with_scalar, 3),
            (lambda depth: f"({self.vector(depth)})", 0.5),
            (lambda depth: f"{self._random.choice('--+')}{self._operand(depth)}", 0.5),
            (self._chain, 0.7),
            (self._quantile, 1),
        )
        kind = self._random.choices([one for one, _ in kinds], [weight for _, weight in kinds])[0]
        return kind(depth - 1)

    def scalar(self, depth: int) -> str:
        random = self._random
        if depth <= 0 or random.random() < 0.6:
            return random.choice(NUMBERS)
        if random.random() < 0.7:
            return self._call(random.choice(self._scalars), depth - 1)
        if random.random() < 0.1:
            return f"{random.choice('-+')}{self.scalar(depth - 1)}"
        op = random.choice(ARITHMETIC + tuple(f"{one} bool" for one in COMPARISONS))
        return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"

    def string(self, _: int = 0) -> str:
        return self._random.choice(
            ("'a\\n\\u00e4'", "'a'", '"x-$1"', "`raw`", "'host'", "'new'", "'ü'", "''")
        )

    def matrix(self, depth: int) -> str:
        if self._random.random() < 0.7 or depth <= 0:
            return self._selectors.matrix()
        return self._selectors.subquery(self._operand(min(depth - 1, 2)))

    def _operand(self, depth: int) -> str:
        text = self.vector(depth)
        return f"({text})" if depth > 0 else text

    def _of_range(self, depth: int) -> str:
        return self._call(self._random.choice(self._ranges), depth)

    def _vector_call(self, depth: int) -> str:
        return self._call(self._random.choice(self._vectors), depth)

    def _call(self, function: Function, depth: int) -> str:
        if function.name in ("label_replace", "label_join"):
            return self._label_call(function.name, depth)
        if function.name.startswith("sort_by_label"):
            names = ", ".join(map(_quoted, self._names(1)))
            return f"{function.name}({self.vector(depth)}, {names})"
        if function.name == "histogram_quantiles":
            return f"histogram_quantiles({self._buckets(depth)}, 'q', {self.scalar(1)}, {self.scalar(0)})"
        most = function.least + 2 if function.most is None else function.most
        count = self._random.randint(function.least, most)
        kinds = [function.args[min(at, len(function.args) - 1)] for at in range(count)]
        return f"{function.name}({', '.join(self._argument(kind, depth) for kind in kinds)})"

    def _argument(self, kind: ValueType, depth: int) -> str:
        if kind is ValueType.SCALAR:
            return self.scalar(min(depth, 2))
        return {ValueType.VECTOR: self.vector, ValueType.MATRIX: self.matrix, ValueType.STRING: self.string}[
            kind
        ](depth)

    def _label_call(self, name: str, depth: int) -> str:
        random = self._random
        target = random.choice(("new", "host", "job", "__name__", "bad-name"))
        if name == "label_join":
            sources = "".join(f", {_quoted(one)}" for one in self._names(0))
            return f"label_join({self.vector(depth)}, '{target}', '{random.choice(('-', '', '/'))}'{sources})"
        pattern = random.choice(("(.*)", "(.)(.*)", "a|b", "(?P<x>[a-z]).*", "", "(", "web"))
        value = random.choice(("$1", "x", "${x}y", "$2-$1", "", "$0", "$$"))
        rest = f"'{target}', '{value}', {_quoted(random.choice(LABELS))}, '{pattern}'"
        return f"label_replace({self.vector(depth)}, {rest})"

    def _names(self, least: int) -> list[str]:
        return self._random.sample(LABELS, self._random.choice((least, 1, 1, 2, 3)))

    def _aggregation(self, depth: int) -> str:
        random = self._random
        op = random.choice(list(AggregateOp))
        param = ""
        if op in ("topk", "bottomk", "limitk"):
            param = random.choice(("1", "2", "3", "0", "-1", "1.7", self.scalar(2))) + ", "
        elif op == "limit_ratio":
            param = random.choice(("0.5", "-0.5", "0.1", "1", "-1", "2", self.scalar(1))) + ", "
        elif op == "quantile":
            param = random.choice(("0.5", "0.9", "0", "1", "-0.1", "1.2", "NaN", self.scalar(2))) + ", "
        elif op == "count_values":
            param = random.choice(("'v'", "'host'", "'a b'", "''")) + ", "
        grouping = random.choice(("", " by", " by", " without", " BY"))
        if grouping:
            grouping += f" ({', '.join(self._names(0))})"
        if random.random() < 0.2:
            return f"{op.upper()}({param}{self.vector(depth)}){grouping}"
        return f"{op}{grouping} ({param}{self.vector(depth)})"

    def _binary(self, depth: int) -> str:
        random = self._random
        op = random.choice(ARITHMETIC[:4] * 3 + ARITHMETIC + COMPARISONS * 2 + SETS * 3)
        modifier = ""
        if op in COMPARISONS and random.random() < 0.4:
            modifier += " bool"
        names = ", ".join(random.sample(("host", "job", "dc", "code", "le", '"ä.b"'), random.randint(0, 3)))
        if random.random() < 0.7:
            modifier += f" {random.choice(('on', 'on', 'ignoring'))} ({names})"
            if op not in SETS and random.random() < 0.4:
                extra = random.choice(("", "", "()", "(dc)", "(kind)", "(code)"))
                modifier += f" {random.choice(('group_left', 'group_right'))} {extra}"
        if op not in SETS and random.random() < 0.1:
            modifier += random.choice(
                (" fill(0)", " fill_left(1)", " fill_right(NaN)", " fill_left(2) fill_right(3)")
            )
        sides = [self._operand(depth - 1) for _ in range(2)]
        if random.random() < 0.5:
            # both of one metric: labels then match without more ado
            sides[1] = random.choice((sides[0], f"sum by ({names}) ({sides[0]})", f"{sides[0]} * 2"))
            sides[1] = f"({sides[1]})"
        return f"{sides[0]} {op}{modifier} {sides[1]}"

    def _chain(self, _: int) -> str:
        """Operators without parentheses, so that their precedence counts."""
        random = self._random
        parts = [self.vector(0) if random.random() < 0.6 else random.choice(NUMBERS) for _ in range(4)]
        parts[0] = f"{random.choice(('', '', '-'))}{self._selectors.vector()}"
        names = random.choice(("", "", " on (host, job)", " ignoring (code)"))
        text = parts[0]
        for part in parts[1:]:
            op = random.choice(ARITHMETIC + COMPARISONS + SETS if part[0].isalpha() else ARITHMETIC)
            is_vector = part[0] in "{" or part.startswith(METRICS)
            text += f" {op if is_vector or op not in SETS else '+'}{names if is_vector else ''} {part}"
        return text

    def _with_scalar(self, depth: int) -> str:
        op = self._random.choice(ARITHMETIC + COMPARISONS)
        if op in COMPARISONS and self._random.random() < 0.4:
            op += " bool"
        sides = [self._operand(depth), self.scalar(2)]
        if self._random.random() < 0.3:
            sides.reverse()
        return f"{sides[0]} {op} {sides[1]}"

    def _quantile(self, depth: int) -> str:
        if self._random.random() < 0.3:
            return f"histogram_fraction({self.scalar(1)}, {self.scalar(1)}, {self._buckets(depth)})"
        return f"histogram_quantile({self.scalar(1)}, {self._buckets(depth)})"

    def _buckets(self, depth: int) -> str:
        random = self._random
        rated = f"{random.choice(('rate', 'increase'))}(delay_bucket[{random.choice(DURATIONS[3:9])}])"
        return random.choice(
            (
                "delay_bucket",
                rated,
                f"sum by (le) ({rated})",
                f"sum by (le, job) ({rated})",
                self.vector(depth),
            )
        )


def _quoted(label: str) -> str:
    return "'" + label.strip('"') + "'"
