import pytest

from streamgauge.promql.syntax.parser import parse
from streamgauge.promql.syntax.printer import canonical
from streamgauge.rules.machine.no_data import asks_for_absence, without_conditions


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("up", "up"),
        ("up == 0", "up"),
        ("5 < up", "up"),
        ("rate(x[5m]) > 5", "rate(x[5m])"),
        ("sum by (job) (rate(x[5m])) / 2 > 0.5", "sum by (job) (rate(x[5m])) / 2"),
        ("(a > 5) and on (x) (b > 3)", "(a)"),
        ("a > 5 unless b", "a"),
        ("a > 5 or b < 3", "a or b"),
        ("a > on (x) b", "a > bool on (x) b"),
        ("(a > 1) > on (x) group_left () b", "(a) > bool on (x) group_left () b"),
        ("a > bool 5", "a > bool 5"),
        ("topk(3, a > 5)", "a"),
        ("sort_desc(a > 5)", "a"),
        ("absent(up)", "absent(up)"),
        ("1 > bool 2", "1 > bool 2"),
    ],
)
def test_the_part_of_an_expression_that_says_what_has_data(expression, data):
    assert canonical(without_conditions(parse(expression))) == canonical(parse(data))


def test_nothing_tells_what_has_data_where_an_expression_asks_for_absence():
    assert asks_for_absence(parse("up == 0 or absent(up)"))
    assert not asks_for_absence(parse("up == 0"))
