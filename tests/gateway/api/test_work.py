"""What a request costs follows its size: bodies of every endpoint, made of what repeats, nests and unpacks.

A generator puts bodies together, each endpoint answers all of them, and those that cost it most CPU time a byte are
sent again, four times as large. No time is asserted: neither may the time grow faster than the body, nor the memory.
"""

import gc
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote_plus

import cramjam
import httpx
import pytest
import yaml
from werkzeug import Request, Response

from schemas.protobuf import field, varint
from schemas.rule_files import Group, Rule, RuleKind
from streamgauge.config import Config
from streamgauge.config import Gateway as Settings
from streamgauge.gateway.api.endpoints import Endpoint, endpoints
from streamgauge.gateway.api.rules import Rules
from streamgauge.gateway.auth.secrets import new_token, token_hash
from streamgauge.gateway.formats import remote_read_messages
from streamgauge.gateway.http import answering
from streamgauge.gateway.http.app import Gateway
from streamgauge.rules.applied.board import Board
from streamgauge.rules.applied.rule_sets import RuleSets, publication
from tests.support.gateway_client import Client
from tests.support.http_server import json_response, serving
from tests.support.memory_reader import MemoryReader
from tests.support.rules_client import KnownBoard

NOW = 1_763_892_000
TRIED, SMALL, LARGE = 400, 10_000, 40_000
"""Bytes of the bodies that are tried, and of the worst of them."""
SMALL_IN_URL, LARGE_IN_URL = 5_000, 20_000
"""Likewise of what is put into a URL, where a character may take three bytes: no server takes more than 64 KiB."""
SLACK = 2.5
"""Times that what follows the size may vary; what goes with its square takes four times as much."""
TRIES = 3
LEAST_S = 0.03
"""Of CPU; less tells nothing."""
LEAST_BYTES, BYTES_A_BYTE = 8 << 20, 500
"""Of memory, for any body and for each of its bytes: tokens, nodes and matchers are Python's objects."""

ATOMS = [
    "a+",
    "a==bool ",
    "-",
    "(",
    "abs(",
    "sum by (a,b) (",
    "[5m:]",
    " offset 5m",
    'a="b",',
    'a=~".*b",',
    "a,",
    "9",
]
ATOMS += ["1y", " ", "#\n", r"\\u00e9", "$1", "(a)", '"a",', "\x00", "\ud7ff", "{", "}", "[", "1^", "a or "]
REGEXES = [
    "a?",
    r"\\pL",
    "[^a]{0,9}",
    "(|a)",
    ".*",
    "a{1,3}",
    "((a{9}){9})",
    "x|",
    "(?i)k",
    r"[\\pL",
    r"\\p{",
    "(a*)*",
]
FRAMES = [
    "{0}",
    "x{0}",
    "{0}1",
    "x{{{0}}}",
    "sum by ({0}) (x)",
    "x[{0}]",
    'label_replace(x,"a","{0}","b","(.*)")',
]
FRAMES += ['label_join(x,"a","-",{0}"b")']
FORM = "application/x-www-form-urlencoded"
URL = ""
"""In place of a kind of body: what is sent stands in the URL."""
VALUES = ["9", "a", "-", "(", "1h", "[", '"', "é", "U__5f_", "9.", "1e", ":", "\\", "a,", "\0", '{a="b"}']
MANY = ["a", "9", "é"]
NEEDED = {"query": "x", "start": f"{NOW}", "end": f"{NOW}", "step": "60", "match[]": "x"}
FORMS = ["a&", "a=b&", "%41", "=&", "match[]=up&", "query=a&", "+"]


class Body(NamedTuple):
    """A body that can have any size: what repeats, in its frame. how: what makes the bytes of it."""

    frame: str
    atom: str
    how: str

    def of(self, size: int) -> bytes:
        text = self.frame.format(self.atom * (size // len(self.atom)))
        match self.how:
            case "form":
                return text.encode()
            case "query":
                return b"start=%d&end=%d&step=60&query=" % (NOW, NOW) + quote_plus(text).encode()
            case "selector":
                return b"match[]=" + quote_plus(text).encode()
            case _:
                return b"&".join(
                    b"match[]=" + quote_plus(f'x{{a=~"{number}{self.atom}"}}').encode()
                    for number in range(size // (len(self.atom) + 30))
                )


class Values(NamedTuple):
    """The parameters of a URL, of which one has a value that repeats, or many values. beside: the others."""

    name: str
    atom: str
    is_one: bool
    beside: tuple[str, ...]

    def of(self, size: int) -> bytes:
        parts = [f"{name}={quote_plus(NEEDED[name])}" for name in self.beside]
        atom = quote_plus(self.atom)
        if self.is_one:
            parts.append(f"{self.name}={atom * (size // len(atom))}")
        else:
            count = size // (len(self.name) + len(atom) + 6)
            parts += [f"{self.name}={atom}{number}" for number in range(count)]
        return "&".join(parts).encode()


def values(endpoint: Endpoint, name: str) -> Iterator[Values]:
    beside = tuple(one.name for one in endpoint.parameters if one.is_needed and one.name != name)
    yield from (Values(name, atom, True, beside) for atom in VALUES)
    yield from (Values(name, atom, False, beside) for atom in MANY)


def expressions() -> Iterator[Body]:
    for frame in FRAMES:
        for atom in ATOMS:
            yield Body(frame, atom, "query")
    for regex in REGEXES:
        yield Body('x{{a=~"{0}"}}', regex, "query")
        yield Body('label_replace(x,"a","$1","b","{0}")', regex, "query")
        yield Body("x{{{0}}}", f'a=~"{regex * 5}",', "query")


def selectors() -> Iterator[Body]:
    for atom in ATOMS:
        yield Body("x{{{0}}}", atom, "selector")
    for regex in REGEXES:
        yield Body('x{{a=~"{0}"}}', regex, "selector")
        yield Body("", regex * 5, "selectors")


def forms() -> Iterator[Body]:
    return (Body("{0}", atom, "form") for atom in FORMS)


def parts() -> Iterator[Body]:
    end, named = "\r\n--X--\r\n", 'Content-Disposition: form-data; name="match[]"'
    frames = {
        f"--X\r\n{named}\r\n\r\n{{0}}{end}": [
            "a",
            "\r\n",
            "--X",
            "Content-Type: multipart/mixed; boundary=X\r\n",
        ],
        f"--X\r\n{named}{{0}}\r\n\r\nup{end}": [";", ";a=b", '"', ';a="', "\\", " "],
        f"--X\r\n{{0}}\r\n{named}\r\n\r\nup{end}": ["a: b\r\n", "\r\n ", ":", "content-disposition:"],
        f"{{0}}{end}": ["--X\r\n", "--X", f"\r\n--X\r\n{named}\r\n\r\nup", "\r\n"],
    }
    return (Body(frame, atom, "form") for frame, atoms in frames.items() for atom in atoms)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users.yml"
    token = new_token()
    entry = {"tokens": [token_hash(token)], "match": '{a=~".+"}'}
    users.write_text(yaml.safe_dump({"users": {"some": entry}}))
    samples = [(NOW * 1000 - 15_000 * step, float(step)) for step in range(5)]
    series = [({"__name__": "x", "a": f"{number}" * 50, "b": "a" * 20}, samples) for number in range(4)]
    with serving(_collector) as url:
        settings = Settings(users_file=users, collectors=(url,))
        made = Gateway(Config(gateway=settings), MemoryReader(series))
        made.rules = Rules(KnownBoard(_board()), lambda: NOW * 1000, 0)
        yield made, Client(made, headers={"authorization": f"Bearer {token}"})


def _collector(request: Request) -> Response:
    """Answer as a collector without targets, and with metadata of one metric."""
    entry = {"type": "gauge", "help": "h", "unit": ""}
    found = {"x": [entry]} if "metadata" in request.path else {"activeTargets": [], "droppedTargets": []}
    if "targets/metadata" in request.path:
        found = [{"target": {"job": "x"}, "metric": "x", **entry}]
    return json_response({"status": "success", "data": found})


def _board() -> Board:
    """Of a few rules."""
    rules = [Rule(RuleKind.ALERT, f"r{number}", "x > 0", {"a": "b" * 20}) for number in range(4)]
    board = Board()
    for message in publication(RuleSets(), {"file": [Group("g", rules)]}, 0).messages:
        board.take_rules(message)
    return board


def _sent(client: Client, path: str, body: bytes, kind: str) -> httpx.Response:
    if kind == URL:
        return client.get(f"{path}?{body.decode()}")
    return client.request("POST", path, content=body, headers={"content-type": kind})


def _cost(client: Client, path: str, body: bytes, kind: str) -> float:
    # a full collection of all that other tests have left takes longer than any body here
    gc.disable()
    try:
        begun = time.process_time()
        found = _sent(client, path, body, kind)
        took = time.process_time() - begun
    finally:
        gc.enable()
    assert found.status_code < 500, (found.text[:500], body[:200])
    return took


def _check(client: Client, path: str, bodies: Iterator[Body | Values], kind: str = FORM) -> None:
    costs = {body: _cost(client, path, made, kind) / len(made) for body in bodies if (made := body.of(TRIED))}
    worst = max(costs, key=costs.__getitem__)
    _check_growth(client, path, worst, kind)
    large = worst.of(LARGE_IN_URL if kind == URL else LARGE)
    tracemalloc.start()
    _cost(client, path, large, kind)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LEAST_BYTES + BYTES_A_BYTE * len(large), worst


def _check_growth(client: Client, path: str, body: Body | Values, kind: str = FORM) -> None:
    sizes = (SMALL_IN_URL, LARGE_IN_URL) if kind == URL else (SMALL, LARGE)
    small, large = (body.of(size) for size in sizes)

    def grows_faster() -> bool:
        expected = max(LEAST_S, _cost(client, path, small, kind)) * len(large) / len(small)
        return _cost(client, path, large, kind) >= SLACK * expected

    # what really does is as slow each time; a busy machine is not
    assert not all(grows_faster() for _ in range(TRIES)), body


def test_the_work_of_an_expression_follows_its_length(gateway):
    made, client = gateway
    _check(client, "/api/v1/query_range", expressions())
    # what else takes expressions does less with them, or the same
    for each in endpoints(made):
        if each.takes_forms and any(one.name == "query" for one in each.parameters):
            _check_growth(client, each.path, Body("x{{{0}}}", 'a="b",', "query"))


def test_the_work_of_a_number_follows_its_length(gateway):
    for name in ("time", "timeout", "lookback_delta"):
        for frame in ("{0}s", "1e{0}x", "0.{0}."):
            _check_growth(gateway[1], "/api/v1/query", Body(f"query=x&{name}={frame}", "9", "form"))


@pytest.mark.parametrize("path", ["/api/v1/series", "/api/v1/labels", "/api/v1/label/a/values"])
def test_the_work_of_selectors_follows_their_length(gateway, path):
    _check(gateway[1], path, iter([*selectors(), *forms()] if path.endswith("series") else [*forms()]))


def test_the_work_of_forms_in_parts_follows_their_length(gateway):
    _check(gateway[1], "/api/v1/series", parts(), "multipart/form-data; boundary=X")


@pytest.mark.parametrize("path", ["/federate", "/api/v1/rules"])
def test_the_work_of_selectors_in_a_url_follows_their_length(gateway, path):
    _check(gateway[1], path, iter([*selectors(), *forms()]), URL)


def test_the_work_of_every_parameter_of_a_url_follows_its_length(gateway):
    made, client = gateway
    for each in endpoints(made):
        for parameter in each.parameters:
            _check(client, each.path.replace("{name}", "a"), values(each, parameter.name), URL)


def test_the_work_of_a_label_name_in_a_url_follows_its_length(gateway):
    def asked(atom, size):
        return f"/api/v1/label/{quote_plus(atom) * (size // len(quote_plus(atom)))}/values"

    for atom in ("a", "é", "U__5f_", "U__", "_"):
        small, large = (
            min(_cost(gateway[1], asked(atom, size), b"", URL) for _ in range(TRIES))
            for size in (SMALL, LARGE)
        )
        assert large < SLACK * max(LEAST_S, small) * LARGE / SMALL, atom


class Message(NamedTuple):
    """A body of remote read: a message that repeats, packed."""

    name: str
    part: bytes

    def of(self, size: int) -> bytes:
        return bytes(cramjam.snappy.compress_raw(self.part * (size * 20 // len(self.part))))


def test_the_work_of_a_remote_read_follows_its_size(gateway):
    def matcher(op: int, value: bytes) -> bytes:
        return field(3, b"\x08" + varint(op) + field(2, b"a") + field(3, value))

    parts = {
        "queries": field(1, b""),
        "matchers": field(1, matcher(0, b"b") * 100),
        "regexes": field(1, matcher(2, rb"\pL" * 13) * 30),
        "optional": field(1, matcher(2, b"a?" * 900)),
        "hints": field(1, field(4, b"\x08\x01" * 100)),
        "unknown": field(9, b""),
        "kinds": field(2, b"\x00" * 1000),
        "unpacked": b"\x10\x00",
    }
    bodies = iter([Message(name, part) for name, part in parts.items()])
    _check(gateway[1], "/api/v1/read", bodies, "application/x-protobuf")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (field(1, b"") * 500_000, "more than 100 queries in a request"),
        (field(1, field(3, field(2, b"a")) * 2000), "more than 1,000 matchers in a request"),
        (field(9, b"") * 30_000, "more than 20,000 fields in a request"),
        (field(2, b"\x00" * 300_000), "more than 20,000 fields in a request"),
        (bytes(2 << 20), "snappy: decoded length 2097152 exceeds limit 1048576"),
    ],
)
def test_a_remote_read_is_counted_before_it_is_made(gateway, content, error):
    tracemalloc.start()
    body = bytes(cramjam.snappy.compress_raw(content))
    before, _ = tracemalloc.get_traced_memory()
    found = gateway[1].request("POST", "/api/v1/read", content=body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.status_code, found.text.strip()) == (400, error)
    assert peak - before < 8 << 20


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"a&" * 5000, "error parsing form values: more than 4,096 parameters"),
        (
            b"&".join(b"match[]=a%d" % number for number in range(1001)),
            'invalid parameter "match[]": 1,001 different values, at most 1,000 are allowed',
        ),
        (
            b"&".join(b"match[]=" + b"a" * 10_000 + b"%d" % number for number in range(7)),
            'invalid parameter "match[]": more than 65,536 characters in all values together',
        ),
        (
            b"&".join(
                quote_plus(f'x{{a=~"\\\\pL{{13}}{number}"}}').join(["match[]=", ""]).encode()
                for number in range(9)
            ),
            "expression too large, together with the regexes before it",
        ),
    ],
)
def test_a_form_that_asks_for_too_much_is_refused(gateway, body, error):
    found = gateway[1].request("POST", "/api/v1/series", content=body, headers={"content-type": FORM})
    assert found.status_code == 400
    assert error in found.json()["error"]


@pytest.mark.parametrize("name", ["step", "timeout", "time", "start", "limit", "lookback_delta"])
@pytest.mark.parametrize("value", ["9" * 6000, "9" * 6000 + "s", "1e" + "9" * 6000, "-" * 6000, "٣"])
def test_numbers_of_any_length_are_refused(gateway, name, value):
    parameters = {"query": "x", "start": NOW, "end": NOW, "step": 1} | {name: value}
    for path in ("query", "query_range"):
        assert gateway[1].get(f"/api/v1/{path}", params=parameters).status_code in (200, 400)


def test_labels_that_queries_make_are_bounded(gateway):
    nested = "x"
    for _ in range(60):
        nested = f'label_replace({nested},"a","$1$1","a","(.*)")'
    long = f'label_replace(x,"a","{"$1" * 30_000}","a","(.*)")'
    joined = "label_join(x,'c','-'" + ",'a'" * 10_000 + ")"
    for query in (nested, long, joined):
        found = gateway[1].request("POST", "/api/v1/query", data={"query": query, "time": NOW})
        assert (found.status_code, found.json()["errorType"]) == (422, "execution"), found.text[:300]
        assert "label value of more than 65,536 characters in label_" in found.json()["error"]


def test_numbers_in_labels_may_have_thousands_of_digits(gateway):
    made = f'label_replace(x,"c","{"9" * 6000}$1","a","(.*)")'
    found = gateway[1].request(
        "POST", "/api/v1/query", data={"query": f'sort_by_label({made},"c")', "time": NOW}
    )
    assert [one["metric"]["a"][0] for one in found.json()["data"]["result"]] == ["0", "1", "2", "3"]
    made = f'label_replace(x,"c","a${"9" * 6000}","a","(.*)")'
    found = gateway[1].request("POST", "/api/v1/query", data={"query": made, "time": NOW})
    assert {one["metric"]["c"] for one in found.json()["data"]["result"]} == {"a"}


def test_what_is_large_is_never_read_on_the_event_loop(gateway, monkeypatch):
    threads = []

    def noted(function):
        def run(*given, **named):
            threads.append(threading.get_ident())
            return function(*given, **named)

        return run

    monkeypatch.setattr(answering, "Form", noted(answering.Form))
    monkeypatch.setattr(answering, "enforced", noted(answering.enforced))
    monkeypatch.setattr(remote_read_messages, "queries", noted(remote_read_messages.queries))
    headers = {"content-type": FORM}
    anybody = Client(Gateway(Config(), MemoryReader([({"__name__": "x"}, [(NOW * 1000, 1.0)])])))
    anybody.request("POST", "/api/v1/series", content=b"match[]=x&" * 400, headers=headers)
    # one who sees some series only, whose parameters are parsed however short they are
    gateway[1].get("/api/v1/series", params={"match[]": "x"})
    gateway[1].request("POST", "/api/v1/read", content=bytes(cramjam.snappy.compress_raw(field(1, b""))))
    # the loop of a request runs in the thread that asks
    assert len(threads) == 5
    assert threading.get_ident() not in threads
