"""What the dashboard answers: the page, the events, the curves, and commands.

    GET  /<token>/                          the page, and its files beside it
    GET  /<token>/events                    server-sent events: summaries of runs that have changed
    GET  /<token>/runs/<name>/curves?axis=  thinned-out curves
    GET  /<token>/runs/<name>/leaderboard   of a search: the best and the worst
    POST /<token>/runs/<name>/commands      stop, drop or add

Who may ask: whoever has the token. It is compared in constant time. A page of another origin that
somebody has open in the same browser does not have it; besides, its requests are told by their
Origin, and those that reach us under a name of its own (DNS rebinding) by their Host.
"""

import asyncio
import hmac
import json
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .._journal import command
from ._curves import AXES, curves_of

_SECONDS = 0.5  # between two looks at the journals
_SILENCE = 15.0  # seconds after which the stream of events says that it lives
_MOST_BYTES = 64 << 10  # of a command
_SHOWN = 5  # best and worst candidates
_TYPES = {
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    "": "text/plain",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Lets through what comes with the token, to this host, and from no page of another.

    Parameters
    ----------
    app : ASGI application
        Is asked without the token in the path.
    token : str
    port : callable
        Returns the port of the server.
    """

    def __init__(self, app, token, port):
        self._app = app
        self._token = token.encode()
        self._port = port

    async def __call__(self, scope, receive, send):
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token, _, path = scope["path"].removeprefix("/").partition("/")
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        hosts = {f"{host}:{self._port()}" for host in ("127.0.0.1", "localhost")}
        origin = headers.get(b"origin")
        if headers.get(b"host") not in hosts or (
            origin is not None and urlsplit(origin)[:2] not in {("http", host) for host in hosts}
        ):
            answer = PlainTextResponse("not for other hosts or origins", 403, _HEADERS)
        elif not hmac.compare_digest(token.encode(), self._token):
            answer = PlainTextResponse("the token is missing or wrong", 403, _HEADERS)
        else:
            inner = f"/{path}"
            answer = self._app
            scope = scope | {"path": inner, "raw_path": inner.encode()}
        await answer(scope, receive, send)


def make_app(records, is_closing):
    """Return the application, without its guard.

    Parameters
    ----------
    records : Records
    is_closing : callable
        Whether the server is about to end.
    """

    def page(request):
        name = request.path_params.get("file") or "index.html"
        here = {entry.name: entry for entry in files(__package__).joinpath("static").iterdir()}
        if name not in here:
            return PlainTextResponse("there is no such file", 404, _HEADERS)
        kind = _TYPES.get(name[name.rfind(".") :], "text/plain")
        return Response(here[name].read_bytes(), headers=_HEADERS, media_type=kind)

    async def events(request):
        async def stream():
            known, names, silence = {}, None, 0.0
            while not is_closing():
                await run_in_threadpool(records.refresh)
                changed, now = records.summaries(known)
                if changed or now != names:
                    gone = sorted(set(names or ()) - set(now))
                    names, silence = now, 0.0
                    yield f"data: {_json({'runs': changed, 'gone': gone})}\n\n"
                elif silence > _SILENCE:
                    silence = 0.0
                    yield ": alive\n\n"
                silence += _SECONDS
                await asyncio.sleep(_SECONDS)

        return StreamingResponse(stream(), headers=_HEADERS, media_type="text/event-stream")

    def curves(request):
        record = records.get(request.path_params["name"])
        axis = request.query_params.get("axis", "seconds")
        if record is None or axis not in AXES:
            return _refuse(404, "there is no such run, or no such axis")
        parts = records.parts(record.name) if record.kind == "search" else ()
        return _answer(curves_of(record, axis, parts))

    def leaderboard(request):
        record = records.get(request.path_params["name"])
        if record is None:
            return _refuse(404, "there is no such run")
        rows = record.leaderboard()
        best, rest = rows[:_SHOWN], rows[_SHOWN:]
        return _answer({"n": len(rows), "best": best, "worst": rest[-_SHOWN:]})

    async def commands(request):
        record = records.get(request.path_params["name"])
        if record is None:
            return _refuse(404, "there is no such run")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return _refuse(413, "the command is too long")
        try:
            wanted = _check(json.loads(body), record)
        except ValueError as error:
            return _refuse(400, str(error))
        if record.status != "running":
            return _refuse(409, f"it does not run any more: {record.status}")
        command(records.folder, record.name, **wanted)
        return _answer({}, 202)

    return Starlette(
        routes=[
            Route("/events", events),
            Route("/runs/{name}/curves", curves),
            Route("/runs/{name}/leaderboard", leaderboard),
            Route("/runs/{name}/commands", commands, methods=["POST"]),
            Route("/", page),
            Route("/{file}", page),
        ]
    )


def _check(wanted, record):
    """Return a command for a run; raise ValueError if it is none."""
    what = wanted.get("command") if isinstance(wanted, dict) else None
    if what == "stop":
        return {"command": "stop"}
    if record.kind != "search":
        raise ValueError(f"a {record.kind or 'run'} can only be stopped")
    if what == "drop":
        candidates = wanted.get("candidates")
        known = range(len(record.candidates))
        if not isinstance(candidates, list) or any(
            type(number) is not int or number not in known for number in candidates
        ):
            raise ValueError("candidates must be a list of their numbers")
        return {"command": "drop", "candidates": candidates}
    if what == "add":
        grid = wanted.get("param_grid")
        good = isinstance(grid, dict) and grid and all(isinstance(v, list) for v in grid.values())
        if not good:
            raise ValueError('param_grid must be an object of lists, such as {"C": [0.1, 1]}')
        return {"command": "add", "param_grid": grid}
    raise ValueError("command must be stop, drop or add")


def _json(value):
    """Return JSON that JavaScript reads, or raise ValueError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _answer(value, status=200):
    return Response(_json(value), status, _HEADERS, "application/json")


def _refuse(status, what):
    return JSONResponse({"error": what}, status, _HEADERS)
