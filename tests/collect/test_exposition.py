import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.collect.scraping.exposition import (
    MAX_LINE_CHARACTERS,
    ExpositionFault,
    InvalidExposition,
    lines,
    series_labels,
)

PAGE = rb"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
rpc_duration_seconds{quantile="0.01",} 3102
spaced { a = "}" , b="," } 0x1p-2
tight{a="b"}1
no_type NaN
"""


def test_the_page_of_the_format_description_is_read():
    read = [(series_labels(line.series), line.value, line.timestamp) for line in lines(PAGE)]
    assert read[0] == (
        {"__name__": "http_requests_total", "method": "post", "code": "200"},
        1027.0,
        1395066363000,
    )
    assert read[2][0]["path"] == "C:\\DIR\\FILE.TXT"
    assert read[2][0]["error"] == 'Cannot find file:\n"FILE.TXT"'
    assert read[3] == ({"__name__": "metric_without_timestamp_and_labels"}, 12.47, None)
    assert read[4][1:] == (math.inf, -3982045)
    assert read[6] == ({"__name__": "spaced", "a": "}", "b": ","}, 0.25, None)
    assert read[7] == ({"__name__": "tight", "a": "b"}, 1.0, None)


def test_every_nan_becomes_the_one_that_prometheus_keeps():
    values = np.array([line.value for line in lines(b"a NaN\nb nan\nc -NaN\n")])
    assert set(values.view(np.uint64).tolist()) == {0x7FF8000000000001}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a", ExpositionFault.BAD_LINE),
        (b"1a 2", ExpositionFault.BAD_LINE),
        (b"a 1 2 3", ExpositionFault.BAD_LINE),
        (b'a{b="' + b"x" * MAX_LINE_CHARACTERS + b'"} 1', ExpositionFault.BAD_LINE),
        (b"a 1 1.5", ExpositionFault.BAD_LINE),
        (b'a{b="c" 1', ExpositionFault.BAD_LINE),
        (b"a-b 1", ExpositionFault.BAD_LINE),
        (b"a 1_000", ExpositionFault.BAD_VALUE),
        (b"a one", ExpositionFault.BAD_VALUE),
        (b"a 0x1p99999", ExpositionFault.BAD_VALUE),
        (b"a 1 9223372036854775808", ExpositionFault.BAD_VALUE),
        (b"a 1 -9999999999999999999", ExpositionFault.BAD_VALUE),
        (b"a \xff", ExpositionFault.NOT_UTF8),
    ],
)
def test_a_line_that_is_not_in_the_format_is_named(line, reason):
    with pytest.raises(InvalidExposition) as caught:
        list(lines(b"good 1\n" + line + b"\n"))
    assert caught.value.reason is reason


@pytest.mark.parametrize("series", ["a{b}", 'a{b="c" d="e"}', 'a{b="c",b="d"}', 'a{1="c"}', "a{,}"])
def test_labels_that_are_not_in_the_format_are_refused(series):
    with pytest.raises(InvalidExposition) as caught:
        series_labels(series)
    assert caught.value.reason is ExpositionFault.BAD_LABELS


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.text(), max_size=4), st.floats())
def test_labels_come_back_as_they_were_escaped(labels, value):
    labels.pop("__name__", None)
    escaped = ",".join(
        '{}="{}"'.format(name, text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, text in labels.items()
    )
    (line,) = lines(f"m{{{escaped}}} {value!r}\n".encode())
    assert series_labels(line.series) == {"__name__": "m", **labels}
    assert line.value == value or math.isnan(value)
