"""The application: all routes, what they do not say themselves, and how errors are told."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adjudge import AdjudgeError, DataError
from adjudge_rewards import SlotTaken, TakesNoMore

from . import gym, llamafactory, openrlhf, slime, v1
from .gate import Gate
from .schemas import Failed, Status
from .service import Refused, Service

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Failed, "description": "The body is no JSON."},
    401: {"model": Failed, "description": "No token, or another one."},
    413: {"model": Failed, "description": "Too large, or too many completions."},
    422: {"model": Failed, "description": "A field is missing or cannot be used."},
    429: {"model": Failed, "description": "Too many wait; come again after Retry-After seconds."},
    503: {"model": Failed, "description": "The judge could not be asked, or the server stops."},
}
COHORT: dict[int | str, dict[str, Any]] = {**ERRORS, 409: {"model": Failed, "description": "Another completion came under this slot."}}


def make_app(service: Service, anchors: dict[str, list[str]]) -> Gate:
    """The application of this service; `anchors` has reference answers by prompt."""
    app = FastAPI(title="adjudge serve", version="1", docs_url=None, redoc_url=None)
    app.include_router(v1.routes(service), responses=ERRORS)
    for router in (openrlhf.routes(service), slime.routes(service), gym.routes(service), llamafactory.routes(service, anchors)):
        app.include_router(router, responses=COHORT)

    @app.get("/healthz", tags=["server"])
    async def healthz() -> Status:
        """Whether the process answers."""
        return Status(status="ok")

    @app.get("/readyz", tags=["server"], responses={503: {"model": Status}})
    async def readyz(response: Response) -> Status:
        """Whether new groups are taken."""
        if service.draining:
            response.status_code = 503
        return Status(status="draining" if service.draining else "ready")

    @app.get("/metrics", tags=["server"], response_class=Response, responses={200: {"content": {"text/plain": {}}}, 401: ERRORS[401]})
    async def metrics() -> Response:
        """Counters and gauges in Prometheus' text format."""
        return Response(service.counts.text(), media_type="text/plain; version=0.0.4")

    _tell_errors(app)
    return Gate(app, service)


def _tell_errors(app: FastAPI) -> None:
    def failed(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": {"kind": kind, "message": message}}, status, headers)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        after = None if error.retry_after is None else {"retry-after": str(error.retry_after)}
        return failed(error.status, error.kind, str(error), after)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]  # where and what, without the texts
        return failed(422, "invalid_request", "; ".join(found[:10]))

    async def ours(request: Request, error: Exception) -> Response:
        if isinstance(error, SlotTaken):
            return failed(409, "slot_taken", str(error))
        if isinstance(error, TakesNoMore):
            return failed(503, "stopping", str(error), {"retry-after": "5"})
        if isinstance(error, DataError):
            return failed(422, "invalid_request", str(error))
        return failed(503, "judging_failed", str(error), {"retry-after": "1"})

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return failed(error.status_code, "http", str(error.detail), dict(error.headers or {}))

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(AdjudgeError, ours)
    app.add_exception_handler(HTTPException, of_http)
