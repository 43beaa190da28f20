"""Selectors, their ranges, durations and modifiers from a seed."""

from random import Random

from tests.oracle.random_series import MINUTES, START

METRICS = ("level", "load", "hits_total", "delay_bucket", "strange", "rare", "one", "typed", "nowhere")
_WEIGHTS = (6, 5, 6, 4, 3, 3, 1, 1, 0.2)
LABELS = ("host", "job", "dc", "code", "le", "kind", "__name__", "no_such", '"ä.b"')
DURATIONS = ("1s", "15s", "30s", "1m", "90s", "2m", "5m", "10m", "33m", "1m30s", "61", "0.5")
_COMPUTED = (
    "step()*3+1m",
    "5m-1m",
    "range()+1m",
    "max_of(step(),30s)",
    "min_of(range()+1s,2m)",
    "2*1m",
    "-(-1m)",
    "1h/20",
    "7m%4m",
    "2^6",
    "(step()+15)*2",
    "+90",
)
_NAMES = ("l.+", "level|load", ".*_total", "(rare|one)", "grün.*")
_MATCHERS = (
    ("host", "a|b"),
    ("host", "[a-c]"),
    ("host", "a"),
    ("job", "web"),
    ("job", ".*b"),
    ("dc", "x"),
    ("dc", ""),
    ("code", "2.."),
    ("code", "200"),
    ("kind", "0|1"),
    ("le", "1"),
    ("no_such", ".+"),
    ("no_such", ""),
    ('"ä.b"', "ü?"),
)


class Selectors:
    """An endless supply."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def vector(self) -> str:
        """An instant vector."""
        text = self._plain()
        if self._random.random() < 0.03:
            text += " smoothed"
        return text + self.modifiers()

    def matrix(self) -> str:
        """A range vector."""
        random = self._random
        text = f"{self._plain()}[{self._range()}]"
        if random.random() < 0.12:
            text += random.choice((" anchored", " smoothed"))
        return text + self.modifiers()

    def subquery(self, operand: str) -> str:
        """An operand's range vector, half of the time with a step of its own."""
        random = self._random
        step = random.choice(("", "", "", "10s", "15s", "1m", "7s", "step()+20s", "2*15"))
        width = random.choice(DURATIONS[2:]) if random.random() < 0.9 else random.choice(_COMPUTED)
        return f"{operand}[{width}:{step}]{self.modifiers()}"

    def modifiers(self) -> str:
        """An offset and an @, in any order, or but one, or mostly none."""
        random = self._random
        parts = []
        if random.random() < 0.15:
            sign = random.choice(("", "", "-"))
            computed = ("(step()+1m)", "(range()/2)", "step()", "-(2*step())")
            offset = (
                f"{sign}{random.choice(DURATIONS)}" if random.random() < 0.85 else random.choice(computed)
            )
            parts.append(f" {random.choice(('offset', 'offset', 'OFFSET'))} {offset}")
        if random.random() < 0.1:
            time = START / 1000 + random.randrange(MINUTES * 60)
            parts.append(f" @ {random.choice(('start()', 'end()', str(time), f'{time - 0.25}'))}")
        random.shuffle(parts)
        return "".join(parts)

    def _plain(self) -> str:
        random = self._random
        matchers = [self._matcher() for _ in range(random.choice((0, 0, 0, 0, 1, 1, 2)))]
        choice = random.random()
        if choice < 0.04:
            return "{" + ", ".join([f"__name__=~'{random.choice(_NAMES)}'", *matchers]) + "}"
        if choice < 0.07:
            return "{" + ", ".join(['"grün.wert"', *matchers]) + "}"
        name = random.choices(METRICS, _WEIGHTS)[0]
        return name + ("{" + ", ".join(matchers) + "}" if matchers else "")

    def _matcher(self) -> str:
        name, pattern = self._random.choice(_MATCHERS)
        op = self._random.choice(("=", "!=", "=~", "!~", "=~"))
        quote = self._random.choice('""\'`')
        return f"{name}{op}{quote}{pattern}{quote}"

    def _range(self) -> str:
        return self._random.choice(_COMPUTED if self._random.random() < 0.08 else DURATIONS)
