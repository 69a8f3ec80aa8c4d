"""``adjudge plan`` for devices: memory phase by phase, a refusal where it cannot fit, and plans of models and data that are elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

RUN = """
out: {folder}/out
model: {model}
judge: {{use: rrm, max_new_tokens: 1000}}
data: {data}
stages: [{{use: grpo, steps: 5, prompts_per_step: 4, group: 4, micro_batch: 1}}]
evaluation: {{sets: {{held-out: {{use: preference, file: {folder}/not-there.jsonl}}}}}}
"""
SMALL_BATCH = "engine={use: hf, batch_tokens: 8192}"
CONFIG = {
    "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "vocab_size": 1000,
}  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A run file whose model and evaluation set are on another machine."""
    monkeypatch.chdir(tmp_path)

    def write(model: str = "models/DeepSeek-R1-Distill-Qwen-1.5B", data: str = "{use: preference, file: gone.jsonl}") -> Path:
        file = tmp_path / "run.yaml"
        file.write_text(RUN.format(folder=tmp_path, model=model, data=data))
        return file

    return write


def test_a_model_that_is_elsewhere_is_planned_and_what_was_not_seen_is_said(call: Call, elsewhere: Callable[..., Path]) -> None:
    for command in (["plan"], ["run", "--dry-run"]):
        done = call(*command, elsewhere())
        assert done.exit_code == 0, done.output
        assert "problems    unknown" in done.stdout
        assert "Not here, so not checked: models/DeepSeek-R1-Distill-Qwen-1.5B: its weights, tokenizer and chat template" in done.stdout
        assert "Not here, so not checked: data: gone.jsonl: no such file" in done.stdout
        assert "Not here, so not checked: evaluation.sets.held-out:" in done.stdout
        assert "80" in done.stdout, "five steps of sixteen rollouts do not depend on the data"


def test_a_run_of_it_is_refused(call: Call, elsewhere: Callable[..., Path]) -> None:
    done = call("run", elsewhere())
    assert (done.exit_code, "no such folder" in done.stderr) == (2, True)


def test_a_model_of_unknown_size_is_a_mistake_as_ever(call: Call, elsewhere: Callable[..., Path]) -> None:
    for command in (["plan"], ["run", "--dry-run"]):
        done = call(*command, elsewhere("models/DeepSeek-R1-Distil-Qwen-1.5B"))
        assert (done.exit_code, "no such folder" in done.stderr, "--shape FILE" in done.stderr) == (2, True, True)


def test_a_config_tells_the_size_of_any_model(call: Call, elsewhere: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    told = json.loads(call("plan", elsewhere("models/mine"), "--shape", tmp_path / "config.json", "--json").stdout)
    layer = 4 * 64 * 64 + 3 * 64 + 3 * 64 * 128 + 2 * 64
    assert told["memory"]["parameters"] == 2 * 1000 * 64 + 2 * layer + 64
    assert (told["memory"]["sequence"], told["memory"]["prompt_counted"]) == (5096, False)


def test_problems_that_are_elsewhere_can_be_given_by_their_number(call: Call, elsewhere: Callable[..., Path]) -> None:
    data = "{use: preference, file: gone.jsonl}"
    told = json.loads(call("plan", elsewhere(data=data), "--problems", 70, "--set", "stages.0.only=hard", "--json").stdout)
    assert (told["problems"], told["evaluation"]) == (70, {"held-out": None})
    [training] = [part for part in told["plan"]["parts"] if part["what"] == "training"]
    assert training["judgements"] == [80 + 70 * 4] * 2
    unknown = json.loads(call("plan", elsewhere(data=data), "--set", "stages.0.only=hard", "--json").stdout)
    [training] = [part for part in unknown["plan"]["parts"] if part["what"] == "training"]
    assert (training["judgements"], training["steps"]) == (None, [5, 5])


def test_memory_is_told_phase_by_phase(call: Call, elsewhere: Callable[..., Path]) -> None:
    told = json.loads(call("plan", elsewhere(), "--gpu-memory", 79, "--prompt-tokens", 3000, "--json").stdout)["memory"]
    assert [(phase["stage"], phase["what"]) for phase in told["phases"]] == [
        ("all", "sampling (hf)"), ("1-grpo", "rollouts"), ("1-grpo", "step"),
    ]  # fmt: skip
    assert told["sequence"] == 4000
    assert told["phases"][2]["parts"]["optimiser"] == [told["parameters"] * 8.0] * 2
    assert [phase["fits"] for phase in told["phases"]] == [True, True, True]


def test_what_cannot_fit_is_refused_with_the_reason_and_a_remedy(call: Call, elsewhere: Callable[..., Path]) -> None:
    done = call("plan", elsewhere(), "--gpu-memory", 24)
    assert done.exit_code == 2
    assert "GiB" in done.stdout, "the plan is printed all the same"
    assert "stage 1-grpo, step: needs at least" in done.stderr
    assert "one has 24, and there is 1." in done.stderr
    assert "optimiser 13.2" in done.stderr
    assert "Remedy: turn on gradient checkpointing, or train an adapter (lora)" in done.stderr
    assert "Prompts were assumed to have up to 4,096 tokens." in done.stderr
    given = call("plan", elsewhere(), "--gpu-memory", 24, "--prompt-tokens", 4096)
    assert (given.exit_code, "assumed" in given.stderr) == (2, False)


def test_a_step_count_that_depends_on_the_data_is_unknown_without_them(call: Call, elsewhere: Callable[..., Path]) -> None:
    stage = "stages=[{use: sft, scorer: {use: rstar}, paths: 4, batch: 256}]"
    told = json.loads(call("plan", elsewhere(), "--tflops", 100, "--set", stage, "--json").stdout)
    [training] = [part for part in told["plan"]["parts"] if part["what"] == "training"]
    assert (training["steps"], told["memory"]["training_seconds"]) == (None, None)


def test_options_that_nobody_counts_are_named_and_nothing_is_refused_for_them(call: Call, elsewhere: Callable[..., Path]) -> None:
    done = call("plan", elsewhere(), "--gpu-memory", 24, "--set", "stages.0.trl={optim: lion_8bit}", "--set", SMALL_BATCH)
    assert done.exit_code == 0, done.output
    assert "Memory of 1-grpo is neither refused nor promised, for this is not counted: trl.optim lion_8bit." in done.stdout
    assert done.stdout.count("perhaps") == 2


@pytest.mark.parametrize(
    ("settings", "gpus", "message"),
    [
        (["engine={use: vllm, tensor_parallel: 4}"], 1, "engine: vllm samples by layers that are spread over 4 devices, and there is 1"),
        (
            ["engine={use: vllm, tensor_parallel: 2, data_parallel: 4}"], 4,
            "engine: vllm samples by 4 copies of the model, on 8 devices, and there are 4",
        ),
        (
            ["stages.0.trl={use_vllm: true, vllm_tensor_parallel_size: 4}"], 2,
            "stages.0: rollouts are sampled by layers that are spread over 4 devices, and there are 2",
        ),
        ([], 3, "stages.0: a step of 16 cannot be shared out over 3 processes"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_out_over_the_devices_is_refused(
    call: Call, elsewhere: Callable[..., Path], settings: list[str], gpus: int, message: str
) -> None:
    done = call("plan", elsewhere(), "--gpus", gpus, *(word for one in settings for word in ("--set", one)))
    assert (done.exit_code, message in done.stderr, "Remedy" in done.stderr) == (2, True, True), done.output


def test_a_model_that_stages_store_in_full_precision_is_sampled_in_it(call: Call, elsewhere: Callable[..., Path]) -> None:
    def weights(*settings: str) -> Any:
        told = json.loads(call("plan", elsewhere(), "--json", *(word for one in settings for word in ("--set", one))).stdout)["memory"]
        return [size / told["parameters"] for size in told["phases"][0]["parts"]["weights"]]

    assert weights() == [2, 4]
    assert weights("engine={use: hf, dtype: bfloat16}") == [2, 2]
    assert weights("stages=[]") == [2, 2]


def test_what_fits_when_spread_or_trained_by_adapter(call: Call, elsewhere: Callable[..., Path]) -> None:
    adapter = [
        "--set",
        "stages.0.lora={r: 8}",
        "--set",
        "stages.0.trl={gradient_checkpointing: true}",
        "--set",
        "engine={use: hf, batch_tokens: 8192}",
    ]
    assert call("plan", elsewhere(), "--gpu-memory", 24, *adapter).exit_code == 0


def test_time_comes_from_operations_and_peak(call: Call, elsewhere: Callable[..., Path]) -> None:
    one = json.loads(call("plan", elsewhere(), "--tflops", 100, "--json").stdout)["memory"]["training_seconds"]
    four = json.loads(call("plan", elsewhere(), "--tflops", 100, "--gpus", 4, "--json").stdout)["memory"]["training_seconds"]
    assert one[1] == pytest.approx(one[0] * 2.5)
    assert four == pytest.approx([seconds / 4 for seconds in one])
    shown = call("plan", elsewhere(), "--tflops", 100).stdout
    assert "Training steps take at most" in shown
    assert "Training steps take" not in call("plan", elsewhere()).stdout


def test_a_model_that_is_here_has_its_prompts_counted(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "run.yaml"
    file.write_text("out: out\nmodel: adjudge_arithmetic:model\ndata: {use: arithmetic, size: 20}\nstages: [{use: grpo, steps: 1}]\n")
    told = json.loads(call("plan", file, "--json").stdout)
    assert told["memory"]["prompt_counted"] is True
    assert 112 < told["memory"]["sequence"] < 160
    assert told["not_here"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpus", 0], "gpus: Input should be greater than or equal to 1"),
        (["--gpu-memory", -1], "gpu_memory: Input should be greater than 0"),
        (["--shape", "nowhere.json"], "nowhere.json: no such file"),
    ],
)
def test_devices_that_cannot_be_are_named(call: Call, elsewhere: Callable[..., Path], arguments: list[Any], message: str) -> None:
    done = call("plan", elsewhere(), *arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.output
