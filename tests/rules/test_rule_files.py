from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.rule_files import SEVERITIES, NoData, RuleKind
from streamgauge.rules.files.faults import FileFault, Position
from streamgauge.rules.files.positions import Lines
from streamgauge.rules.files.reader import parse, read


def faults(text: str) -> list[str]:
    return [str(fault).removeprefix("r.yml:") for fault in parse("r.yml", dedent(text), SEVERITIES).faults]


def test_everything_that_a_file_may_say():
    found = parse(
        "r.yml",
        dedent(
            """
            groups:
              - name: a
                interval: 15s
                limit: 10
                query_offset: 1m
                labels: {team: infra}
                rules:
                  - record: job:up:sum
                    expr: sum by (job) (up)
                    labels: {x: '{{ not a template }}'}
                  - alert: Down
                    expr: up == 0
                    for: 5m
                    keep_firing_for: 1h30m
                    labels: {severity: page}
                    annotations: {summary: '{{ $labels.instance }} is down'}
                    resolve: up == 1
                    no_data: keep
              - name: b
            """
        ),
        SEVERITIES,
    )
    assert found.is_usable
    assert found.faults == []
    first, second = found.rules.groups
    assert (first.interval_ms, first.limit, first.query_offset_ms) == (15_000, 10, 60_000)
    assert first.labels == {"team": "infra"}
    record, alert = first.rules
    assert (record.kind, record.name, record.line, record.column) == (RuleKind.RECORD, "job:up:sum", 9, 9)
    assert (alert.hold_ms, alert.keep_firing_ms, alert.no_data) == (300_000, 5_400_000, NoData.KEEP)
    assert alert.resolve == "up == 1"
    assert (second.interval_ms, second.query_offset_ms, second.rules) == (None, None, [])


@pytest.mark.parametrize("text", ["", "groups:", "groups: []", "# nothing\n", "---\n"])
def test_a_file_may_be_empty(text):
    assert faults(text) == []


def test_anchors_and_merges_are_followed():
    found = parse(
        "r.yml",
        dedent(
            """
            groups:
              - name: a
                rules:
                  - &one {alert: A, expr: up, labels: &l {severity: page}}
                  - {<<: *one, alert: B}
                  - {alert: C, expr: up, labels: {<<: *l, x: y}}
            """
        ),
    )
    assert [str(fault) for fault in found.faults] == []
    rules = found.rules.groups[0].rules
    assert [rule.name for rule in rules] == ["A", "B", "C"]
    assert rules[2].labels == {"severity": "page", "x": "y"}


def test_all_faults_of_a_file_are_reported_in_one_run():
    assert faults(
        """\
        groups:
        - name: a
          intervall: 5s
          interval: 500ms
          limit: x
          labels: {__name__: x}
          rules:
          - record: foo{bar}
            expr: |
              sum by (job) (
                rate(foo[5m])
              ) +
            for: 5m
          - alert: X
            expr: >
              up ==
                 1
              and foo(
            for: 5 m
            labels:
              severity: bad
              x: "a {{ $lables.x }}"
            annotations:
              summary: >-
                long text
                that {{ if }} goes
              b: 'it''s {{ foo }}'
              c: "a\\n\\u00e9 \\
                 {{ .x"
            no_data: maybe
          - alert: Y
            alert: Z
            expr: "sum(rate(x[5m])"
          - expr: 1
          - alert: M
            record: n
            expr: x[5m]
        - name: a
          rules: {}
        - name: ""
        extra: 1
        """
    ) == [
        '3:3: group 1: unknown key "intervall", did you mean "interval"?',
        '4:13: group "a": interval: less than 1s',
        '5:10: group "a": limit: "x" is not a whole number',
        '6:12: group "a": labels: invalid label name "__name__"',
        '8:13: group "a", rule 1, "foo{bar}": braces in the name of a recording rule; do they belong to its expr?',
        '12:10: group "a", rule 1, "foo{bar}": expr: unexpected end of input',
        '13:5: group "a", rule 1, "foo{bar}": a recording rule has no "for"',
        '18:15: group "a", rule 2, "X": expr: unclosed left parenthesis',
        '19:10: group "a", rule 2, "X": for: not a valid duration string: "5 m"',
        '21:17: group "a", rule 2, "X": severity "bad" is not one of critical, warning, info, page, none, '
        "which rules.severities lists",
        '22:16: group "a", rule 2, "X": labels: x: undefined variable "$lables"',
        '26:20: group "a", rule 2, "X": annotations: summary: missing value for if',
        '27:20: group "a", rule 2, "X": annotations: b: function "foo" not defined',
        '29:10: group "a", rule 2, "X": annotations: c: unclosed action',
        '30:14: group "a", rule 2, "X": no_data: "maybe" is not one of ok, keep, alert',
        '32:5: group "a", rule 3: the key "alert" is already set in line 31',
        '33:27: group "a", rule 3, "Y": expr: unclosed left parenthesis',
        '34:5: group "a", rule 4: a rule needs "record" or "alert"',
        '36:5: group "a", rule 5, "n": a rule has either "record" or "alert"',
        '37:11: group "a", rule 5, "n": expr: a rule needs an instant vector or a scalar, not a range vector',
        '38:3: group "a": already defined in line 2',
        '39:10: group "a": rules: expected a list, found a mapping',
        "40:3: group 3: a group needs a name",
        '41:1: the file: unknown key "extra"',
    ]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("{alert: A}", '4:7: group "g", rule 1, "A": "expr" is empty or missing'),
        ("{alert: A, expr: ''}", '4:24: group "g", rule 1, "A": "expr" is empty or missing'),
        ("{alert: A, expr: [1]}", '4:24: group "g", rule 1, "A": expr: expected a string, found a list'),
        ("{alert: A, expr: up, resolve: up[}", "not YAML"),
        ("{alert: A, expr: up, resolve: 'up ='}", '4:41: group "g", rule 1, "A": resolve: unexpected "="'),
        (
            "{alert: A, expr: up, labels: {'': x}}",
            '4:37: group "g", rule 1, "A": labels: invalid label name ""',
        ),
        (
            "{alert: A, expr: up, labels: [x]}",
            '4:36: group "g", rule 1, "A": labels: expected a mapping, found a list',
        ),
        ("{alert: A, expr: info(up)}", '4:24: group "g", rule 1, "A": expr: function info() works on'),
        (
            "{record: a, expr: up, no_data: ok}",
            '4:29: group "g", rule 1, "a": a recording rule has no "no_data"',
        ),
        ("3", '4:7: group "g", rule 1: expected a mapping, found "3"'),
    ],
)
def test_a_fault_of_a_rule_has_its_place(rule, fault):
    found = faults(f"groups:\n- name: g\n  rules:\n    - {rule}")
    if fault == "not YAML":
        assert "not YAML" in found[0]
    else:
        assert found[0].startswith(fault), found


def test_a_severity_made_by_a_template_is_not_looked_at():
    text = "groups: [{name: g, rules: [{alert: A, expr: up, labels: {severity: '{{ $labels.s }}'}}]}]"
    assert faults(text) == []
    assert parse("r.yml", text.replace("{{ $labels.s }}", "odd")).is_usable


def test_rules_that_stand_twice_are_lint():
    text = """\
        groups:
        - name: a
          labels: {x: y}
          rules:
          - {alert: A, expr: up}
        - name: b
          rules:
          - {alert: A, expr: down, labels: {x: y}}
          - {alert: A, expr: up, labels: {x: z}}
        """
    found = parse("r.yml", dedent(text))
    assert found.is_usable
    assert [(fault.reason, fault.place) for fault in found.faults] == [
        (FileFault.DUPLICATE_RULE, Position(8, 5))
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: [1\nb: 2\n", "2:2:"), ("a: \x01", "1:4:"), ("[" * 100_000, "1:51:"), ("\t- a", "1:1:")],
)
def test_what_is_not_yaml_has_a_place(text, place):
    [fault] = parse("r.yml", text).faults
    assert str(fault).startswith(f"r.yml:{place}")


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path):
    [fault] = read(tmp_path / "none.yml").faults
    assert fault.reason is FileFault.UNREADABLE
    (tmp_path / "latin.yml").write_bytes(b"\xe9")
    assert "not UTF-8" in str(read(tmp_path / "latin.yml").faults[0])


TEXT = st.text(st.sampled_from("ab {}'\"\\:#|>-\n\té☃%&*"), max_size=60)


@given(TEXT, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(10, 80), st.data())
def test_every_character_of_a_scalar_is_found_in_the_file(text, style, width, data):
    written = yaml.dump({"a": {"b": text}}, default_style=style, allow_unicode=True, width=width)
    node = yaml.compose(written, Loader=yaml.CSafeLoader)
    scalar = node.value[0][1].value[0][1]
    assert scalar.value == text
    visible = [at for at, character in enumerate(text) if not character.isspace()]
    if not visible:
        return
    at = data.draw(st.sampled_from(visible))
    place = Lines(written).place_in(scalar, at)
    found = written.split("\n")[place.line - 1][place.column - 1 :]
    assert found.startswith((text[at], "\\", "''") if scalar.style in ("'", '"') else text[at])
