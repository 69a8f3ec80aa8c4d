"""The ways to score many paths of one prompt that `path_scoring.py` compares, and models of random weights to compare them on.

A method is made for a model and a number of tokens per batch, and takes a prompt and paths of token ids. All get the same number of tokens.
Shapes: B rows, T tokens of a row, V vocabulary.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
Run = Callable[[Sequence[int], Sequence[Sequence[int]]], list[list[float]]]
Group = tuple[Sequence[int], Sequence[Sequence[int]]]
"""A prompt and its paths. A method with `each` takes many of these in one call."""

MODELS: dict[str, dict[str, Any]] = {
    "0.1b": {
        "vocab_size": 32768, "hidden_size": 512, "intermediate_size": 2816, "num_hidden_layers": 12,
        "num_attention_heads": 8, "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "1.5b": {
        "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "7b": {
        "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False,
    },
    "quick": {
        "vocab_size": 500, "hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
}  # fmt: skip
"""Settings of Qwen2; 0.1b has a head that is as large a share of the model as in one of a billion parameters and 151,936 tokens."""


def build(name: str, device: str) -> Any:
    """A model of this shape with random weights, or the one in this folder."""
    from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

    if name not in MODELS:
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        return AutoModelForCausalLM.from_pretrained(name, dtype=dtype).to(device).eval()
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2ForCausalLM(Qwen2Config(**MODELS[name], max_position_embeddings=32768))
    return model.to(torch.float32 if device == "cpu" else torch.bfloat16).eval()


def ours() -> Any:
    """Our module; where adjudge is not installed its folders stand in for the packages: scoring needs torch and transformers alone."""
    if "adjudge" not in sys.modules and importlib.util.find_spec("adjudge") is None:
        for name, folder in (("adjudge", "core"), ("adjudge_rstar", "plugins"), ("adjudge_engines", "plugins")):
            package = types.ModuleType(name)
            package.__path__ = [str(ROOT / folder / name)]
            sys.modules[name] = package
        sys.modules["adjudge"].__dict__["__getattr__"] = _public_name
        options = {"temperature": 1.0, "ignore_index": -100, "entropy": False, "backend": "auto", "workspace_mib": None}
        logprobs = importlib.import_module("adjudge_rstar.logprobs").token_logprobs
        head = importlib.import_module("adjudge_rstar.head").Head
        sys.modules["adjudge_rstar"].__dict__.update({"token_logprobs": partial(logprobs, **options), "Head": head})
    return importlib.import_module("adjudge_engines.scoring")


def _public_name(name: str) -> Any:
    """An error class of adjudge; of what scoring imports and does not call, the name alone."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(importlib.import_module("adjudge.errors"), name, object)


def adjudge_shared(model: Any, tokens: int) -> Run:
    return ours().PathLogprobs(model, pad=0, budget=tokens)  # type: ignore[no-any-return]


def adjudge_whole(model: Any, tokens: int) -> Run:
    """Our head without sharing."""
    strategies = importlib.import_module(f"{ours().__package__}.strategies")

    def run(prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[list[float]]:
        strategy = strategies.WholeSequences(model, prompt, 0)
        size = max(1, tokens // (len(prompt) + max(map(len, paths))))
        batches = [paths[start : start + size] for start in range(0, len(paths), size)]
        return _by_path(paths, torch.cat([strategy.score([[path] for path in batch])[0] for batch in batches]))

    return run


def _by_path(paths: Sequence[Sequence[int]], value_T: Tensor) -> list[list[float]]:
    return [part_T.tolist() for part_T in value_T.split([len(path) for path in paths])]


def _in_batches(model: Any, tokens: int, score: Callable[[Tensor, Tensor, int], Tensor]) -> Run:
    """Rows of prompt and path, padded on the right; `score` gives the log-probabilities of all tokens after the prompt, (B, T - P)."""

    def run(prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[list[float]]:
        found: list[list[float]] = []
        size = max(1, tokens // (len(prompt) + max(map(len, paths))))
        for start in range(0, len(paths), size):
            batch = paths[start : start + size]
            width = max(map(len, batch))
            ids = [[*prompt, *path, *[0] * (width - len(path))] for path in batch]
            mask = [[1] * (len(prompt) + len(path)) + [0] * (width - len(path)) for path in batch]
            ids_BT, mask_BT = (torch.tensor(rows, device=model.device) for rows in (ids, mask))
            values = score(ids_BT, mask_BT, len(prompt)).tolist()
            found += [row[: len(path)] for row, path in zip(values, batch, strict=True)]
        return found

    return run


def plain(model: Any, tokens: int) -> Run:
    """All logits of prompt and path."""

    def score(ids_BT: Tensor, mask_BT: Tensor, prompt: int) -> Tensor:
        logprob_BTV = model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).logits.float().log_softmax(-1)
        return logprob_BTV[:, prompt - 1 : -1].gather(-1, ids_BT[:, prompt:, None])[..., 0]

    return _in_batches(model, tokens, score)


def kept(model: Any, tokens: int) -> Run:
    """Logits of the path's places alone."""

    def score(ids_BT: Tensor, mask_BT: Tensor, prompt: int) -> Tensor:
        places = ids_BT.shape[1] - prompt + 1
        logits_BTV = model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False, logits_to_keep=places).logits
        return logits_BTV[:, :-1].float().log_softmax(-1).gather(-1, ids_BT[:, prompt:, None])[..., 0]

    return _in_batches(model, tokens, score)


def trl(model: Any, tokens: int) -> Run:
    """As GRPOTrainer asks for per-token log-probabilities: rows of prompt and path through its fused head."""
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model)

    def score(ids_BT: Tensor, mask_BT: Tensor, prompt: int) -> Tensor:
        label_BT = ids_BT.masked_fill(mask_BT == 0, -100)
        label_BT[:, :prompt] = -100
        found: Tensor = model(input_ids=ids_BT, attention_mask=mask_BT, labels=label_BT, fused_lm_head=True).log_probs
        return found[:, prompt - 1 :]

    return _in_batches(model, tokens, score)


class Vllm:
    """`prompt_logprobs` of an engine of its own that holds the same weights."""

    def __init__(self, model: Any, tokens: int) -> None:
        os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")  # as many cores as the others have
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        from vllm import LLM, SamplingParams

        cpu = model.device.type == "cpu"  # where vLLM cannot read a prompt in pieces: it has to take the longest whole
        room: dict[str, Any] = {"kv_cache_memory_bytes": 2**30, "enable_chunked_prefill": False, "max_model_len": tokens} if cpu else {}
        dtype = str(model.dtype).removeprefix("torch.")
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            self.engine = LLM(
                folder, skip_tokenizer_init=True, enable_prefix_caching=True, max_num_batched_tokens=tokens, dtype=dtype,
                **(room or {"gpu_memory_utilization": 0.4}),
            )  # fmt: skip
        self.options = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)

    def __call__(self, prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[list[float]]:
        return dict(self.each([(prompt, paths)]))[0]

    def each(self, groups: Sequence[Group]) -> Iterator[tuple[int, list[list[float]]]]:
        """All paths of all prompts in one call."""
        asked = [{"prompt_token_ids": [*prompt, *path]} for prompt, paths in groups for path in paths]
        answers = iter(self.engine.generate(asked, self.options, use_tqdm=False))
        for place, (prompt, paths) in enumerate(groups):
            rows = [next(answers).prompt_logprobs[len(prompt) :] for _ in paths]
            yield place, [[one[token].logprob for one, token in zip(row, path, strict=True)] for row, path in zip(rows, paths, strict=True)]


@dataclass(frozen=True)
class Method:
    make: Callable[[Any, int], Run]
    devices: tuple[str, ...] = ("cpu", "cuda")
    needs: tuple[str, ...] = ()


METHODS = {
    "plain loop": Method(plain),
    "logits_to_keep": Method(kept),
    "TRL": Method(trl, needs=("trl",)),
    "vLLM": Method(Vllm, needs=("vllm",)),
    "adjudge, whole": Method(adjudge_whole),
    "adjudge": Method(adjudge_shared),
}


def usable(device: str) -> tuple[list[str], dict[str, str]]:
    """Methods that this machine can run, and why it cannot run the others."""
    missing: dict[str, str] = {}
    for name, method in METHODS.items():
        absent = [needed for needed in method.needs if importlib.util.find_spec(needed) is None]
        if device not in method.devices:
            missing[name] = f"not made for {device}"
        elif absent:
            missing[name] = f"{', '.join(absent)} is not installed"
    return [name for name in METHODS if name not in missing], missing
