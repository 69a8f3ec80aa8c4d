"""What stands before every route: who may ask, how much a request may hold, and the end of a request whose client is gone."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from adjudge import ConfigError

from .direct import Endpoint, refusal_of
from .service import Refused, Service

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/healthz", "/readyz")
"""Routes that say nothing which anybody may not know."""
IN_PATH = re.compile(r"/t/([^/]*)(/.*)")
ROLLOUT = re.compile(r"/ng-rollout/[^/]+(/.*)")
"""What NeMo Gym puts before a path where it observes rollouts."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(file: Path | None, variable: str | None, *, needed: bool) -> str | None:
    """The token of a file or an environment variable, or a new one where one is needed."""
    if file is not None:
        try:
            token, where = file.read_text(encoding="utf-8").strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--token-file: {file} cannot be read: {error}.\n  Remedy: name a file with the token on one line.") from None
    elif variable is not None:
        token, where = variable, "the environment's token"
    else:
        return secrets.token_urlsafe(24) if needed else None
    if not TOKEN.fullmatch(token):
        raise ConfigError(
            f"{where}: a token has 16 or more letters, digits, '-' and '_', and nothing else.\n"
            '  Remedy: make one: python -c "import secrets; print(secrets.token_urlsafe(24))".'
        )
    return token


class Gate:
    """An ASGI application: what is posted goes to `direct`, the rest to `app`."""

    def __init__(self, app: App, direct: dict[str, Endpoint], service: Service) -> None:
        self.app, self.direct, self.service, self.token = app, direct, service, service.settings.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers, reply = dict(scope["headers"]), b""
        refused: Refused | None = None
        try:
            self._let_in(scope, headers)
            endpoint = self.direct.get(scope["path"]) if scope["method"] == "POST" else None
            if endpoint is None:
                return await self.app(scope, receive, send)
            body = await self._body(receive, headers)
            reply = await _unless_gone(endpoint(body, scope["query_string"]), receive)
        except _Gone:
            return None
        except Exception as error:
            refused = refusal_of(error)
        self.service.counts.answered(scope["path"] if scope["path"] in self.direct else "other", refused.status if refused else 200)
        return await answer(send, reply, refused)

    def _let_in(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Check the token, in the header or the path, and take it out of the path."""
        given = headers.get(b"authorization", b"").decode("latin-1")
        given = given[7:] if given[:7].lower() == "bearer " else ""
        if scope["path"] not in self.direct:
            if found := IN_PATH.fullmatch(scope["path"]):
                given, scope["path"] = found[1], found[2]
            if found := ROLLOUT.fullmatch(scope["path"]):
                scope["path"] = found[1]
            scope["raw_path"] = scope["path"].encode()
            if scope["path"] in OPEN:
                return
        if self.token is not None:
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise Refused(401, "unauthorized", "a token is needed: Authorization: Bearer TOKEN, or /t/TOKEN before the path")
        elif self.service.settings.loopback and not _names_this_machine(headers.get(b"host", b"")):
            raise Refused(403, "foreign_host", "without a token, only this machine is answered, under its own name")

    async def _body(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        most = self.service.settings.max_body
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if kind != b"application/json":  # what a form of a web page cannot send
            raise Refused(422, "invalid_request", "the content type has to be application/json")
        told = headers.get(b"content-length", b"0")
        if told.isdigit() and int(told) > most:
            raise _too_large(most)
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise _too_large(most)
            more = message.get("more_body", False)
        return b"".join(parts)


def _too_large(most: int) -> Refused:
    return Refused(413, "body_too_large", f"a request has {most} bytes at most")


@lru_cache(maxsize=64)
def _names_this_machine(host: bytes) -> bool:
    """Whether a Host header is that of a loopback address: a web page elsewhere, whose name leads here, is no client."""
    name = host.decode("latin-1")
    bare = name[1 : name.index("]")] if name.startswith("[") and "]" in name else name.rsplit(":", 1)[0]
    return not name or is_loopback(bare)


class _Gone(Exception):
    """The client has closed its connection."""


async def _unless_gone(work: Coroutine[Any, Any, bytes], receive: Receive) -> bytes:
    """What the work comes to; it is cancelled when its client goes away.

    The server's `receive` is run to where it waits for the client, and no further: a task for each request would do the same for more.
    """
    here, goes, left = asyncio.current_task(), receive(), False
    assert here is not None
    try:
        gone: asyncio.Future[Any] = goes.send(None)
    except StopIteration:
        work.close()
        raise _Gone from None

    def leave(_: object) -> None:
        nonlocal left
        left = here.cancel()

    gone.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if left and not here.uncancel():
            raise _Gone from None
        raise
    finally:
        gone.remove_done_callback(leave)
        goes.close()


async def answer(send: Send, reply: bytes, refused: Refused | None) -> None:
    """Send a reply, or why there is none."""
    headers = [(b"content-type", b"application/json")]
    if refused is not None:
        reply = json.dumps({"error": {"kind": refused.kind, "message": str(refused)}}).encode()
        if refused.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refused.status == 413:
            headers.append((b"connection", b"close"))
        if refused.retry_after is not None:
            headers.append((b"retry-after", str(refused.retry_after).encode()))
    headers.append((b"content-length", str(len(reply)).encode()))
    await send({"type": "http.response.start", "status": 200 if refused is None else refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply})
