import pytest

from streamgauge.promql.syntax.durations import resolve
from streamgauge.promql.syntax.invalid_expression import ExpressionFault, InvalidExpression
from streamgauge.promql.syntax.parser import parse


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a[step()]", "a[15s]"),
        ("a[range() / 4]", "a[15m]"),
        ("a[5m + 30]", "a[5m30s]"),
        ("a[2 ^ 3 * 1m]", "a[8m]"),
        ("a[1h % 25m]", "a[10m]"),
        ("a[0.0015 + 0]", "a[1ms]"),
        ("a[max_of(step(), 1m)]", "a[1m]"),
        ("a[min_of(step(), 10 ^ 500)]", "a[15s]"),
        ("a[1h:step() * 2] offset -(step() + 5s)", "a[1h:30s] offset -20s"),
        ("a offset (1m - 2m)", "a offset -1m"),
        ("a offset (step() - 15)", "a"),
        (
            "-sum by (x) (rate(a[step() * 4] @ end())) + (topk(scalar(b offset step()), c))",
            "-sum by (x) (rate(a[1m] @ end())) + (topk(scalar(b offset 15s), c))",
        ),
        ("max_over_time((a offset step())[step():1s])", "max_over_time((a offset 15s)[15s:1s])"),
    ],
)
def test_computed_durations_become_milliseconds(text, same):
    assert resolve(parse(text), 15_000, 3_600_000, text) == parse(same)


def test_an_expression_without_computed_durations_is_kept():
    expr = parse("rate(a[5m] offset 1m) + max_over_time(b[5m:1m])")
    assert resolve(expr, 1, 1, "") is expr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a[step()]", "2:8: duration must be greater than 0"),
        ("a[1h:step()]", "5:11: duration must be greater than 0"),
        ("a[1m - 2m]", "2:9: duration must be greater than 0"),
        ("a[1m / step()]", "2:13: division by zero"),
        ("a offset (1m % step())", "10:21: modulo by zero"),
        ("a[10 ^ 500]", "2:10: duration is NaN or infinite"),
        ("a offset ((0 - 2) ^ 0.5)", "11:23: duration is NaN or infinite"),
        ("a offset (0 - 10 ^ 10)", "10:21: duration is out of range"),
    ],
)
def test_a_duration_that_none_can_be_is_refused(text, message):
    with pytest.raises(InvalidExpression) as caught:
        resolve(parse(text), 0, 0, text)
    assert str(caught.value) == message
    assert caught.value.reason is ExpressionFault.DURATION
