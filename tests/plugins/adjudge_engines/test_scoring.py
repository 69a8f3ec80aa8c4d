"""Scoring paths that share a prompt: the numbers of whole sequences one by one, whatever the model, the company and the memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import ConfigError, Message, Session
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_engines.packing import balanced, padded
from adjudge_engines.scoring import PathLogprobs
from adjudge_judges import ArithmeticJudge

STORIES = FilePath(__file__).parents[4] / "shared" / "data" / "stories260K" / "hf"
PROMPT = ArithmeticJudge().prompt(next(iter(ArithmeticDataset(size=1, part="test").load())), "given")
VOCABULARY = 97


def tokens(count: int, seed: int, size: int = VOCABULARY) -> list[int]:
    return random.Random(seed).choices(range(size), k=count)


def one_by_one(model: Any, prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[list[float]]:
    """From the model's own logits over each whole sequence."""
    found = []
    for path in paths:
        ids_BT = torch.tensor([[*prompt, *path]], device=model.device)
        with torch.inference_mode():
            logprob_TV = model(input_ids=ids_BT).logits[0].double().log_softmax(-1)
        found.append([float(logprob_TV[len(prompt) + place - 1, token]) for place, token in enumerate(path)])
    return found


def assert_same(found: list[list[float]], expected: list[list[float]], error: float = 1e-4) -> None:
    assert [len(values) for values in found] == [len(values) for values in expected]
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=error)


class Counted:
    """Tokens that a model's decoder reads."""

    def __init__(self, model: Any) -> None:
        self.tokens = 0
        model.get_decoder().register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: Any, arguments: Any, named: dict[str, Any]) -> None:
        self.tokens += (arguments[0] if arguments else named["input_ids"]).numel()

    def of(self, work: Callable[[], object]) -> int:
        before = self.tokens
        work()
        return self.tokens - before


SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 256,
    "initializer_range": 0.3,
}  # fmt: skip
GPT = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.3}
SHARING = [
    ("Llama", SIZES),
    ("Qwen2", SIZES),
    ("Qwen3", {**SIZES, "head_dim": 8}),
    ("GPT2", GPT),
    ("Phi", SIZES),
    ("Gemma2", {**SIZES, "head_dim": 8, "sliding_window": 128, "final_logit_softcapping": 2.0, "attn_logit_softcapping": 5.0}),
    ("Mistral", {**SIZES, "sliding_window": 128}),
    ("Cohere", {**SIZES, "logit_scale": 0.3}),
    ("Granite", {**SIZES, "logits_scaling": 3.0}),
    ("Mixtral", {**SIZES, "num_local_experts": 4}),
    ("Llama", {**SIZES, "attn_implementation": "eager"}),
    ("Phi3", {**SIZES, "original_max_position_embeddings": 128, "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [3.0] * 4,
        "original_max_position_embeddings": 128}}),
]  # fmt: skip
NOT_SHARING = [
    ("Gemma2", {**SIZES, "head_dim": 8, "sliding_window": 16}),
    ("Mistral", {**SIZES, "sliding_window": 16}),
    ("Mamba", {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.3}),
    ("Bloom", {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3}),
    ("Mpt", {"vocab_size": VOCABULARY, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 256, "initializer_range": 0.3}),
    ("GPTNeo", {
        "vocab_size": VOCABULARY, "hidden_size": 32, "num_layers": 2, "num_heads": 4, "window_size": 16,
        "attention_types": [[["global", "local"], 1]], "initializer_range": 0.3}),
    ("FalconH1", {**SIZES, "head_dim": 8, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}),
    ("Phi3", {**SIZES, "original_max_position_embeddings": 32, "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [3.0] * 4,
        "original_max_position_embeddings": 32}}),
    ("Llama", {**SIZES, "max_position_embeddings": 32, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}}),
]  # fmt: skip


def made(family: str, options: dict[str, Any]) -> Any:
    """A model with random weights, biases included."""
    torch.manual_seed(0)
    options = dict(options)
    attention = options.pop("attn_implementation", None)
    config = getattr(transformers, f"{family}Config")(**options)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return model


PATHS = [tokens(count, seed) for seed, count in enumerate((60, 1, 17, 0, 16, 3, 33, 1, 2))]


@pytest.mark.parametrize(("family", "options"), SHARING)
def test_the_prompt_is_read_once_and_the_numbers_are_those_of_whole_sequences(family: str, options: dict[str, Any]) -> None:
    model, prompt = made(family, options), tokens(40, 99)
    score, read = PathLogprobs(model, pad=0, budget=64), Counted(model)
    expected = one_by_one(model, prompt, PATHS)
    score(prompt, PATHS)  # the trial is over after it
    found: list[list[float]] = []
    assert read.of(lambda: found.extend(score(prompt, PATHS))) < 40 + 1.5 * sum(map(len, PATHS))
    assert_same(found, expected)


@pytest.mark.parametrize(("family", "options"), NOT_SHARING)
def test_a_model_whose_prompt_cannot_be_shared_scores_whole_sequences(
    family: str, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model, prompt = made(family, options), tokens(40, 99)
    score, read = PathLogprobs(model, pad=0, budget=256), Counted(model)
    expected = one_by_one(model, prompt, PATHS)
    score(prompt, PATHS)
    found: list[list[float]] = []
    whole = sum(40 + len(path) for path in PATHS if path)
    assert read.of(lambda: found.extend(score(prompt, PATHS))) >= whole
    assert_same(found, expected)
    said = capsys.readouterr().err
    assert said.count("scored more slowly") == (family in ("Bloom", "Mpt")), "only what the settings do not tell is found by trial"


def test_a_window_as_long_as_the_longest_sequence_is_shared_and_one_shorter_is_not() -> None:
    prompt, paths = tokens(20, 1), [tokens(12, 2), tokens(5, 3)]
    for window, shares in ((32, True), (31, False)):
        model = made("Mistral", {**SIZES, "sliding_window": window})
        score, read = PathLogprobs(model, pad=0, budget=256), Counted(model)
        expected = one_by_one(model, prompt, paths)
        score(prompt, paths)
        assert (read.of(lambda score=score: score(prompt, paths)) < 57) == shares  # type: ignore[misc]
        assert_same(score(prompt, paths), expected)


def test_an_unknown_change_of_the_logits_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a model does after its head, the numbers are its own."""
    model, prompt, paths = made("Llama", SIZES), tokens(9, 1), [tokens(12, 2), tokens(5, 3)]
    model.lm_head.register_forward_hook(lambda module, arguments, logits: logits * 1.7)
    assert_same(PathLogprobs(model, pad=0, budget=256)(prompt, paths), one_by_one(model, prompt, paths))
    assert "nats per token" in capsys.readouterr().err


@pytest.fixture(scope="module")
def embedded_session(embedded: FilePath) -> Iterator[Session]:
    with HfEngine().open(embedded) as opened:
        yield opened


def check_session(session: Any, prompt: list[Message]) -> None:
    """Every case of the contract, against whole sequences one by one."""
    start, size = session.encode(prompt), session.model.config.vocab_size
    paths = [tokens(count, count, size) for count in (90, 1, 30, 0, 7, 2, 31)]
    paths += [[*start, 5], start[:1], paths[0][:12]]
    expected = one_by_one(session.model, start, paths)
    assert_same(session.logprobs(prompt, paths), expected)
    for path, values in zip(paths, expected, strict=True):
        assert_same(session.logprobs(prompt, [path]), [values])
    assert session.logprobs(prompt, []) == []
    assert session.logprobs(prompt, [[]]) == [[]]


def test_the_embedded_judge(embedded_session: Session) -> None:
    check_session(embedded_session, PROMPT)


@pytest.mark.realdata
@pytest.mark.skipif(not STORIES.is_dir(), reason=f"no real model at {STORIES}")
def test_a_trained_model() -> None:
    with HfEngine().open(STORIES) as opened:
        check_session(opened, [{"role": "user", "content": "Once upon a time there was a"}])
        longer: list[Message] = [{"role": "user", "content": "Once upon a time there was a little dog. One day"}]
        check_session(opened, longer)  # whose beginning is the prompt before


@pytest.mark.parametrize("length", [1, 2])
def test_a_prompt_of_one_token_and_a_prompt_that_begins_another(length: int) -> None:
    model, prompt = made("Llama", SIZES), tokens(length, 5)
    assert_same(PathLogprobs(model, pad=0, budget=64)(prompt, PATHS), one_by_one(model, prompt, PATHS))


def test_neither_order_nor_company_nor_budget_changes_a_path(embedded_session: Any) -> None:
    paths = [tokens(count, count, 288) for count in (44, 3, 21, 21, 8, 60, 1)]
    together = embedded_session.logprobs(PROMPT, paths)
    assert_same(embedded_session.logprobs(PROMPT, paths[::-1])[::-1], together, 1e-5)
    assert_same([embedded_session.logprobs(PROMPT, [path])[0] for path in paths], together, 1e-5)
    start = embedded_session.encode(PROMPT)
    for budget in (1, 50, 100):
        assert_same(PathLogprobs(embedded_session.model, pad=0, budget=budget)(start, paths), together, 1e-5)


class Crowded:
    """A decoder that has memory for so many tokens at a time, as torch says it."""

    def __init__(self, model: Any, room: int, error: type[BaseException], words: str) -> None:
        self.room, self.error, self.words, self.failures = room, error, words, 0
        model.get_decoder().register_forward_pre_hook(self._check, with_kwargs=True)

    def _check(self, module: Any, arguments: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].numel() > self.room:
            self.failures += 1
            raise self.error(self.words)


ERRORS = [
    (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
    (MemoryError, ""),
    (RuntimeError, "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
]


@pytest.mark.parametrize(("error", "words"), ERRORS)
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(error: type[BaseException], words: str) -> None:
    model, prompt = made("Llama", SIZES), tokens(20, 7)
    paths = [tokens(count, count) for count in (30, 30, 20, 10, 30, 5, 30, 30)]
    expected = one_by_one(model, prompt, paths)
    score = PathLogprobs(model, pad=0, budget=4096)
    score(prompt, paths[:2])
    crowded = Crowded(model, 64, error, words)
    assert_same(score(prompt, paths), expected)
    assert crowded.failures
    before = crowded.failures
    assert_same(score(prompt, paths), expected)
    assert crowded.failures == before, "the session remembers what fits"


def test_one_path_that_does_not_fit_and_other_errors_are_raised() -> None:
    for words, message in (("can't allocate memory", "allocate"), ("mat1 and mat2 shapes", "shapes")):
        model = made("Llama", SIZES)
        score = PathLogprobs(model, pad=0, budget=4096)
        score(tokens(5, 0), PATHS)
        Crowded(model, 40, RuntimeError, words)
        with pytest.raises(RuntimeError, match=message):
            score(tokens(5, 0), PATHS)


def test_what_the_model_cannot_read_is_said(embedded_session: Session) -> None:
    with pytest.raises(ConfigError, match=r"the token 288, and the model knows those below 288\.\n  Remedy"):
        embedded_session.logprobs(PROMPT, [[5], [7, 288]])
    with pytest.raises(ConfigError, match="prompt has no tokens"):
        PathLogprobs(made("Llama", SIZES), pad=0, budget=64)([], [[5]])


LENGTHS = st.lists(st.integers(0, 300), min_size=1, max_size=40).map(lambda found: sorted(found, reverse=True))


@given(lengths=LENGTHS, prompt=st.integers(1, 5000), budget=st.integers(1, 2000), dimension=st.integers(1, 4096))
@settings(max_examples=200)
def test_a_batch_takes_the_longest_paths_that_fit(lengths: list[int], prompt: int, budget: int, dimension: int) -> None:
    rows = balanced(lengths, prompt, budget, dimension)
    taken = sorted(index for row in rows for index in row)
    assert taken == list(range(len(taken))), "each once, longest first"
    assert sum(lengths[: len(taken)]) <= budget or len(taken) == 1
    assert len(taken) == len(lengths) or sum(lengths[: len(taken) + 1]) > budget
    assert padded([max(1, length) for length in lengths], budget)[0] == [0]


def test_equal_paths_lie_side_by_side_and_short_ones_on_top_of_each_other() -> None:
    assert balanced([100] * 8, 50, 4096, 512) == [[index] for index in range(8)]
    rows = balanced([100] + [10] * 20, 400, 4096, 512)
    widths = [sum(([100] + [10] * 20)[index] for index in row) for row in rows]
    assert len(rows) <= 3
    assert max(widths) * len(rows) <= 320, "of 300 tokens"


NAMES = ("entropy", "log_z", "mean_logit", "p_squared", "rank", "top_logprob", "top20_logprob")


def numbers_one_by_one(model: Any, prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[dict[str, list[float]]]:
    """From the model's own logits over each whole sequence, in float64."""
    found = []
    for path in paths:
        with torch.inference_mode():
            logit_TV = model(input_ids=torch.tensor([[*prompt, *path]])).logits[0, len(prompt) - 1 : len(prompt) + len(path) - 1].double()
        logprob_TV = logit_TV.log_softmax(-1)
        logprob_T1 = logprob_TV.gather(1, torch.tensor(path, dtype=torch.long)[:, None])
        values = {
            "entropy": -(logprob_TV.exp() * logprob_TV).sum(-1), "log_z": logit_TV.logsumexp(-1), "mean_logit": logit_TV.mean(-1),
            "p_squared": logprob_TV.exp().square().sum(-1), "rank": 1 + (logprob_TV > logprob_T1).sum(-1),
            "top_logprob": logprob_TV.amax(-1), "top20_logprob": logprob_TV.sort(descending=True).values[:, :20].mean(-1),
        }  # fmt: skip
        found.append({name: value_T.tolist() for name, value_T in values.items()})
    return found


@pytest.mark.parametrize(
    ("family", "options"), [SHARING[0], SHARING[5], NOT_SHARING[1], NOT_SHARING[2], NOT_SHARING[4]],
    ids=["prompt shared", "soft cap", "whole sequences", "state", "own logits"],
)  # fmt: skip
def test_statistics_are_those_of_whole_sequences(family: str, options: dict[str, Any]) -> None:
    """By every strategy; an empty path has none."""
    model, prompt = made(family, options), tokens(11, 99)
    found = PathLogprobs(model, pad=0, budget=64).numbers(prompt, PATHS, NAMES)
    plain = PathLogprobs(model, pad=0, budget=64)(prompt, PATHS)
    for rows, logprobs, expected in zip(found, plain, numbers_one_by_one(model, prompt, PATHS), strict=True):
        assert rows[0] == pytest.approx(logprobs, abs=1e-5)
        for name, row in zip(NAMES, rows[1:], strict=True):
            assert row == pytest.approx(expected[name], abs=1e-3), name


def test_the_engine_gives_statistics_by_name(embedded_session: Any) -> None:
    path = list(embedded_session.tokenize("7+8=15 \\boxed{Assistant 1}").token_ids)
    told, nothing = embedded_session.logprobs(PROMPT, [path, []], statistics=["rank", "entropy"])
    assert told["logprob"] == pytest.approx(embedded_session.logprobs(PROMPT, [path])[0], abs=1e-5)
    assert [*told] == ["logprob", "rank", "entropy"]
    assert all(rank >= 1 and rank == int(rank) for rank in told["rank"])
    assert nothing == {"logprob": [], "rank": [], "entropy": []}
