"""A real HTTP server inside a test, in place of one that the code under test calls."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ANY_PATH = re.compile("")


class _Server(HTTPServer):
    def thread_target(self) -> None:
        # stop() waits for one poll, by default half a second
        self.server.serve_forever(poll_interval=0.01)


@contextlib.contextmanager
def serving(answer: Callable[[Request], Response]) -> Iterator[str]:
    """Answer every request with `answer`, many at a time; yields the URL, without a slash at its end.

    Raises at the end what `answer` raised.
    """
    server = _Server("127.0.0.1", threaded=True)
    server.expect_request(ANY_PATH).respond_with_handler(answer)
    with server:
        yield server.url_for("").removesuffix("/")
    server.check_handler_errors()


def json_response(content: object) -> Response:
    """Return 200 with a JSON body."""
    return Response(json.dumps(content), content_type="application/json")
