"""The application: all routes, what they do not say themselves, and how errors are told."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from . import gym, gym_metrics, llamafactory, openrlhf, slime, v1
from .direct import endpoints
from .gate import Gate
from .schemas import Failed, Status
from .service import Service

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": Failed, "description": "No token, or another one."},
    403: {"model": Failed, "description": "Without a token, another host than this machine is named."},
    413: {"model": Failed, "description": "Too large, or too many completions."},
    422: {"model": Failed, "description": "The body is no JSON, or a field or a parameter is missing, unknown or cannot be used."},
    429: {"model": Failed, "description": "Too many wait; come again after Retry-After seconds."},
    503: {"model": Failed, "description": "The judge could not be asked, or the server stops."},
}
COHORT: dict[int | str, dict[str, Any]] = {**ERRORS, 409: {"model": Failed, "description": "Another completion came under this slot."}}


def make_app(service: Service, anchors: dict[str, list[str]]) -> Gate:
    """The application of this service; `anchors` has reference answers by prompt."""
    app = FastAPI(title="adjudge serve", version="1", docs_url=None, redoc_url=None)
    typed, whole = v1.routes(service), gym_metrics.routes()
    sent = [openrlhf.routes(service), slime.routes(service), gym.routes(service), llamafactory.routes(service, anchors)]
    app.include_router(typed, responses=ERRORS)
    app.include_router(whole, responses=ERRORS)
    for router in sent:
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

    async def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": {"kind": "http", "message": str(error.detail)}}, error.status_code, dict(error.headers or {}))

    app.add_exception_handler(HTTPException, failed)
    return Gate(app, endpoints([typed, whole, *sent]), service)
