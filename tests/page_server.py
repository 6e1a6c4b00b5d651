"""The page's server in a thread, and requests of any kind to it, as attackers make them."""

import contextlib
import http.client
import http.server
import json
import threading
from typing import NamedTuple

from jax_al.page.app import make_app
from jax_al.page.serve import address, listening, rules, server

TOKEN = "of-this-test-long-enough"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Served(NamedTuple):
    """A server that runs."""

    port: int
    token: str = TOKEN

    @property
    def address(self):
        return address("127.0.0.1", self.port, self.token)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, *, method="GET", host=None, cookie=None, body=None, **headers):
        """Sends one request as it is said; `_` in the names of headers is `-`."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(line):
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            line.putheader("Host", f"127.0.0.1:{self.port}" if host is None else host)
            if cookie is not None:
                line.putheader("Cookie", cookie)
            if isinstance(body, bytes) and "Content_Length" not in headers:
                headers["Content_Length"] = len(body)
            for name, value in headers.items():
                if value is not None:
                    line.putheader(name.replace("_", "-"), str(value))
            line.endheaders(body)
            reply = line.getresponse()
            return Reply(reply.status, reply.headers, reply.read())

    def cookie(self):
        """What the token is exchanged for."""
        reply = self.ask(f"/?token={self.token}")
        return reply.headers["Set-Cookie"].partition(";")[0]

    def post(self, path, said, **changes):
        """Posts as the page does, but for `changes`."""
        usual = {"cookie": self.cookie(), "Origin": self.origin, "Content_Type": "application/json"}
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return self.ask(path, method="POST", body=body, **(usual | changes))

    def get(self, path, **headers):
        """Asks as the page does."""
        return self.ask(path, cookie=self.cookie(), **headers)


@contextlib.contextmanager
def serving(desk, port=0, name="page"):
    """Serves the page of a desk under a name while the block lasts."""
    with listening("127.0.0.1", port, False) as door:
        port, ready = door.getsockname()[1], threading.Event()
        one = server(make_app(desk, name, rules("127.0.0.1", port, False, TOKEN)), ready.set)
        thread = threading.Thread(target=one.run, args=([door],))
        thread.start()
        try:
            assert ready.wait(20)
            yield Served(port)
        finally:
            one.should_exit = True
            thread.join()


@contextlib.contextmanager
def cutting(port):
    """Begins an answer to whatever is asked at a port, as a process that is killed while it writes.

    Yields the paths that were asked.
    """
    head = (("Content-Type", "application/json"), ("Content-Length", "1000"))
    with _stranger(port, 200, head, b'{"items": [') as asked:
        yield asked


@contextlib.contextmanager
def refusing(port, status):
    """Answers whatever is asked at a port by a page in HTML, as somebody else's server does.

    Yields the paths that were asked.
    """
    page = b"<!doctype html><title>Not here</title>"
    head = (("Content-Type", "text/html"), ("Content-Length", str(len(page))))
    with _stranger(port, status, head, page) as asked:
        yield asked


@contextlib.contextmanager
def _stranger(port, status, head, content):
    asked = set()

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in head:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            asked.add(self.path.partition("?")[0])

        do_POST = do_GET  # noqa: N815 (the names of the library)

        def log_message(self, *said):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Stranger) as door:
        thread = threading.Thread(target=door.serve_forever)
        thread.start()
        try:
            yield asked
        finally:
            door.shutdown()
            thread.join()
