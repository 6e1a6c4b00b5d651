"""Attacks on the page: each is tried on a real server, and each has a twin that is let through."""

import json
import logging
import socket

import pytest

from jax_al.page.guard import MOST_BYTES, is_host
from jax_al.page.serve import rules
from tests.made_up_desk import MadeUpDesk
from tests.page_server import TOKEN, serving

ANSWER = {
    "page": "page", "row": 3, "said": "cat", "client": "me", "token": "t", "seconds": 1.5,
    "relabel": False,
}  # fmt: skip
READ = (
    "/",
    "/static/page.js",
    "/api/next?client=me&count=1",
    "/api/status",
    "/picture/1?width=320",
)


@pytest.fixture
def desk():
    return MadeUpDesk(20, ["cat", "dog"])


@pytest.fixture
def served(desk):
    with serving(desk) as one:
        yield one


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(served):
    reply = served.ask(served.address.removeprefix(served.origin))
    assert reply.status == 303
    assert reply.headers["Location"] == "/"
    cookie, *rest = reply.headers["Set-Cookie"].split("; ")
    assert {one.lower() for one in rest} == {"httponly", "samesite=strict", "path=/"}
    assert TOKEN not in cookie
    page = served.ask("/", cookie=cookie)
    assert page.status == 200
    assert TOKEN.encode() not in page.body


@pytest.mark.parametrize("path", READ)
def test_nothing_is_shown_without_the_cookie(served, path):
    assert served.ask(path, cookie=served.cookie()).status == 200
    name = served.cookie().partition("=")[0]
    for cookie in (None, "", f"{name}={TOKEN}", f"{name}=", "other=1", "\x7f=;;", f"{name}=ä"):
        assert served.ask(path, cookie=cookie).status == 403, cookie


@pytest.mark.parametrize("query", ["token=", "token=wrong", f"token={TOKEN}x", "Token=wrong"])
def test_no_other_token_is_taken(served, query):
    reply = served.ask(f"/?{query.replace(' ', '%20')}")
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


def test_nothing_is_told_without_the_cookie(served, desk):
    assert served.post("/api/answer", ANSWER, cookie=None).status == 403
    assert desk.calls == []
    assert served.post("/api/answer", ANSWER).status == 200
    assert desk.calls == [(3, "cat")]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.5", "[::2]",
     "localhost@evil.example", "[::1]evil.example", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_another_name_that_points_here_is_refused(served, host):
    assert served.ask("/api/status", cookie=served.cookie(), host=host).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "LocalHost", "[::1]:80", "127.0.0.2"])
def test_this_machine_has_several_names(served, host):
    assert served.ask("/api/status", cookie=served.cookie(), host=host).status == 200


def test_for_others_numeric_addresses_are_hosts_and_names_are_not():
    of_all = rules("0.0.0.0", 80, True, TOKEN)
    assert is_host(of_all, "192.168.1.7:8000")
    assert is_host(of_all, "[fe80::1]:8000")
    assert not is_host(of_all, "192.168.1.7.evil.example")
    assert not is_host(of_all, "evil.example")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "", None])
def test_another_page_cannot_post(served, desk, origin):
    assert served.post("/api/answer", ANSWER, Origin=origin).status == 403
    assert desk.calls == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_cannot_ask(served, site):
    path = "/api/next?client=evil&count=50"
    assert served.get(path, Sec_Fetch_Site=site).status == 403
    assert served.get(path, Origin="http://evil.example").status == 403
    assert served.get(path, Sec_Fetch_Site="same-origin").status == 200
    assert served.get("/", Sec_Fetch_Site=site).status == 200  # a link may lead here


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain",
     "text/plain; application/json", "application/jsonx", "", None],
)  # fmt: skip
def test_a_form_is_not_an_answer(served, desk, kind):
    assert served.post("/api/answer", ANSWER, Content_Type=kind).status == 415
    assert desk.calls == []


def test_a_preflight_is_told_nothing(served):
    reply = served.get("/api/answer", method="OPTIONS", Origin=served.origin)
    assert reply.status == 405
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_there_are_no_other_methods(served, method):
    assert served.get("/api/answer", method=method, Origin=served.origin).status == 405


@pytest.mark.parametrize("length", [MOST_BYTES + 1, 10**11])
def test_a_huge_upload_is_refused_before_it_is_read(served, length):
    reply = served.post("/api/answer", b"", Content_Length=length)
    assert reply.status == 413


def test_an_upload_without_length_is_refused(served, desk):
    reply = served.post("/api/answer", b"", Content_Length=None, Transfer_Encoding="chunked")
    assert reply.status == 411
    assert desk.calls == []


def test_an_upload_in_chunks_is_refused_whatever_length_it_says(served, desk):
    said = json.dumps(ANSWER).encode()
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(said), said)
    reply = served.post("/api/answer", chunk, Content_Length=5, Transfer_Encoding="chunked")
    assert reply.status == 411
    assert desk.calls == []


def test_who_leaves_in_the_middle_is_no_fault(served, desk):
    said, handler = [], logging.Handler()
    handler.emit = said.append
    logging.getLogger("uvicorn.error").addHandler(handler)
    try:
        with socket.create_connection(("127.0.0.1", served.port)) as line:
            head = (
                "POST /api/answer HTTP/1.1", f"Host: 127.0.0.1:{served.port}",
                f"Origin: {served.origin}", "Content-Type: application/json",
                f"Cookie: {served.cookie()}", "Content-Length: 100", "", "{",
            )  # fmt: skip
            line.sendall("\r\n".join(head).encode())
            assert served.get("/api/status").status == 200  # that it has come
        assert served.post("/api/answer", ANSWER).status == 200
    finally:
        served.get("/api/status")
        logging.getLogger("uvicorn.error").removeHandler(handler)
    assert [record.getMessage() for record in said] == []
    assert desk.calls == [(3, "cat")]


def test_what_is_large_and_allowed_is_read(served):
    body = b" " * (MOST_BYTES - 2) + b"{}"
    assert served.post("/api/answer", body).status == 400


@pytest.mark.parametrize(
    "path",
    ["/static/../guard.py", "/static/%2e%2e/guard.py", "/static/..%2fguard.py", "/static/",
     "/static/..%5cguard.py", "/static//etc/passwd", "/static/page.js%00", "/../app.py",
     "/picture/../../../../etc/passwd?width=320", "/picture/photos/003.jpg?width=320",
     "/picture/%2e%2e%2f%2e%2e%2fetc%2fpasswd?width=320", "/picture/-1?width=320",
     "/picture/1e1?width=320", "/picture/?width=320"],
)  # fmt: skip
def test_no_path_leads_out(served, path):
    reply = served.get(path)
    assert reply.status in (400, 404)
    assert b"import" not in reply.body
    assert b"root:" not in reply.body


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/picture/2?width=320", "/nothing"])
def test_every_reply_says_what_a_browser_may_do_with_it(served, path):
    for reply in (served.get(path), served.ask(path), served.get(path, host="evil.example")):
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] in ("no-store", "private, no-cache")
        assert "Server" not in reply.headers
