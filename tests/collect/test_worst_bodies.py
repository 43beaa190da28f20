"""The work that a body causes grows with its size: a search looks for the worst body of each way in."""

import itertools
import random
import time

import pytest

from schemas.protobuf import field, varint
from streamgauge.collect.incoming.ages import Ages
from streamgauge.collect.incoming.faults import InvalidRequest
from streamgauge.collect.incoming.rows import MAX_BATCHES, admit, within_batches
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.producing.batcher import batches
from streamgauge.collect.receive import push, remote_write
from streamgauge.collect.scraping.exposition import InvalidExposition
from streamgauge.collect.scraping.target_series import TargetSeries
from streamgauge.collect.scraping.targets import Target
from streamgauge.config import Config, Storage, StorageClassSettings

NOW = 1_800_000_000_000
LONG = Config(storage=Storage(classes={"standard": StorageClassSettings(retention={"raw": "30d"})}))
AGES = Ages(LONG.storage_classes, LONG.class_rules)
SEARCHED_BYTES, MEASURED_BYTES = 15_000, 60_000
MOST_GROWTH = 8
"""Four times the bytes cost about four times as much; quadratic work costs 16 times as much."""

TIMES = {
    "rising": lambda i: NOW - 10_000_000 + i,
    "falling": lambda i: NOW - i,
    "same": lambda _: NOW,
    "saw": lambda i: NOW - 1_000_000 + (i * 7919) % 65_536,
    "rising, then the first": lambda i: NOW - 59_000 + i if i < 1000 else NOW - 59_000,
    "a minute each": lambda i: NOW - 60_000 * i,
}
NAMES = {
    "one": lambda _: b"x",
    "few": lambda i: b"x%d" % (i % 50),
    "new": lambda i: b"x%d" % i,
    "long": lambda i: b"x%d" % i + b"y" * 400,
}
LABELS = {"none": 0, "one": 1, "many": 300}
RUNS = {"one": 1, "some": 40, "all": 1 << 30}


def pieces(size, unit):
    """Units, one for each number, until so many bytes are full."""
    found, length = [], 0
    while length < size:
        found.append(unit(len(found)))
        length += len(found[-1])
    return found


WRITTEN_BESIDE = {
    "nothing": b"",
    "metadata": b"\x1a\x00" * 20,
    "metadata of a metric": field(3, field(2, b"a") + field(4, b"b")),
    "metadata of many fields": field(3, field(2, b"a") + b"\x08\x00" * 500),
    "unknown fields": b"\x70\x01" * 20,
    "series without samples": field(1, field(1, field(1, b"__name__") + field(2, b"x"))) * 5,
    "empty series": b"\x0a\x00" * 20,
    "empty samples": field(1, b"\x12\x00" * 20),
}


def written(size, names, labels, run, times, beside):
    def label(name, value):
        return field(1, field(1, name) + field(2, value))

    number = itertools.count()

    def series(i):
        pairs = label(b"__name__", NAMES[names](i)) + b"".join(
            label(b"a%05d" % n, b"v") for n in range(LABELS[labels])
        )
        samples = pieces(
            size if run == "all" else 1, lambda _: field(2, b"\x10" + varint(TIMES[times](next(number))))
        )
        if run == "some":
            samples += [field(2, b"\x10" + varint(TIMES[times](next(number)))) for _ in range(RUNS[run])]
        return field(1, pairs + b"".join(samples)) + WRITTEN_BESIDE[beside]

    return b"".join(pieces(size, series))


PUSHED_NUMBERS = {"short": "1", "long": "1" * 300, "exponent": "1e-300", "spelled": '"+Inf"'}
PUSHED_SPACE = {"none": "", "much": " \n" * 50}
PUSHED_FORMS = {"list": ("[", ",", "]"), "lines": ("", "\n", "")}


def pushed(size, form, names, labels, run, times, number, space):
    count = itertools.count()
    fill = PUSHED_SPACE[space]

    def entry(i):
        name = NAMES[names](i).decode()
        pairs = ",".join(f'"a{n}":"\\u00e9"' for n in range(LABELS[labels]))
        head = f'{{"metric":"{name}",{fill}"labels":{{{pairs}}}'
        if run == "one":
            return f'{head},"value":{PUSHED_NUMBERS[number]},"timestamp":{TIMES[times](next(count))}}}'
        each = len(PUSHED_NUMBERS[number]) + 15
        many = RUNS["some"] if run == "some" else size // each
        values = ",".join([PUSHED_NUMBERS[number]] * many)
        stamps = ",".join(str(TIMES[times](next(count))) for _ in range(many))
        return f'{head},"values":[{values}],"timestamps":[{stamps}]}}'

    start, between, end = PUSHED_FORMS[form]
    return f"{start}{between.join(pieces(size, entry))}{end}".encode()


SCRAPED_LINES = {
    "plain": "{name}{{{labels}}} 1 {time}",
    "without a time": "{name}{{{labels}}} 1",
    "space": "{name} {{{labels}}}" + " " * 300 + "1" + " " * 300 + "{time}",
    "escapes": '{name}{{b="' + r"\\\n\"" * 100 + '",{labels}}} 1',
    "long number": "{name}{{{labels}}} " + "1" * 400 + " {time}",
    "help": "# HELP {name} " + "x" * 40,
    "type": "# TYPE {name} counter",
    "nothing": "\n" * 20,
    "open quote": '{name}{{b="' + 'x"y' * 100,
    "open brace": "{name}{{" + "x" * 300,
    "quotes": '{name}{{b="' + '""' * 200,
}


def scraped(size, names, labels, line, times, last):
    def text(i, form):
        pairs = ",".join(f'a{n}="v"' for n in range(LABELS[labels]))
        return SCRAPED_LINES[form].format(name=NAMES[names](i).decode(), labels=pairs, time=TIMES[times](i))

    return "\n".join([*pieces(size, lambda i: text(i, line)), text(0, last)]).encode()


TARGET = Target(
    job="j",
    url="http://h/metrics",
    interval=1000,
    timeout=1000,
    labels={"job": "j", "instance": "h"},
    external={},
    honor_labels=False,
    honor_timestamps=True,
)


def by_remote_write(body, table):
    written = remote_write.decode(body, table)
    return written.rows, written.refused


def by_push(body, table):
    pushed = push.decode(body, table, NOW)
    return pushed.rows, pushed.refused


def by_scraping(body, table):
    series = TargetSeries(TARGET)
    return series.scraped(body, table, NOW, 0.5), series.refused


WAYS = {
    "remote write": (
        by_remote_write,
        written,
        {"names": NAMES, "labels": LABELS, "run": RUNS, "times": TIMES, "beside": WRITTEN_BESIDE},
    ),
    "push": (
        by_push,
        pushed,
        {
            "form": PUSHED_FORMS,
            "names": NAMES,
            "labels": LABELS,
            "run": RUNS,
            "times": TIMES,
            "number": PUSHED_NUMBERS,
            "space": PUSHED_SPACE,
        },
    ),
    "scrape": (
        by_scraping,
        scraped,
        {"names": NAMES, "labels": LABELS, "line": SCRAPED_LINES, "times": TIMES, "last": SCRAPED_LINES},
    ),
}


def seconds(decode, body):
    """CPU seconds from a body to its batches."""
    table = SeriesTable(8, 1_000_000)
    began = time.thread_time()
    try:
        rows, refusals = decode(body, table)
        rows = admit(rows, table, NOW, AGES, refusals)
        rows = within_batches(rows, table, refusals)
        made = sum(1 for _ in batches(table, [rows]))
    except (InvalidRequest, InvalidExposition):
        made = 0
    spent = time.thread_time() - began
    assert made <= MAX_BATCHES
    return spent


def growth(decode, build, choices, size, times=1):
    """How much more a body of four times the size costs; what costs next to nothing counts as a millisecond."""
    small, large = build(size, **choices), build(4 * size, **choices)
    least = [min(seconds(decode, body) for _ in range(times)) for body in (small, large)]
    return least[1] / max(least[0], 0.001) * 4 * len(small) / len(large)


def worst(decode, build, grammar, chance):
    """The choices of the bodies whose cost grows most: some at random, then what is like the worst of these."""

    def keep(choices):
        found[tuple(choices.items())] = growth(decode, build, choices, SEARCHED_BYTES)

    found = {}
    # each choice twice at least
    longest = max(map(len, grammar.values()))
    orders = {part: chance.sample(list(kinds), len(kinds)) for part, kinds in grammar.items()}
    for number in range(2 * longest):
        keep({part: order[(number + number // longest) % len(order)] for part, order in orders.items()})
    for _ in range(12):
        part = chance.choice(list(grammar))
        keep({**dict(max(found, key=found.get)), part: chance.choice(list(grammar[part]))})
    return [dict(choices) for choices in sorted(found, key=found.get)[-2:]]


@pytest.mark.parametrize("way", WAYS)
def test_the_worst_body_costs_no_more_than_in_proportion_to_its_size(way):
    decode, build, grammar = WAYS[way]
    seconds(decode, build(1000, **{part: next(iter(kinds)) for part, kinds in grammar.items()}))
    for choices in worst(decode, build, grammar, random.Random(5)):
        assert growth(decode, build, choices, MEASURED_BYTES, times=3) <= MOST_GROWTH, choices
