"""`rules apply` in namespaces and on a terminal: whose groups it replaces, and what it does before anybody agrees."""

import os
import pty

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from schemas.rule_files import SEVERITIES, Group
from schemas.rule_messages import MARKER_KEY, SQL, check_namespace, file_in, file_of, key_of
from streamgauge.cli import main, rule_commands
from streamgauge.rules.applied import command
from streamgauge.rules.applied.rule_sets import RuleSets, publication

RULES = "groups: [{name: rooms, rules: [{alert: Hot, expr: t > 28}]}]"
GROUP = Group("rooms")

names = st.sampled_from(["a", "b", "a.b", "room", "set"])
files = st.builds(file_in, st.just("") | names, names | st.just(SQL))
group_names = st.sampled_from(["a", "b", "/a", "a/b", "a/b/c", "/", "set"])


@given(st.lists(st.tuples(files, group_names), unique=True))
def test_groups_of_all_files_and_namespaces_have_keys_of_their_own(groups):
    keys = [key_of(*each) for each in groups]
    assert len({*keys, MARKER_KEY}) == len(groups) + 1
    assert [file_of(key) for key in keys] == [file for file, _ in groups]
    # those of rules in SQL are in alerts.state beside them
    assert not any(key.startswith(f"/{SQL}/") for key in keys)


@given(names, group_names)
def test_without_a_namespace_keys_are_those_that_were_always_written(file, group):
    assert key_of(file_in("", file), group) == f"{file}/{group}"


def test_the_file_of_every_rule_in_sql_is_one():
    assert {file_of("/sql/High"), file_of("/sql/a/b"), file_of("/sql/")} == {SQL}


@pytest.mark.parametrize("name", ["a", "shop", "Team-7.eu_west", "9", "x" * 64])
def test_names_of_namespaces(name):
    check_namespace(name)


@pytest.mark.parametrize(
    "name", ["", "sql", "a/b", "/a", ".a", "-a", "a b", "ü", "a#1", "a\n", "x" * 65, "é" * 1_000_000]
)
def test_what_cannot_name_a_namespace_is_told_in_a_short_line(name):
    with pytest.raises(ValueError, match="name") as refused:
        check_namespace(name)
    assert len(str(refused.value)) < 300


class Kept:
    """A topic in memory."""

    def __init__(self):
        self.messages = []

    def read(self):
        return list(self.messages)

    def publish(self, messages):
        self.messages += messages

    @property
    def groups(self):
        return set(RuleSets(self.messages).last.groups)

    def apply_elsewhere(self, file, groups=(GROUP,)):
        """As another team does."""
        self.publish(publication(RuleSets(self.messages), {file: list(groups)}, 0).messages)


@pytest.fixture
def topic():
    return Kept()


@pytest.fixture
def run(topic, tmp_path, monkeypatch):
    """Run `streamgauge rules NAME room.yml ...` with rules as the content of the file."""
    monkeypatch.setattr(rule_commands, "_Topic", lambda _: topic)

    def call(name, *options, rules=RULES):
        file = tmp_path / "room.yml"
        file.write_text(rules)
        ran = CliRunner().invoke(main, ["rules", name, *([] if name == "list" else [str(file)]), *options])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.stdout.splitlines(), ran.stderr.splitlines()

    return call


def test_files_of_the_same_name_in_two_namespaces_replace_nothing_of_each_other(run, topic):
    assert run("apply", "--yes")[0] == 0
    for team in ("shop", "mill"):
        assert run("diff", "--namespace", team)[1] == [
            f"+ /{team}/room/rooms",
            "+   alert: Hot",
            "+     expr: t > 28",
            "1 rule added",
        ]
        assert run("apply", "--yes", "--namespace", team)[0] == 0
    assert topic.groups == {"room/rooms", "/shop/room/rooms", "/mill/room/rooms"}
    code, changed, _ = run("apply", "--yes", "--namespace", "shop", rules="groups: []")
    assert (code, changed[0]) == (0, "- /shop/room/rooms")
    assert topic.groups == {"room/rooms", "/mill/room/rooms"}
    assert run("diff") == run("diff", "--namespace", "mill") == (0, ["no changes"], [])
    listed = ["/mill/room/rooms", "  alert: Hot: t > 28"]
    assert run("list", "--namespace", "mill")[1][1:] == listed
    assert run("list")[1][1:] == [*listed, "room/rooms", "  alert: Hot: t > 28"]
    assert run("list", "--namespace", "shop")[1][0].endswith(" 0 rules in 0 groups")


@pytest.mark.parametrize("name", ["apply", "diff", "list"])
def test_a_bad_namespace_is_an_error_of_one_line(run, topic, name):
    code, out, err = run(name, "--namespace", "a/b")
    assert (code, out, topic.messages) == (1, [], [])
    [line] = err
    assert line.startswith("Error: --namespace: 'a/b' is no name of 1 to 64 letters")


def test_without_a_terminal_the_change_is_shown_and_nothing_is_published(run, topic):
    code, out, err = run("apply")
    assert (code, topic.messages) == (1, [])
    assert out == ["+ room/rooms", "+   alert: Hot", "+     expr: t > 28"]
    [line] = err
    assert line == "Error: nothing was applied: the confirmation needs a terminal, or --yes"


def test_nobody_is_asked_where_nothing_changes(run, topic):
    run("apply", "--yes")
    version = RuleSets(topic.messages).last.version
    assert run("apply") == (0, [f"no changes: rule set {version[:12]} is already applied"], [])


@pytest.fixture
def terminal(monkeypatch):
    """Standard input is a terminal, at which these lines were typed."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard, os.fdopen(theirs) as screen:
        monkeypatch.setattr("sys.stdin", screen)
        yield lambda *lines: keyboard.write("".join(f"{line}\n" for line in lines).encode())


@pytest.mark.parametrize(
    ("lines", "agreed"), [(["y"], True), (["n"], False), ([""], False), (["x", "yes"], True)]
)
def test_only_yes_agrees(terminal, capsys, lines, agreed):
    terminal(*lines)
    assert command.ask("1 rule removed") is agreed
    assert "1 rule removed: apply? [y/N]: " in capsys.readouterr().err


def test_the_end_of_the_input_ends_the_command(terminal):
    terminal("\x04")
    with pytest.raises(click.Abort):
        command.ask("1 rule removed")


@pytest.fixture
def applied(topic, tmp_path, capsys):
    """Apply RULES as room.yml; `meanwhile` happens before the answer."""

    def call(answer, meanwhile=lambda: None):
        asked = []

        def agrees(summary):
            asked.append((summary, capsys.readouterr().out.splitlines()))
            meanwhile()
            return answer

        file = tmp_path / "room.yml"
        file.write_text(RULES)
        clock = iter((1_000_000, 2_000_000))
        code = command.apply([file], SEVERITIES, topic, lambda: next(clock), agrees)
        return code, asked, capsys.readouterr().err.splitlines()

    return call


def test_what_changes_is_shown_before_the_question_and_published_after_it(topic, applied):
    code, asked, _ = applied(True)
    shown = ["+ room/rooms", "+   alert: Hot", "+     expr: t > 28"]
    assert (code, asked) == (0, [("1 rule added", shown)])
    # the answer took its time: the set begins after it
    assert RuleSets(topic.messages).last.effective_from > 2_000_000


def test_a_no_publishes_nothing(topic, applied):
    assert applied(False)[::2] == (1, ["nothing was applied"])
    assert topic.messages == []


def test_what_others_applied_before_the_answer_stays(topic, applied):
    assert applied(True, lambda: topic.apply_elsewhere("other"))[0] == 0
    assert topic.groups == {"room/rooms", "other/rooms"}


def test_a_change_that_is_no_longer_what_was_shown_is_not_published(topic, applied):
    code, _, err = applied(True, lambda: topic.apply_elsewhere("room"))
    assert code == 1
    assert "other rules were applied in the meantime" in err[0]
    assert [len(group.rules) for group in RuleSets(topic.messages).last.groups.values()] == [0]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_the_command_asks(topic, tmp_path, monkeypatch, capsys, terminal, answer, code):
    monkeypatch.setattr(rule_commands, "_Topic", lambda _: topic)
    (tmp_path / "room.yml").write_text(RULES)
    terminal(answer)
    with pytest.raises(SystemExit) as ended:
        main(["rules", "apply", str(tmp_path / "room.yml")], standalone_mode=False)
    assert ended.value.code == code
    assert "1 rule added: apply? [y/N]: " in capsys.readouterr().err
    assert topic.groups == ({"room/rooms"} if code == 0 else set())
