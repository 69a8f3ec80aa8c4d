"""The options of `vllm`, which are checked without vLLM: what cannot be passed on, what answers depend on, and adapters."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import ConfigError, Engine, Plugins, validate
from adjudge.testing import check_component
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, VllmEngine
from adjudge_judges import ArithmeticJudge


def engine(plugins: Plugins, options: dict[str, Any]) -> Engine:
    return validate(Engine, {"use": "vllm", **options}, plugins, "the call")


def test_it_keeps_what_every_component_promises(plugins: Plugins) -> None:
    check_component(VllmEngine(extra={"quantization": "fp8"}))
    assert engine(plugins, {"extra": {"max_num_seqs": 8}}) == VllmEngine(extra={"max_num_seqs": 8})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": {"seed": 1}}, "'seed' cannot be passed on: every prompt has a seed of its own"),
        ({"extra": {"tensor_parallel_size": 2}}, r"write engine\.tensor_parallel"),
        ({"extra": {"data_parallel_size": 2}}, r"write engine\.data_parallel"),
        ({"extra": {"data_parallel_rank": 1}}, "for one of several processes that ask"),
        ({"extra": {"distributed_executor_backend": "external_launcher"}}, "vLLM would live in this process"),
        ({"extra": {"logprobs_mode": "processed_logprobs"}}, "at temperature 1"),
        ({"gpu_memory_utilization": 1.5}, "gpu_memory_utilization: Input should be less than or equal to 1"),
        ({"tensor_parallel": 0}, "tensor_parallel: Input should be greater than 0"),
        ({"max_len": 5}, r"max_len: there is no such field; did you mean 'max_model_len'"),
    ],
)
def test_a_mistake_is_told_with_its_field(plugins: Plugins, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        engine(plugins, options)


def test_answers_depend_on_all_but_the_share_of_memory_and_the_copies(tmp_path: FilePath) -> None:
    plain = VllmEngine().fingerprint()
    assert VllmEngine(gpu_memory_utilization=0.5, data_parallel=2).fingerprint() == plain
    for other in (VllmEngine(dtype="float32"), VllmEngine(eager=True), VllmEngine(extra={"quantization": "fp8"})):
        assert other.fingerprint() != plain
    adapter = write_adapter(tmp_path, 4)
    before = VllmEngine(adapter=adapter).fingerprint()
    assert before not in (plain, None)
    (adapter / "adapter_model.safetensors").write_bytes(b"others")
    assert VllmEngine(adapter=adapter).fingerprint() != before, "the adapter's content counts, not its name"


def write_adapter(folder: FilePath, rank: object) -> FilePath:
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def test_prompts_are_counted_as_hf_counts_them(embedded: FilePath) -> None:
    prompts = [ArithmeticJudge().prompt(problem, "given") for problem in ArithmeticDataset(size=4).load()]
    assert VllmEngine().count_tokens(embedded, prompts) == HfEngine().count_tokens(embedded, prompts)


def test_a_prompt_that_fills_the_longest_sequence_is_told_before_anything_is_loaded(embedded: FilePath) -> None:
    prompts = [ArithmeticJudge().prompt(problem, "given") for problem in ArithmeticDataset(size=4).load()]
    longest = max(VllmEngine().count_tokens(embedded, prompts) or ())
    assert VllmEngine(max_model_len=longest + 1).count_tokens(embedded, prompts)
    with pytest.raises(ConfigError, match=rf"engine\.max_model_len: a prompt has {longest} tokens, and {longest} are for"):
        VllmEngine(max_model_len=longest).count_tokens(embedded, prompts)


def test_it_holds_one_sequence_as_long_as_vllm_insists_on() -> None:
    def tokens(engine: VllmEngine) -> int | None:
        held = engine.sampling_load(5000)
        return None if held is None else held.tokens

    assert tokens(VllmEngine()) == tokens(VllmEngine(max_model_len=4096)) == 5000
    assert tokens(VllmEngine(max_model_len=32768)) == 32768
    for engine, own_limit in ((VllmEngine(), True), (VllmEngine(max_model_len=4096), False)):
        held = engine.sampling_load(5000)
        assert held is not None
        assert held.own_limit is own_limit


@pytest.mark.parametrize(
    ("rank", "ready"),
    [(1, 8), (8, 8), (9, 16), (500, 512), (513, "up to 512"), ("many", "names no rank"), (None, "names no rank")],
)
def test_vllm_is_made_ready_for_an_adapters_rank(tmp_path: FilePath, rank: object, ready: int | str) -> None:
    from adjudge_engines import arguments

    write_adapter(tmp_path, rank)
    if isinstance(ready, int):
        assert arguments.of_adapter(tmp_path) == {"enable_lora": True, "max_lora_rank": ready}
    else:
        with pytest.raises(ConfigError, match=ready):
            arguments.of_adapter(tmp_path)
    with pytest.raises(ConfigError, match=r"has no adapter_config\.json"):
        arguments.of_adapter(tmp_path / "elsewhere")


def test_adapters_lie_beside_a_model_or_in_its_place(embedded: FilePath, tmp_path: FilePath) -> None:
    from adjudge_engines import arguments

    write_adapter(tmp_path, 4)
    assert arguments.apart(embedded, None) == (embedded, None)
    assert arguments.apart(embedded, tmp_path) == (embedded, tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "base_model_name_or_path": str(embedded)}))
    assert arguments.apart(tmp_path, None) == (embedded, tmp_path)
    with pytest.raises(ConfigError, match="holds adapters itself, and vLLM takes one"):
        arguments.apart(tmp_path, tmp_path)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "adapter_config.json").write_text(json.dumps({"r": 4, "base_model_name_or_path": str(tmp_path)}))
    with pytest.raises(ConfigError, match="holds adapters for others"):
        arguments.apart(tmp_path / "second", None)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_without_vllm_the_remedy_is_told_and_plans_are_made(embedded: FilePath) -> None:
    with pytest.raises(ConfigError, match=r"vLLM is not installed here[\s\S]*adjudge\[vllm\]"), VllmEngine().open(embedded):
        pass
    assert VllmEngine(extra={"whatever": 1}).count_tokens(embedded, [[{"role": "user", "content": "1+1"}]])


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_folder_of_that_name_is_no_vllm(embedded: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vllm").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="vLLM is not installed here"), VllmEngine(extra={"max_num_seqs": 8}).open(embedded):
        pass


def test_options_are_checked_without_loading_torch() -> None:
    code = (
        "import sys; from adjudge_engines import VllmEngine\n"
        "VllmEngine(extra={'max_num_seqs': 8}).fingerprint()\n"
        "print([name for name in ('torch', 'transformers', 'vllm') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
