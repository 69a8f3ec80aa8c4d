"""A server's life: its address, its judge, and the end, in which who waits is still answered."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import typer
import uvicorn

from adjudge import ConfigError, Plugins, dump, stable_id
from adjudge_rewards import CohortStore, RewardConfig, open_reward

from .app import make_app
from .service import Service, Settings

GRACE = 5
"""Seconds in which answers that are on their way are sent off."""
THRESHOLDS = (2_000, 20, 500)
"""Of Python's collector, in place of (700, 10, 10): looking through all that a server remembers takes it 100 ms and finds nothing, for
what a request made is freed with its last reference."""
SWITCH = 0.0005
"""Seconds after which the judge's thread lets the event loop go on, in place of 0.005."""


def run(
    config: RewardConfig,
    plugins: Plugins,
    settings: Settings,
    host: str,
    port: int,
    state: Path | None,
    anchors: dict[str, list[str]],
    *,
    show_token: bool,
) -> None:
    """Open the reward and serve it until SIGTERM or SIGINT."""
    with ExitStack() as stack:
        place = stack.enter_context(listen(host, port))
        store = None if state is None else CohortStore(state, stable_id(str(dump(config))))
        if store is not None:
            stack.callback(store.close)
        reward = stack.enter_context(open_reward(config, plugins))
        service = Service(reward, settings, config.anchor, store)
        url = f"http://{f'[{host}]' if ':' in host else host}:{place.getsockname()[1]}"
        told = f"Serving at {url}" + (f"\nToken: {settings.token}" if show_token and settings.token else "")
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(serve(service, anchors, place, told))
        service.close()
        if service.batches.waiting:  # its thread hangs in the judge, which would hold up the end of this process for ever
            typer.echo("The judge did not come back in time; what it was asked is asked again when its clients are.", err=True)
            if store is not None:
                store.close()
            sys.stdout.flush()
            os._exit(0)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens at this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"--port: {port} is in use at {host}.\n  Remedy: name another, or 0 for a free one.") from None
            raise ConfigError(f"--host: cannot listen at {host}:{port}: {error}.\n  Remedy: name an address of this machine.") from None
        place.listen(2048)
        yield place


class _Server(uvicorn.Server):
    """uvicorn's, whose signals are this page's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(service: Service, anchors: dict[str, list[str]], place: socket.socket, told: str) -> None:
    """Answer at this socket until a signal comes; `told` is printed once requests are taken."""
    with short_pauses():
        await _serve(service, anchors, place, told)


@contextmanager
def short_pauses() -> Iterator[None]:
    """No request waits while Python looks through objects that stay, nor for a whole turn of the judge's thread."""
    thresholds, switch = gc.get_threshold(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(switch)


async def _serve(service: Service, anchors: dict[str, list[str]], place: socket.socket, told: str) -> None:
    await service.cohorts.restore()
    config = uvicorn.Config(
        make_app(service, anchors),
        access_log=False,
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # a client that is slow to generate finds its connection again
        timeout_graceful_shutdown=GRACE,
        backlog=2048,
    )  # no access log, for a path may hold a token
    server, stop = _Server(config), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve(sockets=[place]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    typer.echo(told)
    sys.stdout.flush()
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    await _drain(service)
    server.should_exit = True
    await serving


async def _drain(service: Service) -> None:
    """Answer who waits, for as long as the settings say; then tell the others that the server stops."""
    service.draining, service.cohorts.takes_new = True, False
    loop = asyncio.get_running_loop()
    until = loop.time() + service.settings.drain_seconds
    while service.waiting and loop.time() < until:
        await asyncio.sleep(0.02)
    service.cohorts.stop()


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop

    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made
