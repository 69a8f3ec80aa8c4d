"""What stands before every route: who may ask, how much a request may hold, and the end of a request whose client is gone."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

from adjudge import ConfigError

from .service import Refused, Service

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
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
    """An ASGI application around the one with the routes."""

    def __init__(self, app: App, service: Service) -> None:
        self.app, self.service, self.token = app, service, service.settings.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.service.counts.answered(getattr(scope.get("route"), "path", "none"), message["status"])
            await send(message)

        headers = dict(scope["headers"])
        try:
            self._let_in(scope, headers)
            body = await self._body(receive, headers)
        except Refused as refused:
            await answer(counted, refused)
            return
        await _until_gone(self.app, scope, body, receive, counted)

    def _let_in(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Check the token, in the header or the path, and take it out of the path."""
        given = headers.get(b"authorization", b"").decode("latin-1")
        given = given[7:] if given[:7].lower() == "bearer " else ""
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


def _names_this_machine(host: bytes) -> bool:
    """Whether a Host header is that of a loopback address: a web page elsewhere, whose name leads here, is no client."""
    name = host.decode("latin-1")
    bare = name[1 : name.index("]")] if name.startswith("[") and "]" in name else name.rsplit(":", 1)[0]
    return not name or is_loopback(bare)


async def _until_gone(app: App, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Run the application, and cancel it when its client goes away."""
    sent = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # the end of the connection is seen below
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    work = asyncio.ensure_future(app(scope, replay, send))
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        left = not work.done()
        for task in (work, gone):
            task.cancel()
    if left:
        await asyncio.wait((work,))
    else:
        work.result()


async def answer(send: Send, refused: Refused) -> None:
    """Send an error as the routes do."""
    body = json.dumps({"error": {"kind": refused.kind, "message": str(refused)}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status == 413:
        headers.append((b"connection", b"close"))
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
