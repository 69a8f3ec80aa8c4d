"""The `vllm` engine beside `hf` on the embedded judge: the same greedy texts, spans, log-probabilities, and memory given back."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Completion, ConfigError, JobError, Message, Session
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, VllmEngine
from adjudge_judges import ArithmeticJudge

ENGINE = VllmEngine(dtype="float32", eager=True, extra={"kv_cache_memory_bytes": 2**28})
COPIES = ENGINE.model_copy(update={"data_parallel": 2})
JUDGE = ArithmeticJudge()
PROMPTS = [JUDGE.prompt(problem, "given") for problem in ArithmeticDataset(size=48, levels=[1, 2, 3, 4], part="test").load()]
SEEDS = list(range(len(PROMPTS)))
NEAR = 1e-3
"""Nats per token."""


@pytest.fixture(scope="module", params=[ENGINE, COPIES], ids=["one", "two copies"])
def session(embedded: FilePath, request: pytest.FixtureRequest) -> Iterator[Session]:
    with request.param.open(embedded) as opened:
        yield opened


@pytest.fixture(scope="module")
def hf(embedded: FilePath) -> Iterator[Session]:
    with HfEngine(dtype="float32").open(embedded) as opened:
        yield opened


def sample(
    session: Session, prompts: list[list[Message]], seeds: list[int], temperature: float = 1.0, **options: float
) -> list[Completion]:
    top_p, tokens = options.get("top_p", 1.0), int(options.get("tokens", 112))
    found = dict(session.sample(prompts, seeds=seeds, temperature=temperature, top_p=top_p, max_new_tokens=tokens))
    return [found[index] for index in range(len(prompts))]


def ids(completions: list[Completion]) -> list[tuple[int, ...]]:
    return [one.token_ids for one in completions]


# Beside hf ----------------------------------------------------------------------------------------------------------------


def test_greedy_texts_tokens_and_spans_are_those_of_hf(session: Session, hf: Session) -> None:
    ours, theirs = sample(session, PROMPTS, SEEDS, temperature=0), sample(hf, PROMPTS, SEEDS, temperature=0)
    assert [(one.text, one.token_ids, one.token_ends, one.truncated) for one in ours] == [
        (one.text, one.token_ids, one.token_ends, one.truncated) for one in theirs
    ]
    assert [JUDGE.parse(one.text) for one in ours] == [JUDGE.parse(one.text) for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=NEAR)


def test_logprobs_of_what_is_sampled_are_those_at_temperature_one(session: Session, hf: Session) -> None:
    for prompt, one in zip(PROMPTS, sample(session, PROMPTS, SEEDS, temperature=0.7, top_p=0.9), strict=True):
        assert one.logprobs == pytest.approx(hf.logprobs(prompt, [one.token_ids])[0], abs=NEAR)
        assert one.logprobs == pytest.approx(session.logprobs(prompt, [one.token_ids])[0], abs=NEAR)


def test_logprobs_of_given_tokens_are_those_of_hf(session: Session, hf: Session) -> None:
    sampled = ids(sample(hf, [PROMPTS[0]] * 4, [0, 1, 2, 3]))
    given = [*sampled, sampled[0][:1], (), (7,), (1, 2, 3, 250)]
    for values, expected in zip(session.logprobs(PROMPTS[0], given), hf.logprobs(PROMPTS[0], given), strict=True):
        assert values == pytest.approx(expected, abs=NEAR)


def test_a_path_may_fill_the_context(session: Session, hf: Session, embedded: FilePath) -> None:
    context = json.loads((embedded / "config.json").read_text())["max_position_embeddings"]
    room = context - len(hf.encode(PROMPTS[0]))  # type: ignore[attr-defined]
    path = ([5, 17, 200, 33] * context)[:room]
    assert session.logprobs(PROMPTS[0], [path])[0] == pytest.approx(hf.logprobs(PROMPTS[0], [path])[0], abs=NEAR)
    with pytest.raises(ConfigError, match=f"{context + 1} tokens; the model takes {context}"):
        session.logprobs(PROMPTS[0], [[*path, 5]])


def test_texts_become_tokens_as_with_hf(session: Session, hf: Session) -> None:
    text = "3+1+0=04\nsum 94\n1 95 no\n2 94 yes\n\\boxed{Assistant 2}"
    assert session.tokenize(text) == hf.tokenize(text)
    assert session.tokenize(text, (7,)) == hf.tokenize(text, (7,))


# Sampling -----------------------------------------------------------------------------------------------------------------


def test_a_completion_depends_on_its_prompt_and_seed_alone(session: Session) -> None:
    together = sample(session, PROMPTS, SEEDS)
    assert ids(together) == ids(sample(session, PROMPTS, SEEDS))
    assert ids(together) == ids(sample(session, PROMPTS[::-1], SEEDS[::-1])[::-1])
    assert ids(together[:3]) == [ids(sample(session, [PROMPTS[place]], [SEEDS[place]]))[0] for place in range(3)]
    assert ids(together) != ids(sample(session, PROMPTS, [seed + 1 for seed in SEEDS]))


def test_large_seeds_are_told_apart(session: Session) -> None:
    seeds = [2**63 - 1, 2**62, 2**62 + 1, 2**32]
    assert len(set(ids(sample(session, [PROMPTS[0]] * 4, seeds)))) > 1
    assert ids(sample(session, [PROMPTS[0]] * 4, seeds)) == ids(sample(session, [PROMPTS[0]] * 4, seeds))


def test_sampling_follows_the_probabilities(session: Session) -> None:
    """First tokens of 600 samples of one prompt, against their log-probabilities."""
    shares: dict[int, int] = {}
    for one in sample(session, [PROMPTS[0]] * 600, list(range(600)), tokens=1):
        shares[one.token_ids[0]] = shares.get(one.token_ids[0], 0) + 1
    for token, number in shares.items():
        p = math.exp(session.logprobs(PROMPTS[0], [[token]])[0][0])
        assert abs(number / 600 - p) < 5 * math.sqrt(p * (1 - p) / 600) + 2 / 600


def test_a_tiny_nucleus_is_greedy(session: Session) -> None:
    nucleus = sample(session, PROMPTS[:8], SEEDS[:8], top_p=1e-6)
    assert ids(nucleus) == ids(sample(session, PROMPTS[:8], SEEDS[:8], temperature=0))


def test_ends_and_truncation(session: Session) -> None:
    (whole,), (cut,) = sample(session, PROMPTS[:1], [5]), sample(session, PROMPTS[:1], [5], tokens=6)
    assert (whole.truncated, whole.token_ends[-1], whole.token_ends[-2]) == (False, -1, len(whole.text))
    assert cut.truncated
    assert cut.token_ids == whole.token_ids[:6]
    assert whole.text.startswith(cut.text)


def test_what_nobody_waits_for_is_called_off(session: Session) -> None:
    before = sample(session, PROMPTS[:4], SEEDS[:4])
    left = session.sample(PROMPTS, seeds=SEEDS, temperature=1.0, top_p=1.0, max_new_tokens=112)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert ids(sample(session, PROMPTS[:4], SEEDS[:4])) == ids(before)


def test_who_samples_twice_at_a_time_gets_both(session: Session) -> None:
    settings: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 112}
    expected = dict(session.sample(PROMPTS, seeds=SEEDS, **settings))
    one, other = session.sample(PROMPTS, seeds=SEEDS, **settings), session.sample(PROMPTS[:8], seeds=SEEDS[:8], **settings)
    found = [next(one)]
    assert dict(other) == {index: expected[index] for index in range(8)}
    assert dict([*found, *one]) == expected


def test_copies_share_the_prompts_out_and_answer_as_one_does(embedded: FilePath) -> None:
    settings: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 112}
    with COPIES.open(embedded) as copies:
        answers = copies.sample(PROMPTS, seeds=SEEDS, **settings)
        found = [next(answers)]
        assert set(copies.engine.engine_core.reqs_in_flight.values()) == {b"\0\0", b"\1\0"}  # type: ignore[attr-defined]
        found.extend(answers)
    with ENGINE.open(embedded) as one:
        expected = dict(one.sample(PROMPTS, seeds=SEEDS, **settings))
    assert {index: made.token_ids for index, made in found} == {index: made.token_ids for index, made in expected.items()}
    for index, made in found:
        assert made.logprobs == pytest.approx(expected[index].logprobs, abs=NEAR)


# Mistakes -----------------------------------------------------------------------------------------------------------------


def test_a_prompt_without_room_fails_alone(session: Session) -> None:
    long: list[Message] = [{"role": "user", "content": "1+" * 200 + "1"}]
    made, failed = sample(session, [PROMPTS[0], long], [0, 0])
    assert made.error is None
    assert "the model takes 256" in str(failed.error)


def test_a_token_that_the_model_does_not_know_is_refused(session: Session) -> None:
    with pytest.raises(ConfigError, match="has the token 288, and the model knows those below 288"):
        session.logprobs(PROMPTS[0], [[288]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": {"max_num_seq": 8}}, r"engine\.extra\.max_num_seq: .*did you mean 'max_num_seqs'"),
        ({"adapter": "nowhere"}, r"engine\.adapter: nowhere has no adapter_config\.json"),
        ({"max_model_len": 100_000}, "vLLM could not load"),
    ],
)
def test_settings_that_cannot_be_are_told(embedded: FilePath, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message), VllmEngine(eager=True, **options).open(embedded):
        pass


# Folders and memory -------------------------------------------------------------------------------------------------------


def started() -> set[Any]:
    """Every process of vLLM that this one has started."""
    import psutil

    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # one that has just ended has no command any more
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.add(child)
    return found


def test_memory_is_free_when_the_engine_is_closed_and_a_folders_sampling_settings_do_not_count(
    embedded: FilePath, tmp_path: FilePath
) -> None:
    """In a folder that asks for another end of turn, where the tokenizer's must end a judgement too, and for greedy choices."""
    folder = FilePath(shutil.copytree(embedded, tmp_path / "model"))
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": 7, "top_k": 1}))
    before = started()
    with ENGINE.open(folder) as opened:
        held = started() - before
        found = sample(opened, [PROMPTS[0]] * 16, SEEDS[:16])
        assert sum(process.memory_info().rss for process in held) > 2**28, "weights and cache lie in processes of their own"
    assert [process for process in held if process.is_running()] == []
    assert not any(one.truncated for one in found)
    assert len(set(ids(found))) > 1


@pytest.mark.parametrize("engine", [ENGINE, COPIES], ids=["one", "two copies"])
def test_an_engine_that_is_killed_is_told_and_nothing_is_left_of_it(embedded: FilePath, engine: VllmEngine) -> None:
    before = started()
    with engine.open(embedded) as opened:
        answers = opened.sample(PROMPTS, seeds=SEEDS, temperature=1.0, top_p=1.0, max_new_tokens=112)
        assert next(answers)[1].text
        held = started() - before
        next(process for process in held if process.children()).kill()
        with pytest.raises(JobError, match=r"its process ended|was called off"):  # for another copy ends in order
            list(answers)
        with pytest.raises(JobError, match="its process ended"):
            sample(opened, PROMPTS, SEEDS)
    gone_by = time.monotonic() + 20
    while any(process.is_running() for process in held) and time.monotonic() < gone_by:
        time.sleep(0.2)
    assert [process for process in held if process.is_running()] == []


# Adapters -----------------------------------------------------------------------------------------------------------------


def test_a_folder_of_adapters_is_the_model_below_with_them_added(embedded: FilePath, tmp_path: FilePath) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    rank, alpha, layer = 4, 8, "model.layers.1.self_attn.q_proj"
    weights = load_file(embedded / "model.safetensors")
    out, width = weights[f"{layer}.weight"].shape
    a, b = torch.randn(rank, width) * 0.2, torch.randn(out, rank) * 0.2
    adapter, merged = tmp_path / "adapter", FilePath(shutil.copytree(embedded, tmp_path / "merged"))
    shutil.copytree(embedded, adapter, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    save_file(
        {f"base_model.model.{layer}.lora_A.weight": a, f"base_model.model.{layer}.lora_B.weight": b}, adapter / "adapter_model.safetensors"
    )
    for file in (*embedded.glob("tokenizer*"), embedded / "chat_template.jinja"):
        shutil.copy(file, adapter)
    options = {
        "base_model_name_or_path": str(embedded),
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": ["q_proj"],
        "layers_to_transform": [1],
        "bias": "none",
    }
    (adapter / "adapter_config.json").write_text(json.dumps({**options, "base_model_name_or_path": str(embedded)}))
    weights[f"{layer}.weight"] += alpha / rank * (b @ a)
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    with HfEngine(dtype="float32").open(merged) as hf:
        expected = sample(hf, PROMPTS, SEEDS, temperature=0)
        paths = [hf.logprobs(prompt, [one.token_ids])[0] for prompt, one in zip(PROMPTS, expected, strict=True)]
    with ENGINE.open(adapter) as kept:
        assert [one.text for one in sample(kept, PROMPTS, SEEDS, temperature=0)] == [one.text for one in expected]
    with (
        pytest.raises(ConfigError, match=r"engine\.adapter: .* holds adapters itself"),
        ENGINE.model_copy(update={"adapter": adapter}).open(adapter),
    ):
        pass
    with ENGINE.open(adapter) as opened:
        assert [one.text for one in sample(opened, PROMPTS, SEEDS, temperature=0)] == [one.text for one in expected]
        for prompt, one, values in zip(PROMPTS[:8], expected, paths, strict=False):
            assert opened.logprobs(prompt, [one.token_ids])[0] == pytest.approx(values, abs=NEAR)


def test_weights_that_are_not_the_models_are_refused_before_vllm_loads_them(embedded: FilePath, tmp_path: FilePath) -> None:
    from safetensors.torch import load_file, save_file

    folder = FilePath(shutil.copytree(embedded, tmp_path / "model"))
    weights = {name: value for name, value in load_file(folder / "model.safetensors").items() if "norm" not in name}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"7 missing, and would be random: model\.layers\.0\.input_layernorm"), ENGINE.open(folder):
        pass
