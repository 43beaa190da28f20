"""Rules give in shards what they give over all samples in memory, however the series lie in shards."""

import re
from functools import cache
from random import Random

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.promql.syntax.invalid_expression import InvalidExpression
from streamgauge.rules.files.reader import parse
from streamgauge.rules.machine.alerts import Failure
from streamgauge.rules.machine.compiled import EvaluationContext, compile_group
from streamgauge.rules.machine.evaluation import Evaluation, FromSource
from streamgauge.rules.machine.group_run import GroupRun
from streamgauge.rules.stream.shard.shard_rules import METADATA_LABELS
from streamgauge.rules.unit_tests.memory import Memory
from streamgauge.rules.unit_tests.series_notation import labels, values
from tests.oracle.answers import Answer, difference
from tests.oracle.random_queries import Queries, RandomQuery
from tests.oracle.random_rules import LENGTH, MINUTE, RandomRules
from tests.oracle.random_series import MINUTES, START, Shelf, generate
from tests.oracle.shards import StreamRun

SEEDS = st.integers(0, 2**32 - 1)


@cache
def drawn(seed):
    return generate(Random(seed))


class Stored(Shelf):
    """The store of rules that look further back; nothing is recorded in it."""

    def put(self, labels, time, value):
        pass


def answer(outcome, tick):
    if isinstance(outcome, Failure):
        return Answer(outcome.detail)
    found = Answer()
    for point in outcome:
        key = tuple(sorted(point.labels.items()))
        found.series[key] = {tick: point.value}
        found.order.append(key)
    return found


@settings(max_examples=300, deadline=None)
@given(SEEDS, SEEDS, st.integers(0, 5), st.integers(1, 4), st.integers(0, MINUTES))
def test_a_random_expression(queries, split, data, count, minute):
    query = Queries(Random(queries)).next()
    tick = START + minute * 60_000
    rule = Rule(RuleKind.RECORD, "recorded", query.text)
    group = Group("g", [rule], interval_ms=1000)
    try:
        compiled = compile_group(group)
    except InvalidExpression:
        return
    series = [(name, [sample for sample in samples if sample[0] <= tick]) for name, samples in drawn(data)]
    for metadata in (False, True):
        run = StreamRun({"g": group}, count, EvaluationContext(), Stored(series), split, metadata)
        for name, samples in series:
            run.windows.put(name, [at for at, _ in samples], [value for _, value in samples])
        [outcome] = run.tick(tick)["g"]
        if outcome != Failure(METADATA_LABELS):
            break
    found = answer(outcome, tick)

    def at_once(source):
        evaluation = Evaluation(FromSource(source, EvaluationContext()), EvaluationContext(), tick)
        return answer(evaluation.record(compiled.rules[0]), tick)

    def differs(source):
        expected = at_once(source)
        if found.error and expected.error:
            return None
        return difference(query, found, expected)

    why = differs(Shelf(series))
    # == or count_values may show the last bit of a sum, which the order of the series decides
    if why and all(differs(Shelf(Random(seed).sample(series, len(series)))) for seed in range(8)):
        raise AssertionError(f"{query.text} at {tick}: {why}")


@settings(max_examples=60, deadline=None)
@given(SEEDS, SEEDS, st.integers(1, 4))
def test_random_rule_files_with_rules_that_read_each_other(seed, split, count):
    drawn_rules = RandomRules(Random(seed))
    content, series = drawn_rules.rules(), drawn_rules.series()
    read = parse("rules.yml", yaml.safe_dump(content))
    assert read.is_usable, [str(fault) for fault in read.faults]
    # groups see each other's series later than in one process, so that each is alone here
    for group in read.rules.groups:
        compare({"g": group}, series, split, count)


def compare(groups, series, split, count):
    [group] = groups.values()
    context = EvaluationContext({"region": "r"}, "http://here")
    memory, stored = Memory(), Memory()
    run = StreamRun(groups, count, context, stored, split)
    whole = GroupRun(compile_group(group), memory, context)
    loaded = [(labels(one["series"]), values(one["values"])) for one in series]
    for name, numbers in loaded:
        memory.load(name, 0, MINUTE, numbers)
        stored.load(name, 0, MINUTE, numbers)
    for minute in range(LENGTH + 1):
        tick = minute * MINUTE
        memory.until = stored.until = tick
        for name, numbers in loaded:
            if minute < len(numbers) and numbers[minute] is not None:
                run.windows.put(name, [tick], [numbers[minute]])
        failures = whole.tick(tick)
        outcomes = run.tick(tick)["g"]
        assert {failure.rule for failure in failures} >= {
            rule.name
            for rule, outcome in zip(group.rules, outcomes, strict=True)
            if isinstance(outcome, Failure)
        }
        assert repr(run.transitions["g"]) == repr(whole.transitions)


SELECTORS = (
    *(
        "level",
        "load",
        'level{job="web"}',
        'load{host=~"a|c"}',
        'level{dc=""}',
        "hits_total",
        'hits_total{code="500"}',
    ),
    *(
        'hits_total{job!="db"}',
        "delay_bucket",
        'delay_bucket{job="web"}',
        "strange",
        '{__name__=~"level|load"}',
    ),
    *("rare", 'nothing{a="b"}', "typed", '{job="web",__name__!~"recorded.*"}'),
)
SHAPES = (
    *("S > N", "S", "N < S", "S * N > N", "S == bool N", "-S > N", "S - N", "N / S"),
    *("rate(S[5m]) > N", "increase(S[10m]) > N", "max_over_time(S[5m]) > N", "last_over_time(S[5m]) > N"),
    *(
        "avg_over_time(S[5m] offset 5m) < N",
        "quantile_over_time(0.5, S[5m]) > N",
        "predict_linear(S[5m], 60) > N",
    ),
    *("sum by (job) (S) > N", "avg by (job) (rate(S[5m])) > N", "max(S) > N", "count without (host) (S) > N"),
    *("stddev by (dc) (S) > N", "min by (host) (S) < N", "sum by (job, code) (rate(S[5m])) > N", "group(S)"),
    *("histogram_quantile(0.9, sum by (le, job) (rate(S[5m]))) > N", "histogram_quantile(0.5, S) > N"),
    *("S > S", "S / on (host) S > N", "sum by (job) (S) / on (job) group_left () sum by (job) (S) > N"),
    *(
        "S and S > N",
        "S unless on (host) S",
        "S > N or S < N",
        "S / ignoring (code) group_left () S",
        "S + S",
    ),
    *("abs(S) > N", "clamp(S, 0, 10) > N", "round(S) == N", "S > 1 > N", "sum(S > N) > N", "S ^ 2 > N"),
    *(
        "topk(2, S) > N",
        "absent(S)",
        "S or vector(N)",
        "scalar(S) > bool N",
        "count_values('v', S)",
        "S > on () vector(N)",
    ),
)


def alike_rules(random, count):
    """Rules of which several are alike but for selectors and numbers."""
    shapes = random.sample(SHAPES, 3)
    for at in range(count):
        text = re.sub("S", lambda _: random.choice(SELECTORS), random.choice(shapes))
        text = re.sub(r"\bN\b", lambda _: random.choice(("0", "1", "-2.5", "10", "30", "1e3")), text)
        yield Rule(RuleKind.RECORD, f"recorded:{at}", text)


@settings(max_examples=80, deadline=None)
@given(SEEDS, SEEDS, st.integers(0, 5), st.integers(1, 4), st.integers(5, MINUTES))
def test_rules_that_are_evaluated_together(seed, split, data, count, minute):
    random = Random(seed)
    rules = list(alike_rules(random, 24))
    groups = {
        key: Group(key, rules[at : at + 8], interval_ms=1000) for key, at in (("g", 0), ("h", 8), ("i", 16))
    }
    metadata = random.random() < 0.3
    series = drawn(data)
    run = StreamRun(groups, count, EvaluationContext(), Stored(series), split, metadata)
    tick = START + minute * 60_000
    # the second tick finds what the first one has kept
    for upto in (tick - 15_000, tick):
        series = [
            (name, [sample for sample in samples if sample[0] <= upto]) for name, samples in drawn(data)
        ]
        for name, samples in series:
            run.windows.put(name, [at for at, _ in samples], [value for _, value in samples])
        for key, outcomes in run.tick(upto).items():
            compiled = compile_group(groups[key])
            for rule, outcome in zip(compiled.rules, outcomes, strict=True):
                compare_one(rule, answer(outcome, upto), series, upto, metadata)


def compare_one(rule, found, series, tick, metadata):
    query = RandomQuery(rule.rule.expr, tick, tick, 0)

    def differs(source):
        evaluation = Evaluation(FromSource(source, EvaluationContext()), EvaluationContext(), tick)
        expected = answer(evaluation.record(rule), tick)
        return None if found.error and expected.error else difference(query, found, expected)

    if not metadata and found.error == METADATA_LABELS:
        assert "typed" in query.text or "{job" in query.text
        return
    why = differs(Shelf(series))
    if why and all(differs(Shelf(Random(seed).sample(series, len(series)))) for seed in range(8)):
        raise AssertionError(f"{query.text} at {tick}: {why}")
