"""The `hf` engine's options: a transformers model in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Engine, Json, Message, Session

from .chat_template import template_of
from .installed import require, versions_of
from .precision import fast_bfloat16
from .stop_below import StopBelow

if TYPE_CHECKING:
    from adjudge_plan import Sampling

Precision = Literal["auto", "float32", "bfloat16", "float16"]
WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
"""Bytes of a weight by its precision; ``auto`` = as they are stored."""
PACKED_BYTES = {"8bit": 1.0, "4bit": 0.5}


class HfEngine(Engine):
    """A transformers causal language model in this process, on the GPU where there is one."""

    statistics: ClassVar[frozenset[str]] = frozenset(
        {"entropy", "log_z", "mean_logit", "p_squared", "rank", "top_logprob", "top20_logprob"}
    )
    without_effect: ClassVar[frozenset[str]] = frozenset({"batch_tokens", "score_tokens"})
    later: ClassVar[frozenset[str]] = frozenset({"quantization", "stop_below", "chat_template", "chat_template_kwargs"})

    use: Literal["hf"] = "hf"
    batch_tokens: Annotated[int, Field(gt=0)] = 65536
    """Prompt and new tokens of one batch, padding included."""
    score_tokens: Annotated[int, Field(gt=0)] | None = None
    """Tokens of one batch when given paths are scored, halved when it does not fit; None = 512 on a CPU, 8192 elsewhere."""
    device: str | None = None
    """As torch writes it, for example ``cuda:1``; None = CUDA where there is one, else CPU."""
    dtype: Precision = "auto"
    """Precision of the weights; ``auto`` = bfloat16 on a CPU that multiplies it by itself for models of 64 million weights or more, else as
    they are stored."""
    trust_remote_code: bool = False
    """Whether Python code that lies in the model folder may run, here and in training; read it first."""
    quantization: Literal["8bit", "4bit"] | None = None
    """Pack the weights into so many bits while they are loaded, through bitsandbytes; None = not. Training is not touched by it."""
    stop_below: StopBelow | None = None
    """End judgements early that look hopeless; None = none. What ends early depends on the other samples of its prompt in the same call."""

    chat_template: str | None = None
    """A Jinja file, or the template itself, in place of the model's own; a model that is trained so keeps it."""
    chat_template_kwargs: dict[str, Any] = {}
    """Arguments of the chat template, such as ``{enable_thinking: false}``; a model that is trained so keeps them."""

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        require("train", "torch", "transformers")
        if self.quantization is not None:
            require("qlora", "bitsandbytes")
        from .hf import HfSession

        session = HfSession(
            model,
            batch_tokens=self.batch_tokens,
            score_tokens=self.score_tokens,
            device=self.device,
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
            quantization=self.quantization,
            stop_below=self.stop_below,
            chat=self,
        )
        try:
            yield session
        finally:
            session.close()

    def fingerprint(self) -> Json | None:
        """Every option but the sizes of batches, on which no completion depends, and the versions of what samples."""
        options = self.model_dump(mode="json", exclude=set(self.without_effect))
        packed = versions_of("bitsandbytes") if self.quantization else {}
        packed |= {"bfloat16": "where it gains"} if self.dtype == "auto" and self.quantization is None and fast_bfloat16() else {}
        return {**options, **template_of(self), **packed, **versions_of("torch", "transformers", "tokenizers")}

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        from .chat import count_tokens_of_model

        return count_tokens_of_model(model, prompts, self)

    def sampling_load(self, sequence: int) -> Sampling | None:
        """A batch, or one sequence that is longer than that."""
        from adjudge_plan import Sampling

        in_bytes = WEIGHT_BYTES.get(self.dtype) if self.quantization is None else PACKED_BYTES[self.quantization]
        return None if self.device == "cpu" else Sampling(max(self.batch_tokens, sequence), in_bytes)
