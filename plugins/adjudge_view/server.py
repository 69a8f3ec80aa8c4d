"""The server's life: a loopback address, the page in a browser, and an end at Ctrl-C."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager

import typer
import uvicorn

from adjudge import ConfigError

from .app import make_app
from .library import Library

HOST = "127.0.0.1"
GRACE = 1
"""Seconds in which answers that are on their way are sent off."""
SWITCH = 0.0005
"""Seconds after which the thread that reads lets the one that answers go on, in place of 0.005."""


def run(library: Library, port: int, *, browser: bool) -> None:
    """Serve the page until SIGINT or SIGTERM."""
    with _listen(port) as place:
        url = f"http://{HOST}:{place.getsockname()[1]}/"
        server = _Server(uvicorn.Config(
            make_app(library), access_log=False, log_level="warning", lifespan="off", ws="none", server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=GRACE,
        ), library, url, browser=browser)  # fmt: skip
        sys.setswitchinterval(SWITCH)
        library.follow()
        try:
            server.run(sockets=[place])
        except KeyboardInterrupt:  # uvicorn raises it again once it has ended
            typer.echo("")
        finally:
            library.close()


class _Server(uvicorn.Server):
    """uvicorn's, which says where it is once it answers."""

    def __init__(self, config: uvicorn.Config, library: Library, url: str, *, browser: bool) -> None:
        super().__init__(config)
        self.library, self.url, self.browser = library, url, browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        typer.echo(f"Looking at {', '.join(self.library.indexes)}: {self.url}   (Ctrl-C ends it)")
        sys.stdout.flush()
        if self.browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.library.closing = True
        await super().shutdown(sockets)


def _has_screen() -> bool:
    """Whether a browser would have a window, and not this terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, port))
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened at: {error.strerror}"
            raise ConfigError(f"--port: {port} {why}.\n  Remedy: name another, or 0 for a free one.") from None
        place.listen(128)
        yield place
