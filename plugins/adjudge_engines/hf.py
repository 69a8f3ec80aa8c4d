"""The `hf` session: batched sampling with per-prompt seeds through transformers' `generate`, and log-probabilities of given tokens.

Each completion has random numbers of its own, drawn from its seed, so a completion does not depend on what it was batched with.
Shapes: B rows of a batch, T tokens, V vocabulary, D model width.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LogitsProcessorList
from transformers.utils import logging as transformers_logging

from adjudge import Completion, ConfigError, Message, PromptTooLong, defused
from adjudge_rstar import token_logprobs

from .ends import TokenEnds
from .sampler import SeededSampler

LOGIT_CHANGES = ("final_logit_softcapping", "logits_scaling", "logit_scale")
"""Settings of models whose logits are more than hidden states times the head."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")


class HfSession:
    """A loaded model and tokenizer."""

    def __init__(self, folder: FilePath, *, batch_tokens: int, device: str | None, dtype: str) -> None:
        _check_folder(folder)
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        self.device = _device(device)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(self.device).eval()
        self.batch_tokens = batch_tokens
        self.context: int | None = getattr(self.model.config, "max_position_embeddings", None)
        self.eos = _ends_of_turn(self.model, self.tokenizer)
        pad = self.tokenizer.pad_token_id
        self.pad: int = self.eos[0] if pad is None else pad
        # Penalties and the like that a folder's generation settings bring would change what is sampled, and the log-probabilities.
        self.model.generation_config = GenerationConfig(eos_token_id=self.eos, pad_token_id=self.pad)
        self.ends = TokenEnds(self.tokenizer)

    def close(self) -> None:
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def encode(self, prompt: list[Message]) -> list[int]:
        """Token ids of a chat that asks the assistant to go on."""
        turns = defused(prompt, self.tokenizer)
        if self.tokenizer.chat_template is None:
            return list(self.tokenizer("\n".join(turn["content"] for turn in turns))["input_ids"])
        return list(self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False))

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int
    ) -> Iterator[tuple[int, Completion]]:
        ids = [self.encode(prompt) for prompt in prompts]
        for index, prompt in enumerate(ids):
            if self.context is not None and len(prompt) + max_new_tokens > self.context:
                raise PromptTooLong(index, len(prompt), self.context, max_new_tokens)
        for batch in self._batches([len(prompt) + max_new_tokens for prompt in ids]):
            sampler = SeededSampler([seeds[i] for i in batch], max_new_tokens, temperature, top_p)
            tokens = self._generate([ids[i] for i in batch], sampler, max_new_tokens)
            logprobs = sampler.logprobs()
            for row, index in enumerate(batch):
                yield index, self._completion(tokens[row], logprobs[row])

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Indices in batches of similar length, longest first, so that too large a batch shows at once."""
        order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        while order:
            size = max(1, self.batch_tokens // lengths[order[0]])
            yield order[:size]
            order = order[size:]

    def _generate(self, prompts: list[list[int]], sampler: SeededSampler, max_new_tokens: int) -> list[list[int]]:
        """New tokens of each row, prompts padded on the left."""
        width = max(map(len, prompts))
        ids_BT = torch.tensor([[self.pad] * (width - len(p)) + p for p in prompts], device=self.device)
        mask_BT = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.device)
        with torch.inference_mode():
            out_BT = self.model.generate(
                input_ids=ids_BT,
                attention_mask=mask_BT,
                logits_processor=LogitsProcessorList([sampler]),
                generation_config=GenerationConfig(
                    max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=self.eos, pad_token_id=self.pad
                ),
            )
        return [list(row) for row in out_BT[:, width:].tolist()]

    def _completion(self, tokens: list[int], logprobs: Sequence[float]) -> Completion:
        """Tokens up to and with the end of turn; without one the completion is truncated."""
        stop = next((i + 1 for i, token in enumerate(tokens) if token in self.eos), None)
        kept = tuple(tokens if stop is None else tokens[:stop])
        text, ends = self.ends(kept)
        return Completion(text, kept, ends, tuple(round(value, 7) for value in logprobs[: len(kept)]), truncated=stop is None)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        start = self.encode(prompt)
        found: list[list[float]] = [[] for _ in continuations]
        for batch in self._batches([len(start) + len(tokens) for tokens in continuations]):
            for row, values in zip(batch, self._score(start, [list(continuations[i]) for i in batch]), strict=True):
                found[row] = values
        return found

    def _score(self, start: list[int], continuations: list[list[int]]) -> list[list[float]]:
        """Padded on the right; a token is predicted from the hidden state just before it."""
        width = max(len(start) + len(tokens) for tokens in continuations)
        rows = [start + tokens for tokens in continuations]
        ids_BT = torch.tensor([row + [self.pad] * (width - len(row)) for row in rows], device=self.device)
        mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)
        kept_BT = mask_BT.bool().clone()
        kept_BT[:, : len(start)] = False
        with torch.inference_mode():
            values = self._token_logprobs(ids_BT, mask_BT, kept_BT)
        return [part.tolist() for part in values.split([len(tokens) for tokens in continuations])]

    def _token_logprobs(self, ids_BT: Tensor, mask_BT: Tensor, kept_BT: Tensor) -> Tensor:
        """Log-probability of every kept token, row after row.

        Without ever holding all logits where they are hidden states times a plain head; the model's own logits where they are not.
        """
        head, target_T = self.model.get_output_embeddings(), ids_BT[kept_BT]
        if getattr(head, "bias", None) is None and not any(getattr(self.model.config, name, None) for name in LOGIT_CHANGES):
            hidden_BTD = self.model.get_decoder()(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
            return token_logprobs(hidden_BTD[:, :-1][kept_BT[:, 1:]], head.weight, target_T)
        logits_BTV = self.model(input_ids=ids_BT, attention_mask=mask_BT).logits
        logprob_TV = logits_BTV[:, :-1][kept_BT[:, 1:]].float().log_softmax(-1)
        return logprob_TV.gather(-1, target_T.unsqueeze(-1)).squeeze(-1)


def _device(name: str | None) -> torch.device:
    """The device asked for, or CUDA where there is one, else CPU; `ConfigError` when torch cannot use it."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise ConfigError(
            f"engine.device: {name!r} cannot be used: {reason}\n  Remedy: leave it out, or name a device that torch has."
        ) from None
    return device


def _ends_of_turn(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a judgement: the generation settings' and the tokenizer's, as TRL has it too."""
    found = model.generation_config.eos_token_id
    listed = found if isinstance(found, list) else [] if found is None else [found]
    return [*listed, *({tokenizer.eos_token_id} - {None, *listed})]


def _check_folder(folder: FilePath) -> None:
    """A folder that transformers would refuse, or worse, take for something else, is the user's to put right."""
    config = folder / "config.json"
    if not config.is_file():
        raise ConfigError(
            f"model: {folder} has no config.json, so it is not a model folder.\n  Remedy: name a folder saved by transformers."
        )
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"model: {config} is not JSON: {error}") from None
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ConfigError(
            f"model: {folder} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)}).\n"
            "  Remedy: save the tokenizer into the same folder: tokenizer.save_pretrained(FOLDER)."
        )
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"model: {folder} has no *.safetensors weights.\n  Remedy: save the model there: model.save_pretrained(FOLDER).")
