"""Several copies of a model, asked as vLLM's engine for one is; behind them is its engine for servers, which alone shares requests out."""

from __future__ import annotations

import asyncio
from queue import SimpleQueue
from typing import Any

from vllm import AsyncEngineArgs, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from .background import Background


class Copies:
    """Every copy is loaded at once, each on devices of its own, by processes of its own; a request goes to the one with the least to do."""

    def __init__(self, folder: str, arguments: dict[str, Any]) -> None:
        settings = AsyncEngineArgs(model=folder, disable_log_stats=True, **arguments)
        self._engine = AsyncLLM.from_engine_args(settings, usage_context=UsageContext.LLM_CLASS)
        self.engine_core, self.model_config = self._engine.engine_core, self._engine.model_config
        self._told: SimpleQueue[Any] = SimpleQueue()
        """Outputs that are finished, and errors."""
        self._asked = dict[str, asyncio.Task[None]]()
        self._background = Background()

    def add_request(self, number: str, prompt: Any, parameters: SamplingParams, lora_request: LoRARequest | None) -> None:
        self._check()
        self._background.run(self._add(number, prompt, parameters, lora_request))

    async def _add(self, number: str, *request: Any) -> None:
        output = await self._engine.add_request(number, *request[:2], lora_request=request[2])
        self._asked[number] = asyncio.create_task(self._tell(number, output))

    async def _tell(self, number: str, output: Any) -> None:
        try:
            self._told.put(await output.get())
        except Exception as error:  # which whoever waits is told
            self._told.put(error)
        finally:
            del self._asked[number]

    def step(self) -> list[Any]:
        """Wait until something is finished. Raises vLLM's own error where there is nothing else to tell."""
        told = [self._told.get()]
        while not self._told.empty():
            told.append(self._told.get())
        errors = [one for one in told if isinstance(one, Exception)]
        outputs = [one for one in told if not isinstance(one, Exception)]
        if errors and not outputs:
            raise errors[0]
        for error in errors[:1]:
            self._told.put(error)
        return outputs

    def abort_request(self, numbers: list[str]) -> None:
        self._check()
        self._background.run(self._call_off(numbers))

    async def _call_off(self, numbers: list[str]) -> None:
        for number in numbers:
            if number in self._asked:
                self._asked[number].cancel()
        await self._engine.abort(numbers)

    def _check(self) -> None:
        if self.engine_core.resources.engine_dead:  # as it is once it is closed
            raise EngineDeadError

    def close(self) -> None:
        """End what goes on in this process, and tell vLLM's own to end."""
        self._background.close(self._end())

    async def _end(self) -> None:
        self._engine.shutdown()
