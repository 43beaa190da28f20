"""Real promtool and ours say the same about the same files."""

import json
import re
import subprocess
from pathlib import Path
from random import Random

import pytest
import yaml
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.rules.files.reader import read
from tests.oracle.random_rules import RandomRules, expectations

FILES = 60
TEMPLATES = Path(__file__).parent.parent / "rules" / "templates.txt"
FILE_CASES = Path(__file__).parent.parent / "rules" / "promtool"


@pytest.fixture(scope="module")
def promtool(oracle):
    return oracle.with_name("promtool")


def verdicts(program: Path, command: str, paths: list[Path]) -> dict[Path, bool]:
    """Whether promtool is content with each file."""
    done = subprocess.run([program, command, "rules", *paths], capture_output=True, text=True, check=False)
    parts = re.split(r"(?:Processing test file:|Checking) (.*)\n", done.stdout)[1:]
    found = {Path(path): "SUCCESS" in said for path, said in zip(parts[::2], parts[1::2], strict=True)}
    assert found.keys() == set(paths), done.stdout
    return found


def ours(command: str, path: Path) -> tuple[bool, str]:
    result = CliRunner().invoke(main, ["rules", command, str(path)])
    assert result.exit_code in (0, 1), result.output
    return result.exit_code == 0, result.output


def write(folder: Path, number: int, rules: str, test: dict) -> Path:
    (folder / f"rules{number}.yml").write_text(rules)
    path = folder / f"test{number}.yml"
    # promtool takes groups in any order unless it is told
    order = [group["name"] for group in yaml.safe_load(rules)["groups"]]
    content = {"rule_files": [f"rules{number}.yml"], "group_eval_order": order, "tests": [test]}
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return path


def broken(random: Random, test: dict) -> dict:
    """The test with one expectation changed."""
    changed = json.loads(json.dumps(test))
    case = random.choice(changed["alert_rule_test"])
    if case["exp_alerts"]:
        case["exp_alerts"][0]["exp_labels"]["more"] = "x"
    else:
        case["exp_alerts"] = [{}]
    return changed


def test_what_our_engine_gives_for_random_rules_is_what_promtool_expects(promtool, tmp_path, request):
    random = Random(f"rules {request.config.getoption('--oracle-seed')}")
    drawn, good, bad, failing = RandomRules(random), [], [], []
    for number in range(FILES):
        rules, series = yaml.safe_dump(drawn.rules()), drawn.series()
        external, url = {"region": "eu"}, "http://u/x"
        test = {"input_series": series, "external_labels": external, "external_url": url}
        expected = expectations(rules, series, external, url)
        if not expected:
            case = {"eval_time": "20m", "alertname": "none"}
            failing.append(write(tmp_path, number, rules, {**test, "alert_rule_test": [case]}))
            continue
        good.append(write(tmp_path, number, rules, {**test, **expected}))
        bad.append(write(tmp_path, number + FILES, rules, {**test, **broken(random, expected)}))
    assert len(good) > FILES / 2
    theirs = verdicts(promtool, "test", [*good, *bad, *failing])
    assert [path.name for path in good if not theirs[path]] == []
    assert [path.name for path in [*bad, *failing] if theirs[path]] == []
    for path in [*good[:5], *bad[:5], *failing]:
        assert ours("test", path)[0] == theirs[path], path


def test_templates_give_the_same(promtool, tmp_path):
    rows = [line for line in TEMPLATES.read_text().splitlines() if line and not line.startswith("#")]
    texts = [json.loads(rows[at]) for at in range(0, len(rows), 2) if rows[at + 1].strip().startswith("=")]
    # in promtool there is no URL for these, and a struct is written with its fields' types
    texts = [
        text for text in texts if not re.search(r"pathPrefix|\bexternalURL|\{\{ \. \}\}|query \"bad\"", text)
    ]
    # which of two series comes first is now one and now the other for promtool
    texts = [text.replace('query "x"', 'query "sort(x)"') for text in texts]
    rules = {
        "groups": [
            {
                "name": "g",
                "rules": [
                    {"alert": f"T{at}", "expr": "up", "annotations": {"text": text}}
                    for at, text in enumerate(texts)
                ],
            }
        ]
    }
    text = yaml.safe_dump(rules, allow_unicode=True)
    series = [
        {"series": 'up{instance="host.example.com:9100", job="node"}', "values": "1234567.5x20"},
        {"series": 'x{instance="a:1", job="y"}', "values": "1.5x20"},
        {"series": 'x{instance="b:1", job="x"}', "values": "2x20"},
    ]
    expected = expectations(text, series, {"region": "eu"}, "http://u/x")
    expected["alert_rule_test"] = [case for case in expected["alert_rule_test"] if case["eval_time"] == "1m"]
    test = {
        "input_series": series,
        "external_labels": {"region": "eu"},
        "external_url": "http://u/x",
        **expected,
    }
    path = write(tmp_path, 0, text, test)
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_wrong_with_a_template_is_so_for_promtool_too(promtool, tmp_path):
    rows = [line for line in TEMPLATES.read_text().splitlines() if line and not line.startswith("#")]
    texts = [json.loads(rows[at]) for at in range(0, len(rows), 2) if rows[at + 1].strip().startswith("!")]
    rule = [{"alert": f"T{at}", "expr": "up", "annotations": {"t": text}} for at, text in enumerate(texts)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rule}]}, allow_unicode=True))
    done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, check=False)
    refused = set(re.findall(r'"(T\d+)": annotation', done.stderr))
    assert refused == {f"T{at}" for at in range(len(texts))}
    assert len({fault.place for fault in read(path).faults}) == len(texts)


@pytest.mark.parametrize("path", sorted(FILE_CASES.glob("test-*.yml")), ids=lambda path: path.stem)
def test_a_test_file_ends_with_the_same_exit_code(promtool, path):
    assert ours("test", path)[0] == verdicts(promtool, "test", [path])[path] == path.stem.endswith("pass")


@pytest.mark.parametrize("path", sorted(FILE_CASES.glob("rules-*.yml")), ids=lambda path: path.stem)
def test_a_rule_file_is_accepted_or_refused_by_both(promtool, path):
    assert ours("check", path)[0] == verdicts(promtool, "check", [path])[path] == path.stem.endswith("good")
