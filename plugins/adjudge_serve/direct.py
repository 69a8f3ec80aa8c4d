"""Answers POST requests by the functions of the routes alone; through FastAPI, which describes them, it costs much more."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from adjudge import AdjudgeError, DataError
from adjudge_rewards import SlotTaken, TakesNoMore

from .service import Refused

log = logging.getLogger("adjudge.serve")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route's function: its body is the first parameter, the others come from the query."""

    work: Callable[..., Awaitable[Any]]
    body: TypeAdapter[Any] | None
    query: dict[str, TypeAdapter[Any]]
    read: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    """Queries that were read before: a client sends the same one all the time."""

    async def __call__(self, content: bytes, query: bytes) -> bytes:
        given = () if self.body is None else (self.body.validate_json(content),)
        reply = await self.work(*given, **self._named(query))
        return to_json(reply)

    def _named(self, query: bytes) -> dict[str, Any]:
        if (known := self.read.get(query)) is not None:
            return known
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if unknown := [name for name, _ in given if name not in self.query]:
            takes = ", ".join(map(repr, self.query)) or "none"
            raise DataError(f"the URL has a parameter {unknown[0]!r}, which this route does not have (it has: {takes}).")
        if len(self.read) > 1000:
            self.read.clear()
        found = self.read[query] = {name: self._value(name, value) for name, value in given}
        return found

    def _value(self, name: str, value: str) -> Any:
        try:
            return self.query[name].validate_python(value)
        except ValidationError as error:
            raise DataError(f"the URL's parameter {name!r}: {error.errors(include_url=False)[0]['msg']}.") from None


def endpoints(routers: Iterable[APIRouter]) -> dict[str, Endpoint]:
    """The functions of all routes that are posted to, by path."""
    return {route.path: _endpoint(route.endpoint) for router in routers for route in router.routes if isinstance(route, APIRoute)}


def _endpoint(work: Callable[..., Any]) -> Endpoint:
    hints = get_type_hints(work, include_extras=True)
    names = list(inspect.signature(work).parameters)
    body = TypeAdapter(hints[names[0]]) if names else None
    return Endpoint(work, body, {name: TypeAdapter(hints[name]) for name in names[1:]})


KINDS: tuple[tuple[type[Exception], int, str, int | None], ...] = (
    (SlotTaken, 409, "slot_taken", None),
    (TakesNoMore, 503, "stopping", 5),
    (DataError, 422, "invalid_request", None),
    (AdjudgeError, 503, "judging_failed", 1),
)
"""Errors with the status, the kind and the seconds of Retry-After that a client is told; the first that fits."""


def refusal_of(error: Exception) -> Refused:
    """What a client is told of an error."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, ValidationError):  # where and what, without the texts
        found = [(".".join(["body", *map(str, one["loc"])]), one["msg"]) for one in error.errors(include_input=False, include_url=False)]
        return Refused(422, "invalid_request", "; ".join(f"{place}: {said}" for place, said in found[:10]))
    for kind, status, name, after in KINDS:
        if isinstance(error, kind):
            return Refused(status, name, str(error), after)
    log.error("a request failed for a fault of the server's", exc_info=error)
    return Refused(500, "internal", f"{type(error).__name__}; the server's log has more")
