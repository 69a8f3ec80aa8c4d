"""The application: what API.md says, and the page; it answers this machine alone, under its own name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .library import STATIC, Library, Unknown, as_json
from .query import Wanted

HOSTS = ["127.0.0.1", "localhost"]
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
LOOK, ALIVE = 0.5, 15.0
"""Seconds between two looks for changes, and after which a silent line is kept open."""

Names = Annotated[Sequence[str], Query()]
Steps = Annotated[Sequence[int], Query()]
YesNo = Annotated[Sequence[Literal["yes", "no", "none"]], Query()]
Offset = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=500)]
Outcomes = Annotated[Sequence[Literal["first", "second", "tie", "unreadable", "truncated", "failed"]], Query()]
Orders = Annotated[Sequence[Literal["given", "swapped"]], Query()]
Changes = Annotated[Sequence[Literal["lost", "gained", "changed", "same"]], Query()]
Sort = Literal["given", "score", "-score", "length", "-length", "newest"]
TournamentSort = Literal["given", "-undecided", "-votes", "-tokens"]
GroupSort = Literal["given", "spread", "-spread", "reward", "-reward", "newest"]


def make_app(library: Library) -> FastAPI:
    """The application for what is open."""
    app = FastAPI(title="adjudge view", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    _about_runs(app, library)
    _about_judgements(app, library)
    _about_matches(app, library)
    _page(app, library)
    app.add_exception_handler(HTTPException, _failed)
    app.add_exception_handler(RequestValidationError, _cannot_be_read)
    return app


def told(make: Callable[[], Any]) -> Response:
    """What was made, or that it is not here."""
    try:
        return Response(as_json(make()), media_type="application/json", headers=HEADERS)
    except Unknown as error:
        raise HTTPException(404, str(error.args[0])) from None


def _about_runs(app: FastAPI, library: Library) -> None:
    @app.get("/api/runs")
    def runs() -> Response:
        return told(library.runs)

    @app.get("/api/runs/{run}/curves")
    def curves(run: str) -> Response:
        return told(lambda: library.curves(run))


def _about_judgements(app: FastAPI, library: Library) -> None:
    @app.get("/api/runs/{run}/judgements")
    def judgements(
        run: str, stage: Names = (), set: Names = (), outcome: Outcomes = (), right: YesNo = (), kept: YesNo = (), order: Orders = (),
        problem: Names = (), step: Steps = (), score_min: float | None = None, score_max: float | None = None,
        length_min: int | None = None, length_max: int | None = None, text: str = "", sort: Sort = "given", offset: Offset = 0,
        limit: Limit = 50,
    ) -> Response:  # fmt: skip
        wanted = Wanted(
            stage, set, outcome, right, kept, order, problem, step, score_min, score_max, length_min, length_max, text, sort
        )  # fmt: skip
        return told(lambda: library.judgements(run, wanted, offset, limit))

    @app.get("/api/runs/{run}/judgements/{ident:path}")
    def judgement(run: str, ident: str) -> Response:
        return told(lambda: library.judgement(run, ident))

    @app.get("/api/compare")
    def compare(a: str, b: str, set: Names = (), change: Changes = (), text: str = "", offset: Offset = 0, limit: Limit = 50) -> Response:
        return told(lambda: library.compare(a, b, sets=set, change=change, text=text, offset=offset, limit=limit))


def _about_matches(app: FastAPI, library: Library) -> None:
    @app.get("/api/runs/{run}/tournaments")
    def tournaments(
        run: str, text: str = "", right: YesNo = (), sort: TournamentSort = "given", offset: Offset = 0, limit: Limit = 50
    ) -> Response:
        return told(lambda: library.tournaments(run, text=text, right=right, sort=sort, offset=offset, limit=limit))

    @app.get("/api/runs/{run}/tournaments/{ident:path}")
    def tournament(run: str, ident: str) -> Response:
        return told(lambda: library.tournament(run, ident))

    @app.get("/api/runs/{run}/groups")
    def groups(
        run: str, stage: Names = (), step: Steps = (), text: str = "", sort: GroupSort = "given", offset: Offset = 0, limit: Limit = 50
    ) -> Response:
        return told(lambda: library.groups(run, stage=stage, step=step, text=text, sort=sort, offset=offset, limit=limit))

    @app.get("/api/runs/{run}/groups/{ident:path}")
    def group(run: str, ident: str) -> Response:
        return told(lambda: library.group(run, ident))


def _page(app: FastAPI, library: Library) -> None:
    @app.get("/api/events")
    async def events(request: Request) -> StreamingResponse:
        return StreamingResponse(_changes(library, request), media_type="text/event-stream", headers=HEADERS)

    @app.get("/")
    def index() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    app.mount("/static", StaticFiles(directory=STATIC))


async def _changes(library: Library, request: Request) -> AsyncIterator[str]:
    """An event for every source that has changed since the last one; a comment now and then."""
    seen, silent = {run: dict(counts) for run, counts in library.changes.items()}, 0.0
    yield ": open\n\n"
    while not (library.closing or await request.is_disconnected()):
        await asyncio.sleep(LOOK)
        silent += LOOK
        for run, counts in library.changes.items():
            what = [name for name, count in counts.items() if count != seen[run][name]]
            if what:
                seen[run], silent = dict(counts), 0.0
                changed = [*what, *(["curves"] if "progress" in what else [])]
                yield f"event: changed\ndata: {json.dumps({'run': run, 'what': changed})}\n\n"
        if silent >= ALIVE:
            silent = 0.0
            yield ": still here\n\n"


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = "not_found" if error.status_code == 404 else "http"
    return Response(as_json({"error": {"kind": kind, "message": str(error.detail)}}), error.status_code, HEADERS, "application/json")


async def _cannot_be_read(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return Response(as_json({"error": {"kind": "invalid_request", "message": said}}), 422, HEADERS, "application/json")
