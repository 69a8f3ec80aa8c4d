"""Several copies of a model with the interface of vLLM's engine for one; vLLM's engine for servers shares the requests out over them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from queue import Empty, SimpleQueue
from typing import Any

from vllm import AsyncEngineArgs, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from .background import Background

PATIENCE = 1.0
"""Seconds between two looks at whether a copy has died: vLLM does not answer everything that was asked of one that has."""

SOCKETS = ("output_socket", "input_socket", "first_req_send_socket", "first_req_rcv_socket", "stats_update_socket")
"""By which vLLM speaks to the copies."""


class DataParallel:
    """Every copy is loaded at once, each on devices of its own, by processes of its own; a request goes to the one with the least to do."""

    def __init__(self, folder: str, arguments: dict[str, Any]) -> None:
        settings = AsyncEngineArgs(model=folder, **{"disable_log_stats": True, **arguments})
        self._engine = AsyncLLM.from_engine_args(settings, usage_context=UsageContext.LLM_CLASS)
        self.engine_core, self.model_config = self._engine.engine_core, self._engine.model_config
        self._told: SimpleQueue[Any] = SimpleQueue()
        """Outputs that are finished."""
        self._error: Exception | None = None
        """What every request is told once vLLM has failed."""
        self._wanted = set[str]()
        """Requests that somebody waits for."""
        self._requests = dict[str, asyncio.Task[None]]()
        self._background = Background()

    def add_request(self, number: str, prompt: Any, parameters: SamplingParams, lora_request: LoRARequest | None) -> None:
        self._wait_for(self._add(number, prompt, parameters, lora_request))
        self._wanted.add(number)

    async def _add(self, number: str, prompt: Any, parameters: SamplingParams, lora_request: LoRARequest | None) -> None:
        output = await self._engine.add_request(number, prompt, parameters, lora_request=lora_request)
        self._requests[number] = asyncio.create_task(self._tell(number, output))

    async def _tell(self, number: str, output: Any) -> None:
        try:
            self._told.put(await output.get())
        except Exception as error:  # which whoever waits is told
            self._error = error
        finally:
            del self._requests[number]

    def step(self) -> list[Any]:
        """Wait until something is finished. Raises vLLM's own error where nothing will be."""
        told: list[Any] = []
        while not told:
            try:
                told.append(self._told.get(timeout=0 if self._error else PATIENCE))
            except Empty:
                self._check()
        while not self._told.empty():
            told.append(self._told.get())
        wanted = [output for output in told if output.request_id in self._wanted]
        self._wanted -= {output.request_id for output in wanted}
        return wanted

    def abort_request(self, numbers: list[str]) -> None:
        """Without waiting: a generator that nobody holds any more may be ended by the very thread that this is done in."""
        self._wanted -= set(numbers)
        self._check()
        asyncio.run_coroutine_threadsafe(self._call_off(numbers), self._background.loop)

    async def _call_off(self, numbers: list[str]) -> None:
        for number in numbers:
            if number in self._requests:
                self._requests[number].cancel()
        await self._engine.abort(numbers)

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        done = asyncio.run_coroutine_threadsafe(work, self._background.loop)
        while True:
            try:
                return done.result(PATIENCE)
            except TimeoutError:
                if done.done():
                    raise
                self._check()

    def _check(self) -> None:
        """Raise what vLLM failed with; it counts as dead once it is closed, too."""
        if self._error is not None:
            raise self._error
        if self.engine_core.resources.engine_dead:
            raise EngineDeadError

    def close(self) -> None:
        """End what goes on in this process, and tell vLLM's own to end."""
        self._background.close(self._end())

    async def _end(self) -> None:
        """With its sockets: where a copy died, vLLM may yet mean to close them in this loop, and an open one keeps Python from ending."""
        self._engine.shutdown()
        resources = self.engine_core.resources
        for name in SOCKETS:
            if (socket := getattr(resources, name, None)) is not None:
                socket.close(linger=0)
