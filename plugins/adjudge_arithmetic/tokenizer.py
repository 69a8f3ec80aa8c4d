"""Builds the world's tokenizer: a real Qwen2-style byte-level BPE with a small vocabulary and a ChatML template.

transformers builds a `Qwen2Tokenizer` for any folder whose config says ``qwen2``, whatever class saved it; so this one has
exactly that class's pre-tokenizer and special tokens, and a test checks the round trip.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from .traces import Habits, write_trace
from .world import LEVELS, draw

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VOCABULARY = 288
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def corpus(seed: int, size: int = 400) -> list[str]:
    """Traces of every kind and the role names: what the merges are learned from."""
    rng = random.Random(seed)
    texts = ["user\n", "assistant\n"] * size
    for _ in range(size):
        question = draw(rng.choice(LEVELS), rng)
        texts.append(write_trace(question.a, question.b, (question.right, question.wrong), Habits(guess=0.5), rng))
    return texts


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerBase:
    """Train the tokenizer on the world's own texts; the same seed gives the same vocabulary."""
    return learn_tokenizer(corpus(seed), VOCABULARY, longest=256)


def learn_tokenizer(texts: list[str], size: int, longest: int) -> PreTrainedTokenizerBase:
    """A tokenizer of so many tokens, its merges learned from these texts; `longest` is what a model of it reads at most, in tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    qwen2 = Qwen2Tokenizer().backend_tokenizer
    learner = Tokenizer(models.BPE())
    learner.normalizer = qwen2.normalizer
    learner.pre_tokenizer = qwen2.pre_tokenizer
    learner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - 3,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    state = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in state["merges"]]
    return Qwen2Tokenizer(
        vocab=state["vocab"],
        merges=merges,
        unk_token=None,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START, END],
        chat_template=CHAT_TEMPLATE,
        model_max_length=longest,
    )
