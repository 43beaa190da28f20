"""An HTTP server of a test's own, which stands for one that is asked."""

import contextlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]):
    """Its URL, as long as it serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
