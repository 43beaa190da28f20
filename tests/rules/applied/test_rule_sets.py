"""The topic alerts.rules: from files to messages and back, whatever is missing or cut off."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from schemas.rule_files import SEVERITIES, Group, NoData, Rule, RuleKind
from schemas.rule_messages import (
    MARKER_KEY,
    InvalidMessage,
    Marker,
    RuleMessage,
    decode_group,
    decode_marker,
    encode_group,
    encode_marker,
)
from streamgauge.cli import main
from streamgauge.rules.applied import command, rule_sets
from streamgauge.rules.applied.difference import difference
from streamgauge.rules.applied.rule_sets import RuleSets, SetFault, oversized, publication

words = st.text(max_size=4)
texts = st.dictionaries(words, words, max_size=2)
rules = st.builds(
    Rule,
    st.sampled_from(RuleKind),
    words,
    words,
    texts,
    texts,
    st.integers(0, 9),
    st.integers(0, 9),
    st.none() | words,
    st.sampled_from(NoData),
)
groups = st.builds(
    Group,
    st.sampled_from(["g", "h", "a/b"]),
    st.lists(rules, max_size=3),
    st.none() | st.sampled_from([1000, 15_000]),
    st.integers(0, 3),
    st.none() | st.integers(0, 9),
    texts,
)
files = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.lists(groups, max_size=3, unique_by=lambda group: group.name),
    max_size=3,
)


def published(history):
    """Every message of these sets one after another, and where each set ends."""
    messages, ends = [], []
    for one in history:
        found = publication(RuleSets(messages), one, len(messages))
        messages += found.messages
        ends.append((len(messages), found.rules))
    return messages, ends


def compacted(messages):
    """What Kafka may leave of them."""
    newest = {message.key: at for at, message in enumerate(messages)}
    return [message for at, message in enumerate(messages) if newest[message.key] == at]


@given(groups)
def test_a_group_comes_back(group):
    assert decode_group(encode_group(group)) == group


@given(st.builds(Marker, words, st.integers(0), st.dictionaries(words, words)))
def test_a_marker_comes_back(marker):
    assert decode_marker(encode_marker(marker)) == marker


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"[]", b"{}", b'{"rules": 3}', b'{"rules": [{"kind": "odd"}]}']
)
def test_what_is_no_value_is_refused(value):
    for decode in decode_group, decode_marker:
        with pytest.raises(InvalidMessage):
            decode(value)


def test_the_bytes_are_those_of_version_1(golden):
    rule = Rule(
        RuleKind.ALERT, "Hot", "t > 80", {"severity": "page"}, {"text": "ü"}, 1000, 0, "t < 70", line=3
    )
    group = Group("g", [rule], 15_000, 1, None, {"team": "x"})
    found = publication(RuleSets(), {"file": [group]}, 1_700_000_000_000)
    lines = [part for message in found.messages for part in (message.key.encode(), message.value)]
    assert golden("rule-set-v1.txt", b"\n".join(lines)) == b"\n".join(lines)
    assert found.messages[0].headers == {
        "format": "1",
        "rule_set": found.rules.version,
        "effective_from": "1700000010000",
    }


@given(st.lists(files, max_size=4))
def test_the_last_set_counts_and_files_that_were_not_named_keep_theirs(history):
    messages, _ = published(history)
    wanted = {}
    for one in history:
        wanted |= one
    keys = {f"{name}/{group.name}": group for name, own in wanted.items() for group in own}
    assert RuleSets(messages).last.groups == keys
    assert RuleSets(compacted(messages)).last == RuleSets(messages).last


@given(st.lists(files, max_size=4), st.data())
def test_a_set_that_is_cut_off_does_not_count(history, data):
    messages, ends = published(history)
    cut = data.draw(st.integers(0, len(messages)))
    whole = [rules for end, rules in ends if end <= cut]
    assert RuleSets(messages[:cut]).last.groups == (whole[-1].groups if whole else {})


@given(files, files, st.data())
def test_applying_again_makes_up_for_whatever_is_missing(first, second, data):
    messages, _ = published([first])
    more = publication(RuleSets(messages), second, 5).messages
    kept = data.draw(st.lists(st.sampled_from(more), unique_by=id)) if more else []
    read = RuleSets([*messages, *kept])
    again = publication(read, first | second, 9)
    for message in again.messages:
        read.take(message)
    assert read.fault is None
    assert read.last.groups == {
        f"{name}/{group.name}": group for name, own in (first | second).items() for group in own
    }


@given(files)
def test_the_same_files_again_publish_nothing(one):
    messages, _ = published([one])
    assert not publication(RuleSets(messages), one, 99).messages or not any(one.values())


@given(files, files)
def test_a_difference_is_none_only_between_equal_groups(first, second):
    old, new = (
        {f"{name}/{group.name}": group for name, own in each.items() for group in own}
        for each in (first, second)
    )
    assert difference(old, old) == ([], (0, 0, 0, 0))
    lines, count = difference(old, new)
    if old.keys() == new.keys() and not lines:
        assert count.is_nothing


def test_a_marker_of_another_format_or_version_closes_nothing():
    read = RuleSets()
    group = Group("g", [])
    *messages, marker = publication(read, {"f": [group]}, 0).messages
    for message in messages:
        read.take(message)
    assert read.take(RuleMessage(MARKER_KEY, marker.value, {"format": "2"})) is None
    assert read.fault is SetFault.BAD_FORMAT
    wrong = encode_marker(Marker("x", 0, {}))
    assert read.take(RuleMessage(MARKER_KEY, wrong, marker.headers)) is None
    assert read.fault is SetFault.BAD_VERSION
    assert read.take(RuleMessage(MARKER_KEY, None, marker.headers)) is None
    assert read.fault is SetFault.MALFORMED
    assert read.take(marker).groups == {"f/g": group}


def test_a_set_counts_from_a_tick_of_its_most_frequent_group_on():
    groups = [Group("g", interval_ms=15_000), Group("h")]
    assert publication(RuleSets(), {"f": groups}, 1_000_001).rules.effective_from == 1_020_000


def test_a_set_with_seldom_groups_only_counts_within_a_minute_all_the_same():
    daily = [Group("g", interval_ms=86_400_000)]
    assert publication(RuleSets(), {"f": daily}, 1_000_001).rules.effective_from == 1_020_000


class Kept:
    """A topic in memory."""

    def __init__(self):
        self.messages = []

    def read(self):
        return list(self.messages)

    def publish(self, messages):
        self.messages += messages


RULES = """\
groups:
- name: hosts
  interval: 15s
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
  - record: r
    expr: sum(up)
"""


@pytest.fixture
def run(tmp_path, capsys):
    topic = Kept()

    def call(name, *texts):
        paths = []
        for number, text in enumerate(texts):
            paths.append(tmp_path / f"{number}.yml")
            paths[-1].write_text(text)
        if name == "list":
            code = command.show(topic)
        elif name == "diff":
            code = command.diff(paths, SEVERITIES, topic)
        else:
            code = command.apply(paths, SEVERITIES, topic, lambda: 1_000_000)
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    call.topic = topic
    return call


def test_a_group_that_no_message_can_hold_is_named_and_nothing_is_published(run, monkeypatch):
    monkeypatch.setattr(rule_sets, "MAX_RULES_BYTES", 20_000)
    rules = "".join(f"  - {{record: r, expr: {'x' * 200}, labels: {{n: '{at}'}}}}\n" for at in range(70))
    large = f"groups:\n- name: large\n  rules:\n{rules}"
    code, out, err = run("apply", RULES, large)
    assert (code, out, run.topic.messages) == (1, [], [])
    assert err[-2].startswith("error: group 1/large takes 2")
    assert err[-2].endswith(" bytes, a message at most 20,000: split it")
    assert err[-1] == "nothing was applied"


def test_the_list_of_all_groups_fits_into_a_message_too(monkeypatch):
    monkeypatch.setattr(rule_sets, "MAX_RULES_BYTES", 20_000)
    groups = [Group(str(at)) for at in range(500)]
    [fault] = oversized(publication(RuleSets(), {"f": groups}, 0))
    assert fault.startswith("the list of all groups takes 2")


def test_a_name_of_a_group_that_is_too_long_has_its_place(run):
    code, _, err = run("apply", RULES.replace("name: hosts", f"name: {'ü' * 513}"))
    assert code == 1
    assert "0.yml:2:9: error: group 1: the name takes more than 1024 bytes" in err[0]


def test_with_one_fault_nothing_is_published_and_every_fault_is_shown(run):
    code, out, err = run("apply", RULES, RULES.replace("sum(up)", "sum(up"), "groups: 3")
    assert (code, out, run.topic.messages) == (1, [], [])
    assert ["unclosed left parenthesis" in line or "expected a list" in line for line in err] == [
        True,
        True,
        False,
    ]
    assert err[-1] == "nothing was applied"


def test_what_is_applied_is_listed_and_what_would_change_is_shown(run):
    assert run("list") == (0, ["no rules are applied"], [])
    assert run("diff", RULES)[0] == 2
    code, out, _ = run("apply", RULES)
    assert code == 0
    assert out[:2] == ["+ 0/hosts", "+   alert: Down"]
    assert out[-1].endswith(": 2 rules added")
    assert run("list")[1][1:] == [
        "0/hosts every 15s",
        "  alert: Down for 2m: up == 0",
        "  record: r: sum(up)",
    ]
    assert run("diff", RULES) == (0, ["no changes"], [])
    changed = RULES.replace("2m", "90s").replace("15s", "30s").replace("record: r", "record: s")
    assert run("diff", changed) == (
        2,
        [
            "~ 0/hosts",
            "-   interval: 15s",
            "+   interval: 30s",
            "~   alert: Down",
            "-     for: 2m",
            "+     for: 1m30s",
            "+   record: s",
            "+     expr: sum(up)",
            "-   record: r",
            "-     expr: sum(up)",
            "1 rule added, 1 rule changed, 1 rule removed, settings of 1 group",
        ],
        [],
    )
    assert run("apply", "groups: []")[1][-1].endswith("2 rules removed")
    assert run.topic.messages[-2].value is None


def test_files_of_the_same_name_are_refused(tmp_path, capsys):
    paths = [tmp_path / folder / "a.yml" for folder in "xy"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(RULES)
    assert command.apply(paths, SEVERITIES, Kept(), lambda: 0) == 1
    assert "would replace each other" in capsys.readouterr().err


def test_the_commands_are_there():
    listed = CliRunner().invoke(main, ["rules", "--help"]).output
    assert all(f"  {name} " in listed for name in ("apply", "backtest", "check", "diff", "list", "test"))
