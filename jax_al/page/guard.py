"""Who may talk to the page: the browser that was given the address, and no other page or machine.

Each request passes `refusal` before anything looks at it. The attacks that it is there for:

- a page elsewhere that sends forms or fetches here (`Origin`, `Sec-Fetch-Site`, JSON only, and a
  cookie that is SameSite=Strict);
- a name elsewhere that is made to point here, DNS rebinding (`Host`: an address or a name of this
  machine, of which neither can be made to point anywhere);
- somebody else on this machine or network (the token, which the cookie stands for);
- more than anybody needs to say (`MOST_BYTES`).

What is shown comes from file and class names, so no script runs that is not a file of this server
(`Content-Security-Policy`), whatever a name holds.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1 << 16  # of what is posted; an answer has about 200
READING, WRITING = ("GET", "HEAD"), ("POST",)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A browser that comes by a link on another site keeps the new cookie to itself until the next
# click: hence a link.
NO_TOKEN = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>jax_al</title>
<p>Open the address that jax-al printed when it started: it holds the token that lets you in.</p>
<p>You did? <a href="/">Go on to the page</a>.</p>
</html>
"""


class Rules(NamedTuple):
    """What is asked of a request."""

    token: str  # of the start address
    cookie: str  # its name; one a port, as browsers send cookies to every port of a host
    hosts: frozenset[str]  # names, lower case, without port
    any_address: bool  # whether each numeric address is a host, too: other machines may come


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    sentence: str


class Guard:
    """The application `app`, but only for requests that `rules` let through.

    Args:
      app: what answers them.
      rules: what is asked of them.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request of HTTP; there is nothing else."""
        assert scope["type"] == "http"
        await self._answer(scope)(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> ASGIApp:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        query = QueryParams(scope["query_string"])
        if refused := refusal(self._rules, method, path, headers):
            return _said(refused)
        if path == "/" and "token" in query:
            if not _same(query["token"], self._rules.token):
                return _said(Refusal(403, "The token is of an earlier start: take the new one."))
            return _let_in(self._rules)
        if not is_let_in(self._rules, headers):
            if path == "/":
                return Response(NO_TOKEN, 403, media_type="text/html")
            return _said(Refusal(403, "Open the address that jax-al printed when it started."))
        return self._app


def refusal(rules: Rules, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
    """Returns why a request cannot be from this page, whoever sent it; None: it can.

    Args:
      rules: what is asked.
      method: of the request.
      path: likewise, without the query.
      headers: likewise; names in lower case, or of any case where `headers` does not care.
    """
    host = headers.get("host", "")
    if not is_host(rules, host):
        return Refusal(403, f"This is not {host[:100]!r}: open the address that jax-al printed.")
    origin = headers.get("origin")
    if origin not in (None, f"http://{host}", f"https://{host}"):
        return Refusal(403, "Another page may not ask here.")
    if path != "/" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return Refusal(403, "Another page may not ask here.")
    if method in READING:
        return None
    if method not in WRITING:
        return Refusal(405, f"{method} is not for this page.")
    if origin is None:
        return Refusal(403, "What is posted must say from which page: it lacks an Origin.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Refusal(415, "What is posted must be application/json.")
    length = headers.get("content-length", "")
    # Where a body comes in chunks, its Content-Length says nothing.
    if not (length.isascii() and length.isdecimal()) or "transfer-encoding" in headers:
        return Refusal(411, "What is posted must say its Content-Length.")
    if int(length) > MOST_BYTES:
        return Refusal(413, f"What is posted must have {MOST_BYTES:,} bytes at most.")
    return None


def is_host(rules: Rules, host: str) -> bool:
    """Returns whether a Host header, with a port or without, names this server.

    The port says nothing: through a tunnel it is another one.
    """
    name = host.lower()
    if bracketed := re.fullmatch(r"\[([^]]*)\](:\d*)?", name):
        name = bracketed[1]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name in rules.hosts:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return rules.any_address or address.is_loopback


def is_let_in(rules: Rules, headers: Mapping[str, str]) -> bool:
    """Returns whether a request has the cookie that the token was exchanged for."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    return rules.cookie in cookies and _same(cookies[rules.cookie].value, _worth(rules.token))


def _let_in(rules: Rules) -> Response:
    """Exchanges the token for the cookie; the address without it takes the place of the other."""
    answer = RedirectResponse("/", 303)
    answer.set_cookie(rules.cookie, _worth(rules.token), path="/", httponly=True, samesite="strict")
    return answer


def _worth(token: str) -> str:
    """Returns the value of the cookie: who reads it does not know the token."""
    return hmac.new(token.encode(), b"jax_al page", hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _said(refused: Refusal) -> Response:
    return JSONResponse({"error": refused.sentence}, refused.status)


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
