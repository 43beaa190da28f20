"""`streamgauge query` against a gateway whose samples are in memory."""

import asyncio
import json
from datetime import UTC

import httpx
import pytest
from click.testing import CliRunner
from werkzeug import Response

from streamgauge.cli import main
from streamgauge.config import Config
from streamgauge.gateway.http.app import Gateway, application
from streamgauge.query.command import Asked, run
from tests.gateway.api.test_queries import Shelf
from tests.support.http_server import serving


@pytest.fixture(scope="module")
def url():
    transport = httpx.ASGITransport(application(Gateway(Config(), Shelf())))

    def answer(request):
        async def ask():
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                names = {"accept-encoding": "identity", "content-type": request.headers["content-type"]}
                return await client.post(request.full_path, content=request.get_data(), headers=names)

        found = asyncio.run(ask())
        return Response(found.content, found.status_code)

    with serving(answer) as url:
        yield url


@pytest.fixture
def ask(url, capsys):
    def asked(expression: str, **options: str):
        code = run(Asked(expression, url, **options), lambda: 500.0, UTC)
        out, err = capsys.readouterr()
        return code, [line.rstrip() for line in out.splitlines()], err

    return asked


def test_an_instant_query_is_a_table(ask):
    assert ask("rate(hits_total[1m])") == (0, ["host  value", "a         1", "b         3"], "")
    assert ask('hits_total{host="a"}', at="1970-01-01T00:05:00Z")[1] == [
        "            host  value",
        "hits_total  a       300",
    ]


def test_a_scalar_a_string_and_nothing(ask):
    assert ask("1 + 1")[1] == ["2"]
    assert ask("time()", at="now-100s")[1] == ["400"]
    assert ask('"text"')[1] == ["text"]
    assert ask("nothing") == (0, ["no series"], "")
    assert ask("nothing", start="0")[1] == ["no series"]


def test_samples_of_a_range_selector(ask):
    assert ask('hits_total{host="a"}[15s]')[1] == [
        'hits_total{host="a"}',
        "time                           value",
        "1970-01-01 00:08:10.000+00:00    490",
        "1970-01-01 00:08:20.000+00:00    500",
    ]


def test_a_range_query_is_a_plot(ask):
    code, lines, _ = ask("rate(hits_total[1m]) ", start="100", end="now", step="10s")
    assert code == 0
    assert lines[0].lstrip().startswith("3 ┤⠉⠉⠉")
    assert any("┬" in line and "└" in line for line in lines)
    assert lines[-2:] == ['━━  {host="a"}     1    1    1', '━━  {host="b"}     3    3    3']


def test_machines_get_json_and_csv(ask):
    _, [line], _ = ask("rate(hits_total[1m])", output="json")
    assert json.loads(line)["result"][0] == {"metric": {"host": "a"}, "value": [500, "1"]}
    assert ask('hits_total{host="b"}', start="10", end="20", step="10", output="csv")[1] == [
        "__name__,host,time,value",
        "hits_total,b,10,30",
        "hits_total,b,20,60",
    ]


def test_remarks_go_to_stderr(ask):
    code, out, err = ask("rate(hits[1m]) or quantile(2, hits_total)", output="csv")
    assert code == 0
    assert out == ["time,value", "500,+Inf"]
    assert err.startswith("warning: PromQL warning: quantile value should be between 0 and 1, got 2 (1:28)")


def test_an_error_shows_the_place(ask):
    code, out, err = ask("sum(é +\n  up{)")
    assert (code, out) == (1, [])
    assert err.splitlines()[0].startswith('error: bad_data: invalid parameter "query": 1:5: parse error')
    assert err.splitlines()[1:] == ["  sum(é +", "      ^"]
    assert ask("sum(up")[2].splitlines()[1:] == ["  sum(up", "        ^"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at": "yesterday"}, '"yesterday" is not a time'),
        ({"at": "now", "start": "0"}, "--time is for an instant query"),
        ({"start": "now", "end": "now-1h"}, "the end is before the start"),
        ({"step": "-5"}, '"-5" is not a positive duration'),
        ({"step": "5x"}, 'unknown unit "x"'),
    ],
)
def test_options_that_mean_nothing_are_an_error(ask, options, words):
    code, out, err = ask("up", **options)
    assert (code, out) == (1, [])
    assert words in err


def test_a_server_that_is_not_there_or_is_another_is_an_error(url, capsys):
    assert run(Asked("up", "http://127.0.0.1:1"), lambda: 0.0, UTC) == 1
    assert "does not answer" in capsys.readouterr().err
    assert run(Asked("up", f"{url}/other"), lambda: 0.0, UTC) == 1
    assert "returned HTTP status 404 and no response of Prometheus's API" in capsys.readouterr().err
    assert run(Asked("up", "no url"), lambda: 0.0, UTC) == 1


def test_the_command_line(url):
    result = CliRunner().invoke(
        main, ["query", "rate(hits_total[1m])", "--time", "300", "--csv", "--url", url]
    )
    assert (result.exit_code, result.output) == (0, "host,time,value\na,300,1\nb,300,3\n")
