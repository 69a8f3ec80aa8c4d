"""The `vllm` session: vLLM without a server, with the log-probabilities of what it samples; the model lives in processes of its own.

vLLM draws its own random numbers from a seed, so its samples are not those of `hf`; greedy texts and log-probabilities are. The latter
are vLLM's *raw* ones, at temperature 1 whatever the sampling temperature.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path as FilePath
from typing import Any

# Read by vLLM when it is imported. Its log must not come between the lines that a command prints. Whoever has set one of these is not
# overruled.
for _name, _value in {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr", "VLLM_NO_USAGE_STATS": "1"}.items():
    os.environ.setdefault(_name, _value)

from transformers import AutoConfig, GenerationConfig  # noqa: E402
from vllm import LLM, SamplingParams  # noqa: E402
from vllm.lora.request import LoRARequest  # noqa: E402
from vllm.platforms import current_platform  # noqa: E402
from vllm.sampling_params import RequestOutputKind  # noqa: E402
from vllm.v1.engine.exceptions import EngineDeadError  # noqa: E402

from adjudge import Completion, ConfigError, JobError, Message  # noqa: E402

from .data_parallel import DataParallel  # noqa: E402
from .groups import Prompted, answered  # noqa: E402
from .processes import Processes, heard_when_interrupted, of_its_own  # noqa: E402
from .texts import Texts, check_tokens  # noqa: E402
from .weights import check_weights, load_tokenizer  # noqa: E402

ENDED = ("stop", "length")
"""How a completion ends that is one."""


class VllmSession:
    """A model that vLLM has loaded, and its tokenizer; `whole` is the model's own folder, or the one that it has adapters for."""

    def __init__(
        self, folder: FilePath, *, whole: FilePath, adapter: FilePath | None, arguments: dict[str, Any], chat: object = None
    ) -> None:
        trust = arguments["trust_remote_code"]
        check_weights(whole, adapter, trust_remote_code=trust)
        tokenizer = load_tokenizer(folder, trust_remote_code=trust, chat=chat)
        config = AutoConfig.from_pretrained(whole, trust_remote_code=trust)
        self.vocabulary: int = config.get_text_config(decoder=True).vocab_size
        self.lora = None if adapter is None else LoRARequest("adapter", 1, str(adapter.absolute()))
        self.texts = Texts(tokenizer, ends_of_turn=_generation(whole, config).eos_token_id, context=None)
        self._numbers = count()
        self._finished: dict[str, Any] = {}
        """Outputs by request that whoever asked for them has not been handed yet."""
        self.engine: Any = _started(str(whole), arguments)
        self._processes = Processes(self.engine.engine_core)
        try:
            self.texts.context = self.engine.model_config.max_model_len
            self._processes.watch()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End vLLM's processes, and wait until their memory is free."""
        try:
            if isinstance(self.engine, DataParallel):
                self.engine.close()
        finally:
            self.engine = None
            self._processes.end()

    def sample(
        self,
        prompts: Sequence[list[Message]],
        *,
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str] = (),
    ) -> Iterator[tuple[int, Completion]]:
        ids, rooms = self.texts.prompts(prompts, max_new_tokens)
        shared: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "stop_token_ids": self.texts.eos}
        if stop:  # which vLLM looks for in the text that it writes
            shared |= {"stop": list(stop), "include_stop_str_in_output": True, "detokenize": True}
        asked = [index for index, room in enumerate(rooms) if room]
        requests = [_parameters(seed=seeds[index], max_tokens=rooms[index], logprobs=0, **shared) for index in asked]
        for index in (index for index, room in enumerate(rooms) if not room):
            yield index, self.texts.too_long(ids[index])
        for place, output in self._answers([ids[index] for index in asked], requests):
            [sampled] = output.outputs
            yield asked[place], self.texts.completion(sampled.token_ids, sampled.logprobs.logprobs, stop)

    @property
    def opens_with(self) -> str:
        """What the chat template writes before a judgement, where it begins the thinking itself."""
        return self.texts.opened

    def room(self, prompt: list[Message]) -> int | None:
        return self.texts.room(prompt)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], statistics: Sequence[str] = ()) -> list[Any]:
        [(_, found)] = self.logprobs_each([(prompt, continuations)], statistics)
        return found

    def logprobs_each(self, prompts: Sequence[Prompted], statistics: Sequence[str] = ()) -> Iterator[tuple[int, list[Any]]]:
        """All but a path's last token are told as parts of a prompt; the last is sampled, as the only one allowed.

        So a path may be as long as the model takes, and nothing is computed that is not asked for. vLLM's rank counts exact ties as above.
        Its `logprob_token_ids` would tell the last token too, but not its rank, and takes their lists from requests in the same batch.
        """
        listed = int("top_logprob" in statistics)
        starts = [self.texts.to_score(chat, paths) for chat, paths in prompts]
        for start, (_, paths) in zip(starts, prompts, strict=True):
            check_tokens(self.vocabulary, start, paths)

        def ask(paths: list[tuple[int, list[int]]]) -> Iterator[tuple[int, dict[str, list[float]]]]:
            requests = [
                _parameters(temperature=0.0, max_tokens=1, logprobs=listed, prompt_logprobs=listed, allowed_token_ids=path[-1:])
                for _, path in paths
            ]
            for number, output in self._answers([starts[place] + path[:-1] for place, path in paths], requests):
                of_prompt = _positions(output.prompt_logprobs, len(starts[paths[number][0]]))
                rows = [*of_prompt, *_positions(output.outputs[0].logprobs, 0)]
                yield number, {name: [row[name] for row in rows] for name in ("logprob", *statistics)}

        return answered(prompts, statistics, ask)

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return self.texts.tokenize(text, token_ids)

    def _answers(self, prompts: Sequence[list[int]], requests: Sequence[SamplingParams]) -> Iterator[tuple[int, Any]]:
        """What vLLM says to each prompt, with its index, as it finishes; what nobody waits for any more is called off."""
        engine, waiting = self.engine, dict[str, int]()
        try:
            for index, (prompt, parameters) in enumerate(zip(prompts, requests, strict=True)):
                number = str(next(self._numbers))
                waiting[number] = index
                engine.add_request(number, {"prompt_token_ids": prompt}, parameters, lora_request=self.lora)
            while waiting:
                ready = self._finished.keys() & waiting.keys()
                if not ready:
                    self._processes.check()
                    self._finished |= {output.request_id: output for output in engine.step()}
                for number in ready:
                    yield waiting.pop(number), _whole(self._finished.pop(number))
        except EngineDeadError as error:
            waiting.clear()
            raise JobError(
                f"engine vllm: its process ended while {len(prompts)} prompts were asked: {error}\n"
                "  Remedy: see what vLLM says above; if memory ran out, lower gpu_memory_utilization or max_model_len. Finished records are"
                " kept."
            ) from error
        finally:
            for number in waiting:
                self._finished.pop(number, None)
            if waiting:
                with suppress(EngineDeadError):  # it must not take the place of what ended the waiting
                    engine.abort_request(list(waiting))


def _positions(flat: Any, first: int) -> list[dict[str, float]]:
    """What vLLM lists of every position from this one on: the token that stands there comes first, then the most probable one."""
    spans = zip(flat.start_indices[first:], flat.end_indices[first:], strict=True)
    return [
        {"logprob": flat.logprobs[start], "rank": float(flat.ranks[start]), "top_logprob": max(flat.logprobs[start:end])}
        for start, end in spans
    ]


def _whole(output: Any) -> Any:
    """The output, unless it was called off, as all are when vLLM's process is told to end: what there is of it is no judgement."""
    ended = output.outputs[0].finish_reason
    if ended not in ENDED:
        raise JobError(
            f"engine vllm: a completion was called off ({ended}), as all are when a process of vLLM's is told to end, or a copy's ends.\n"
            "  Remedy: run again; finished records are kept."
        )
    return output


def _parameters(**given: Any) -> SamplingParams:
    """Told once, when finished; texts are made from the tokens here."""
    return SamplingParams(**{"detokenize": False, **given}, flat_logprobs=True, output_kind=RequestOutputKind.FINAL_ONLY)


def _started(folder: str, arguments: dict[str, Any]) -> Any:
    """vLLM's engine, or `DataParallel`, which is used in the same way, where there are several copies of the model."""
    if current_platform.is_cpu():  # vLLM 0.31 ends there where it reads a seeded prompt in pieces: torch cannot rewind a CPU's generator
        arguments = {"enable_chunked_prefill": False, **arguments}
    try:
        with heard_when_interrupted(), of_its_own():
            return DataParallel(folder, arguments) if arguments["data_parallel_size"] > 1 else LLM(model=folder, **arguments).llm_engine
    except Exception as error:  # settings that vLLM refuses and memory that is not there come as errors of many kinds
        raise ConfigError(
            f"engine: vLLM could not load {folder}: {error}\n"
            "  Remedy: see what vLLM says above; often memory is short: lower gpu_memory_utilization or max_model_len."
        ) from error


def _generation(folder: FilePath, config: Any) -> GenerationConfig:
    """The folder's generation settings; where it has none, those that its model settings imply."""
    if (folder / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(folder)
    return GenerationConfig.from_model_config(config)
