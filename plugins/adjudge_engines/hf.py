"""The `hf` session: batched sampling with per-prompt seeds through transformers' `generate`, and log-probabilities of given tokens.

Each completion has random numbers of its own, drawn from its seed, so a completion does not depend on what it was batched with.
Shapes: B rows of a batch, T tokens, V vocabulary, D model width.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path as FilePath
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList
from transformers.utils import logging as transformers_logging

from adjudge import Completion, ConfigError, JobError, Message

from .chat import encode
from .context import context_length
from .continuous import SHARED_TOKENS, ContinuousBatch, Row, shared_tokens, trouble
from .exact_head import keep_exact
from .packed_linear import pack
from .precision import automatic
from .sampler import SeededSampler
from .scoring import PathLogprobs, out_of_memory, shares_prompts
from .stop_below import Calibration, StopBelow, told_early
from .stop_strings import StopsAtText
from .texts import Texts
from .weights import load_model, load_tokenizer

log = logging.getLogger("adjudge.engines")
SCORE_TOKENS = {"cpu": 512}
"""Tokens of a batch that keep a device busy; on a CPU more of them only leave its caches."""


class HfSession:
    """A loaded model and tokenizer."""

    def __init__(
        self,
        folder: FilePath,
        *,
        batch_tokens: int,
        score_tokens: int | None,
        device: str | None,
        dtype: str,
        trust_remote_code: bool = False,
        quantization: str | None = None,
        stop_below: StopBelow | None = None,
        chat: object = None,
    ) -> None:
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        self.device = _device(device)
        self.tokenizer: Any = load_tokenizer(folder, trust_remote_code=trust_remote_code, chat=chat)
        dtype = automatic(folder, self.device.type) if dtype == "auto" and quantization is None else dtype
        precision = {"dtype": dtype} if quantization is None else packed_settings(quantization, self.device, dtype)
        model = load_model(folder, trust_remote_code=trust_remote_code, **precision)
        self.model: Any = (model.to(self.device) if quantization is None else model).eval()
        keep_exact(self.model)
        self.batch_tokens, self.stop_below = batch_tokens, stop_below
        self._trouble: str | None = ""
        """Why rows of this model cannot come and go; "" = not tried yet."""
        self._told = False
        self.texts = Texts(
            self.tokenizer,
            ends_of_turn=self.model.generation_config.eos_token_id,
            context=context_length(self.model.config.to_dict()),
        )
        self.eos = self.texts.eos
        pad = self.tokenizer.pad_token_id
        self.pad: int = self.eos[0] if pad is None else pad
        # Penalties and the like that a folder's generation settings bring would change what is sampled, and the log-probabilities.
        self.model.generation_config = GenerationConfig(eos_token_id=self.eos, pad_token_id=self.pad)
        self.paths = PathLogprobs(self.model, pad=self.pad, budget=score_tokens or SCORE_TOKENS.get(self.device.type, 8192))

    def close(self) -> None:
        del self.model, self.paths
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def encode(self, prompt: list[Message]) -> list[int]:
        """Token ids of a chat that asks the assistant to go on."""
        return encode(self.tokenizer, [prompt])[0]

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
        for index in (index for index, room in enumerate(rooms) if not room):
            yield index, self.texts.too_long(ids[index])
        order = [index for index in range(len(ids)) if rooms[index]]
        longest = max((len(ids[index]) + rooms[index] for index in order), default=0)
        sampled = self._by_row if self._can_share(longest) else self._by_batch
        yield from sampled(order, ids, rooms, seeds, temperature=temperature, top_p=top_p, stop=stop)

    def _can_share(self, longest: int) -> bool:
        """Whether rows of this length can share their prompts, come and go; it is told once where not."""
        if not shares_prompts(self.model, longest):
            reason: str | None = "its cache cannot be split into rows"
        else:
            self._trouble = trouble(self.model, self.pad) if self._trouble == "" else self._trouble
            reason = self._trouble
        if reason is not None and not self._told:
            self._told = True
            whole = "" if self.stop_below is None else ", and no judgement early (stop_below)"
            log.warning("engine hf: this model samples more slowly, each prompt anew and whole batches at a time%s: %s", whole, reason)
        return reason is None

    @cached_property
    def _packed(self) -> bool:
        """Lays out the weights for few rows at a time, when the first ones are sampled."""
        pack(self.model)
        return True

    @cached_property
    def _share(self) -> int | None:
        """Tokens of a prompt from which on rows share its keys and values; tried when the first such prompt comes."""
        return shared_tokens(self.model, self.pad)

    def _by_row(
        self, order: list[int], ids: list[list[int]], rooms: list[int], seeds: Sequence[int], *, stop: Sequence[str], **sampling: Any
    ) -> Iterator[tuple[int, Completion]]:
        """Prompts read once, rows that come and go."""
        assert self._packed
        # Longest first, so that too large a batch shows at once; prompts that begin alike, and samples of one prompt, side by side.
        order = sorted(order, key=lambda index: (-((len(ids[index]) + rooms[index]) // 32), ids[index], index))

        def row(index: int) -> Row:
            return Row(index, tuple(ids[index]), seeds[index], rooms[index])

        share = self._share if max((len(ids[index]) for index in order), default=0) > SHARED_TOKENS else None
        batch = partial(ContinuousBatch, self.model, self.tokenizer, pad=self.pad, eos=self.eos, stop=stop, share=share, **sampling)
        if self.stop_below is None:
            ended = self._rows(batch(), order, row)
        else:
            ended = self._rows_that_may_stop(batch(top=self.stop_below.top), self.stop_below, ids, order, row)
        for one in ended:
            made = self.texts.completion(one.tokens, one.logprobs, stop)
            yield one.index, told_early(made, one) if made.truncated else made

    def _rows_that_may_stop(
        self, batch: ContinuousBatch, options: StopBelow, ids: list[list[int]], order: list[int], row: Callable[[int], Row]
    ) -> Iterator[Row]:
        """The first samples of every prompt whole, and the others up to where the first ones say that they are not worth going on."""
        calibration = Calibration(options)
        first, rest = calibration.parts(ids, order)
        for one in self._rows(batch, first, lambda index: calibration.watch(row(index), first=True)):
            calibration.learn(one)
            yield one
        yield from self._rows(batch, rest, lambda index: calibration.watch(row(index), first=False))

    def _rows(self, batch: ContinuousBatch, order: list[int], row: Callable[[int], Row]) -> Iterator[Row]:
        """Rows as they end; where memory does not suffice, fewer at once."""
        while order:
            rows = [row(index) for index in order]
            columns = max(row.most for row in rows)
            done = set[int]()
            try:
                for ended in batch(rows, self.batch_tokens):
                    done.add(ended.index)
                    yield ended
            except (RuntimeError, MemoryError) as error:
                self._check_memory(error, min(len(rows), self.batch_tokens // columns), columns)
            order = [index for index in order if index not in done]
            if order:  # only here, where the error no longer holds on to the tensors of the batch
                batch.trunks.clear()
                self._halve(min(len(rows), self.batch_tokens // columns), columns)

    def _by_batch(
        self, order: list[int], ids: list[list[int]], rooms: list[int], seeds: Sequence[int], *, stop: Sequence[str],
        temperature: float, top_p: float,
    ) -> Iterator[tuple[int, Completion]]:  # fmt: skip
        """Whole batches through transformers' `generate`."""
        order = sorted(order, key=lambda index: -len(ids[index]))  # longest first, so that too large a batch shows at once
        while order:
            room = rooms[order[0]]  # one for the whole batch, which then does not leave the model's context
            alike = list(takewhile(lambda index, room=room: rooms[index] == room, order))  # type: ignore[misc]
            columns = len(ids[order[0]]) + room
            batch = alike[: max(1, self.batch_tokens // columns)]
            sampler = SeededSampler([seeds[i] for i in batch], room, temperature, top_p)
            try:
                tokens = self._generate([ids[i] for i in batch], sampler, room, stop)
            except (RuntimeError, MemoryError) as error:
                self._check_memory(error, len(batch), columns)
                tokens = []
            if not tokens:
                self._halve(len(batch), columns)
                continue
            logprobs = sampler.logprobs()
            for row, index in enumerate(batch):
                yield index, self.texts.completion(tokens[row], logprobs[row], stop)
            order = order[len(batch) :]

    @property
    def opens_with(self) -> str:
        """What the chat template writes before a judgement, where it begins the thinking itself."""
        return self.texts.opened

    def room(self, prompt: list[Message]) -> int | None:
        """Tokens that are left for a judgement behind this chat."""
        return self.texts.room(prompt)

    def _check_memory(self, error: BaseException, rows: int, columns: int) -> None:
        """Raise the error again unless memory ran out and half of these rows may fit."""
        if not out_of_memory(error):
            raise error
        if rows <= 1:
            raise JobError(
                f"engine hf: one judgement of up to {columns} tokens does not fit into memory.\n"
                "  Remedy: lower judge.max_new_tokens, set engine.dtype to bfloat16, or use a device with more memory."
            ) from error

    def _halve(self, rows: int, columns: int) -> None:
        self.batch_tokens = rows // 2 * columns
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning("engine hf: %d judgements at once do not fit into memory; going on with %d", rows, rows // 2)

    def _generate(self, prompts: list[list[int]], sampler: SeededSampler, max_new_tokens: int, stop: Sequence[str]) -> list[list[int]]:
        """New tokens of each row, prompts padded on the left."""
        width = max(map(len, prompts))
        ids_BT = torch.tensor([[self.pad] * (width - len(p)) + p for p in prompts], device=self.device)
        mask_BT = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        with torch.inference_mode():
            out_BT = self.model.generate(
                input_ids=ids_BT,
                attention_mask=mask_BT,
                logits_processor=LogitsProcessorList([sampler]),
                stopping_criteria=StoppingCriteriaList([StopsAtText(self.tokenizer, stop, width)] if stop else []),
                generation_config=GenerationConfig(
                    max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=self.eos, pad_token_id=self.pad
                ),
            )
        return [list(row) for row in out_BT[:, width:].tolist()]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return self.texts.tokenize(text, token_ids)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]], statistics: Sequence[str] = ()) -> list[Any]:
        start = self.texts.to_score(prompt, continuations)
        return _told(self.paths.numbers(start, continuations, statistics), statistics)

    def logprobs_each(
        self, prompts: Sequence[tuple[list[Message], Sequence[Sequence[int]]]], statistics: Sequence[str] = ()
    ) -> Iterator[tuple[int, list[Any]]]:
        """What `logprobs` says of every prompt, with its place; small groups of paths share batches."""
        groups = [(self.texts.to_score(chat, paths), paths) for chat, paths in prompts]
        return ((place, _told(rows, statistics)) for place, rows in self.paths.each(groups, statistics))


def _told(rows: list[list[list[float]]], statistics: Sequence[str]) -> list[Any]:
    """Every path's log-probabilities, or its numbers by name where there are more."""
    return [dict(zip(("logprob", *statistics), row, strict=True)) if statistics else row[0] for row in rows]


def packed_settings(quantization: str, device: torch.device, dtype: str) -> dict[str, Any]:
    """Settings of transformers for weights that bitsandbytes packs while they are loaded; its 8 bits are added up in float16."""
    from transformers import BitsAndBytesConfig

    if quantization == "8bit":
        packed = BitsAndBytesConfig(load_in_8bit=True)
    else:
        packed = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
        )
    precision = {"8bit": torch.float16, "4bit": torch.bfloat16}[quantization] if dtype == "auto" else dtype
    return {"dtype": precision, "quantization_config": packed, "device_map": {"": device}}


def _device(name: str | None) -> torch.device:
    """The device asked for, or CUDA where there is any, else CPU; where CUDA stands without a number, each process has a GPU of its own.

    Raises `ConfigError` where torch cannot use it, or processes would have to share it.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "cuda" and torch.cuda.is_available():
            device = _own_gpu(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"engine.device: {str(name or device)!r} cannot be used: {str(error).splitlines()[0]}\n"
            f"  Remedy: {'leave it out, or ' if name else ''}name a device that torch has, for example cpu."
        ) from None
    return device


def _own_gpu(device: torch.device) -> torch.device:
    """This process's GPU among those of the machine, by what torchrun says of it."""
    rank, processes = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device.index is not None and processes > 1:
        raise ConfigError(
            f"engine.device: all {processes} processes of this machine would have their model on {device}.\n"
            "  Remedy: leave it out; each process of a launch then takes a GPU of its own."
        )
    if rank >= torch.cuda.device_count():
        raise ConfigError(
            f"launch.processes: {processes} of them are on this machine, where torch finds {torch.cuda.device_count()} GPU(s); each takes"
            " one of its own.\n  Remedy: lower launch.processes, or see to CUDA_VISIBLE_DEVICES."
        )
    return device if device.index is not None or "LOCAL_RANK" not in os.environ else torch.device("cuda", rank)
