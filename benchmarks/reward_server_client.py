"""HTTP as `reward_server.py` needs it: a kept connection, a request made beforehand, and as little work for a reply as can be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """What the work comes to, in the event loop that takes the clients the least time: the server is to be what is measured."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def request(path: str, body: dict[str, Any]) -> bytes:
    """A POST of JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


class Connection(asyncio.Protocol):
    """One connection, on which one request is under way at a time."""

    def __init__(self) -> None:
        self.received = b""
        self.reply: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, port: int) -> Connection:
        return (await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport  # uvloop's has no class of asyncio's

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """The status and the body."""
        self.reply = asyncio.get_running_loop().create_future()
        self.transport.write(sent)
        return await self.reply

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, whole, body = self.received.partition(b"\r\n\r\n")
        if not whole:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length and self.reply is not None and not self.reply.done():
            self.received = b""
            self.reply.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(error or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        self.transport.close()
