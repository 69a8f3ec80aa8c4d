"""An endpoint on the loopback interface that speaks as much of OpenAI's API as a test tells it to, faults included."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Reply:
    """What is sent back: after a delay in seconds, and cut off after so many bytes where a test wants that."""

    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None

    def bytes(self) -> bytes:
        data = self.body.encode(errors="surrogatepass")
        lines = [f"HTTP/1.1 {self.status} Any", "content-type: application/json", f"content-length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + data[: self.cut]


def chat(text: str | None = "fine", *, ended: str | None = "stop", choice: dict[str, Any] | None = None, **message: Any) -> Reply:
    """One choice with this text."""
    said = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": ended, **(choice or {})}
    return Reply(json.dumps({"id": "x", "object": "chat.completion", "choices": [said]}))


class FakeEndpoint:
    """The server, in a thread of its own; `behave` decides every reply."""

    chat, Reply = staticmethod(chat), Reply

    def __init__(self) -> None:
        self.behave: Callable[[Request], Reply] = lambda request: chat()
        self.requests: list[Request] = []
        self.open = self.most = 0
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024), self.loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.open += 1
                self.most = max(self.most, self.open)
                reply = self.behave(request)
                await asyncio.sleep(reply.delay)
                self.open -= 1
                writer.write(reply.bytes())
                await writer.drain()
                if reply.cut is not None:
                    break
        writer.close()

    def close(self) -> None:
        """Stop serving; a test may have done so before its end."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    first = await reader.readline()
    if not first:
        return None
    headers = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(first.split()[1].decode(), headers, json.loads(body or b"null"))


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    server = FakeEndpoint()
    yield server
    server.close()
