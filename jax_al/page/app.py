"""What the page asks of its server: JSON in, JSON out, pictures by row."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jax_al.errors import UsageError
from jax_al.page.guard import Guard, Rules
from jax_al.people.desk import ConflictError, Desk

STATIC = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# What a picture may be: nothing that could run as a page.
SHOWN = ("image/jpeg", "image/png", "image/webp", "text/plain")
MOST_ITEMS = 50  # handed out at once


def make_app(desk: Desk, name: str, rules: Rules) -> Guard:
    """Returns the application: the page, what it asks, and the guard before both.

    Every error that the person can mend is `{"error": sentence}` with status 400, what somebody
    else said otherwise 409, what the disk would not take 503; the page sends the last again. What
    is posted names its page, as rows are rows of one project: another project may be served at the
    port by now, and a tab that is still open then keeps what it has (403).

    Args:
      desk: whom the questions are handed on to.
      name: of the page, under which a browser keeps what it could not send.
      rules: who may ask.
    """
    routes = _Routes(desk, name)
    app = Starlette(
        routes=[
            Route("/", routes.page),
            Route("/static/{name}", routes.static),
            Route("/picture/{row}", routes.picture),
            Route("/api/next", routes.next),
            Route("/api/past", routes.past),
            Route("/api/alike", routes.alike),
            Route("/api/status", routes.status),
            Route("/api/answer", routes.answer, methods=["POST"]),
            Route("/api/undo", routes.undo, methods=["POST"]),
            Route("/api/class", routes.change_class, methods=["POST"]),
        ],
        exception_handlers={
            UsageError: _mistake,
            ConflictError: _conflict,
            OSError: _failed,
            ClientDisconnect: _left,
            _OtherPageError: _elsewhere,
        },
    )
    return Guard(app, rules)


class _OtherPageError(Exception):
    """What was posted is for the page of another project."""


class _Routes:
    """The answers. What takes a while, or a disk, is done in a thread."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk, self._name = desk, name
        self._files = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir())}

    async def page(self, request: Request) -> Response:
        return _kept(request, self._files["page.html"], TYPES[".html"])

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return JSONResponse({"error": "There is no such file."}, 404)
        return _kept(request, self._files[name], TYPES[Path(name).suffix])

    async def picture(self, request: Request) -> Response:
        row = _whole("row", request.path_params["row"])
        width = _number(request, "width")
        content, media_type = await run_in_threadpool(self._desk.picture, row, width)
        if media_type not in SHOWN:
            raise RuntimeError(f"row {row} is {media_type}, which is not shown")
        return _kept(request, content, media_type)

    async def next(self, request: Request) -> Response:
        count = min(_number(request, "count"), MOST_ITEMS)
        holding = _rows(request.query_params.get("holding", ""))
        client = request.query_params.get("client", "")
        items = await run_in_threadpool(self._desk.next, client, count, holding)
        return JSONResponse({"items": [item._asdict() for item in items]})

    async def past(self, request: Request) -> Response:
        count = min(_number(request, "count"), MOST_ITEMS)
        client = request.query_params.get("client", "")
        items = await run_in_threadpool(self._desk.past, client, count)
        return JSONResponse({"items": [item._asdict() for item in items]})

    async def alike(self, request: Request) -> Response:
        count = min(_number(request, "count"), MOST_ITEMS)
        client, row = request.query_params.get("client", ""), _number(request, "row")
        items = await run_in_threadpool(self._desk.alike, client, row, count)
        return JSONResponse({"items": [item._asdict() for item in items]})

    async def status(self, request: Request) -> Response:
        del request
        return JSONResponse(await run_in_threadpool(self._status))

    def _status(self) -> dict[str, Any]:
        return {**self._desk.status(), "classes": self._desk.classes(), "page": self._name}

    async def answer(self, request: Request) -> Response:
        said = await self._posted(
            request, row=int, said=str, client=str, token=str, seconds=float, relabel=bool
        )
        await run_in_threadpool(self._desk.answer, **said)
        return JSONResponse({"saved": True})

    async def undo(self, request: Request) -> Response:
        what = await self._posted(request, client=str, token=str, of=str)
        item = await run_in_threadpool(self._desk.undo, **what)
        return JSONResponse({"item": None if item is None else item._asdict()})

    async def change_class(self, request: Request) -> Response:
        change = await self._posted(request, do=str, name=str, other=str)
        await run_in_threadpool(self._change_class, change)
        return JSONResponse(await run_in_threadpool(self._status))

    async def _posted(self, request: Request, **fields: type) -> dict[str, Any]:
        """Returns the fields that were posted, but for `page`, which must be this one."""
        body = await _body(request, page=str, **fields)
        if body.pop("page") != self._name:
            raise _OtherPageError
        return body

    def _change_class(self, change: Mapping[str, str]) -> None:
        name, other = change["name"], change["other"]
        match change["do"]:
            case "add":
                self._desk.add_class(name)
            case "rename":
                self._desk.rename_class(name, other)
            case "merge":
                self._desk.merge_class(name, other)
            case unknown:
                raise UsageError(f"A class can be added, renamed, merged, and not {unknown!r}.")


def _kept(request: Request, content: bytes, media_type: str) -> Response:
    """Returns `content`, or that the browser has it: it asks each time, as files change."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


async def _body(request: Request, **fields: type) -> dict[str, Any]:
    """Returns the fields that were posted, each of its type and no other field."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        raise UsageError("What was posted is not JSON.") from None
    if not isinstance(body, dict) or body.keys() != fields.keys():
        raise UsageError(f"What is posted must have the fields {', '.join(fields)}.")
    for name, kind in fields.items():
        if kind is float and type(body[name]) is int and abs(body[name]) < 1 << 53:
            body[name] = float(body[name])
        if type(body[name]) is not kind or (kind is float and not math.isfinite(body[name])):
            raise UsageError(f"{name} must be of the type {kind.__name__}.")
    return body


def _number(request: Request, name: str) -> int:
    """Returns a number >= 0 of the query."""
    return _whole(name, request.query_params.get(name, ""))


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise UsageError(f"{name} must be a whole number, and not {text[:20]!r}.")
    return int(text)


def _rows(text: str) -> list[int]:
    """Returns rows with commas between them."""
    return [_whole("holding", part) for part in text.split(",")] if text else []


async def _mistake(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 400)


async def _conflict(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 409)


async def _elsewhere(request: Request, error: Exception) -> Response:
    del request, error
    return JSONResponse({"error": "Another project is served here now: load the page again."}, 403)


async def _left(request: Request, error: Exception) -> Response:
    """Answers nobody: who was sending is not there any more, which is no fault of this side."""
    del request, error
    return Response(status_code=400)


async def _failed(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": f"It could not be done: {error}."}, 503)
