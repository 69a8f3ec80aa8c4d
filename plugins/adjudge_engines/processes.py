"""The processes that vLLM starts for one engine: by themselves whatever goes on here, noticed when they end, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from subprocess import DEVNULL, Popen
from typing import Any

import psutil
from vllm import envs
from vllm.v1.engine.exceptions import EngineDeadError

SECONDS = 10
"""How long a worker may take to end by itself when the engine is closed."""
SWITCH = "VLLM_ENABLE_V1_MULTIPROCESSING"
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE")
"""What a process knows of the launch that it is part of."""
GUARD = """
import os, sys, time
while os.getppid() == int(sys.argv[1]):
    time.sleep(1)
for process in sys.argv[2:]:
    try:
        os.kill(int(process), 9)
    except ProcessLookupError:
        pass
"""
"""Ends processes once its parent is gone. It looks for itself: a pipe to the parent would be held open by whatever is forked later."""


@contextmanager
def of_its_own() -> Iterator[None]:
    """An environment in which vLLM starts processes, and none that takes itself for a part of a launch that goes on here.

    TRL's own vLLM, which lives in the process that trains, leaves the contrary behind in both, and vLLM remembers the first.
    """
    before = {name: os.environ.pop(name, None) for name in (SWITCH, *LAUNCHED)}
    os.environ[SWITCH] = "1"
    envs.disable_envs_cache()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class _Stopped(BaseException):
    """A `KeyboardInterrupt` under a name that nobody catches."""

    def __init__(self, error: KeyboardInterrupt) -> None:
        self.error = error


@contextmanager
def heard_when_interrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, if they would end anything: vLLM catches them where it waits for its processes, and waits on."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, frame: Any) -> None:
        try:
            before[signal.Signals(number)](number, frame)  # type: ignore[operator, misc]
        except KeyboardInterrupt as error:
            raise _Stopped(error) from None

    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, hear)
    try:
        yield
    except _Stopped as stopped:
        raise stopped.error from None
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)


class Processes:
    """Those behind one of vLLM's clients, which asks them; and all that they have started in turn."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._own: Sequence[Any] = getattr(client.resources.engine_manager, "processes", ())
        """None where Ray starts them."""
        coordinator = client.resources.coordinator
        self._beside: Sequence[Any] = () if coordinator is None else (coordinator.proc,)
        """What knows which of several copies has the least to do."""
        self._below = self._started()
        """Kept, for a process that is killed no longer tells whom it had started."""
        self._guard: Popen[bytes] | None = None

    def watch(self) -> None:
        """From now on it is noticed when one of them ends, and they end when this process does, be it killed."""
        numbers = [str(process.pid) for process in (*self._own, *self._beside)]
        command = [sys.executable, "-I", "-S", "-c", GUARD, str(os.getpid()), *numbers]
        self._guard = Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
        if not isinstance(self._client.outputs_queue, asyncio.Queue):  # whose end vLLM tells by itself
            threading.Thread(target=self._notice, daemon=True).start()

    def _notice(self) -> None:
        """A process that is killed says nothing, and vLLM would wait for its answer for ever, now and whenever it is asked again."""
        wait([process.sentinel for process in self._own])
        self._client.resources.engine_dead = True
        self._client.outputs_queue.put_nowait(EngineDeadError())

    def check(self) -> None:
        """Raise vLLM's own error where one of them has ended: the error that is put in its queue then reaches only the first who waits."""
        if self._client.resources.engine_dead:
            raise EngineDeadError

    def end(self) -> None:
        """End them, and wait until their memory is free; those that have ended stay so."""
        below = [*self._below, *self._started()]
        try:
            self._client.shutdown()
            for process in (*self._own, *self._beside):
                process.join()
            psutil.wait_procs(below, timeout=SECONDS)
        finally:
            for process in (*self._own, *self._beside, *below):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(below)
            if self._guard is not None:
                self._guard.kill()
                self._guard.wait()

    def _started(self) -> list[psutil.Process]:
        """Whom they have started, themselves or through others."""
        found: list[psutil.Process] = []
        for process in self._own:
            if process.is_alive():  # the number of one that has ended may be somebody else's
                with suppress(psutil.NoSuchProcess):
                    found += psutil.Process(process.pid).children(recursive=True)
        return found
