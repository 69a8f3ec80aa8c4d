"""Weights are counted as transformers makes them: from the config, from headers, or from a published name; or it is said why not."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from adjudge import ConfigError
from adjudge_plan.model_size import find_model_size, model_size_of, published, published_name, stored

DATA = Path(__file__).parents[4] / "shared" / "data"
SMALL = {
    "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2,
    "vocab_size": 100,
}  # fmt: skip


def numbers(config: dict[str, Any]) -> int:
    """Parameters of the model that transformers builds from a config; the embedding counts once where it is tied."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config))
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    "family",
    [
        {"model_type": "qwen2"},
        {"model_type": "qwen3", "head_dim": 16},
        {"model_type": "llama"},
        {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
        {"model_type": "mistral", "head_dim": 8},
    ],
    ids=str,
)
def test_the_config_counts_what_transformers_builds(family: dict[str, Any], tied: bool) -> None:
    config = {**SMALL, **family, "tie_word_embeddings": tied}
    assert model_size_of(config, "config").parameters == numbers(config)


def test_the_embedded_judge_by_config_and_by_headers(embedded: Path) -> None:
    config = json.loads((embedded / "config.json").read_text())
    counted, measured = model_size_of(config, "config"), find_model_size("x", embedded)
    assert counted == measured
    assert stored(embedded) == (measured.parameters, measured.parameters * 4)
    assert measured.kv_numbers == 2 * 3 * 2 * 32


@pytest.mark.realdata
def test_a_real_llama_by_config_and_by_headers() -> None:
    folder = DATA / "stories260K" / "hf"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    config = json.loads((folder / "config.json").read_text())
    assert model_size_of(config, "config").parameters == find_model_size("x", folder).parameters == 260_032


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("DeepSeek-R1-Distill-Qwen-1.5B", 1.78),
        ("DeepSeek-R1-Distill-Qwen-7B", 7.62),
        ("DeepSeek-R1-Distill-Qwen-14B", 14.8),
        ("DeepSeek-R1-Distill-Qwen-32B", 32.8),
        ("QwQ-32B", 32.8),
    ],
)
def test_published_models_have_their_published_size(name: str, billions: float) -> None:
    size = find_model_size(f"models/{name.lower()}/", Path("not-there"))
    assert size.parameters / 1e9 == pytest.approx(billions, abs=0.05 if billions > 10 else 0.005)
    assert size.weight_bytes == 2
    assert size.limit == (None if name == "QwQ-32B" else 131_072)


def test_every_published_model_is_tested() -> None:
    assert len(published()) == 5


def test_a_name_that_only_resembles_a_published_one_is_none() -> None:
    assert published_name("models/QwQ-32B-Preview") is None
    assert published_name("models/qwq-32b") == "QwQ-32B"
    with pytest.raises(ConfigError, match=r"no published size goes by that name.*\n.*--shape FILE"):
        find_model_size("models/QwQ-33B", Path("not-there"))


def test_a_given_config_goes_before_the_folder(embedded: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**SMALL, "model_type": "qwen2"}))
    assert find_model_size("x", embedded, file).layers == find_model_size("x", embedded).layers == 3
    assert find_model_size("x", embedded, file).width == 48


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**SMALL, "model_type": "qwen2_moe", "num_experts": 8}, "a mixture of experts"),
        ({**SMALL, "model_type": "mamba"}, "models of type 'mamba' are counted from their weights"),
        ({"model_type": "qwen3_5", "text_config": {**SMALL, "num_experts": 8}}, "a mixture of experts"),
        ({"model_type": "llama", "hidden_size": 8}, "has no 'num_attention_heads'"),
        ({**SMALL, "model_type": "llama", "hidden_size": "48"}, "has hidden_size '48', which is no whole number above 0"),
        ({**SMALL, "model_type": "llama", "hidden_size": 48.5}, "has hidden_size 48.5"),
        ({**SMALL, "model_type": "llama", "num_attention_heads": 0}, "has num_attention_heads 0"),
        ({**SMALL, "model_type": "llama", "num_attention_heads": 96}, "has head_dim 0"),
        ({**SMALL, "model_type": "llama", "num_key_value_heads": -2}, "has num_key_value_heads -2"),
    ],
)
def test_what_cannot_be_counted_says_why(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model_size_of(config, "config.json")


@pytest.mark.parametrize("content", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00not json", struct.pack("<Q", 2**62)])
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.safetensors: is no safetensors file"):
        stored(tmp_path)


def write_header(file: Path, **tensors: tuple[str, list[int]]) -> None:
    """A safetensors file without the numbers, of which nobody here reads any."""
    header = json.dumps({"__metadata__": {}, **{name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in tensors.items()}})
    file.write_bytes(struct.pack("<Q", len(header)) + header.encode())


def test_weights_that_lie_there_twice_count_once(tmp_path: Path) -> None:
    write_header(tmp_path / "model-1.safetensors", a=("BF16", [100, 48]))
    write_header(tmp_path / "model-2.safetensors", b=("BF16", [10]))
    write_header(tmp_path / "consolidated.safetensors", a=("BF16", [100, 48]), b=("BF16", [10]))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))
    assert stored(tmp_path) == (4810, 9620)
    index.write_text("{}")
    with pytest.raises(ConfigError, match="has no 'weight_map'"):
        stored(tmp_path)
    write_header(tmp_path / "model.safetensors", a=("F32", [5]))
    assert stored(tmp_path) == (5, 20), "what transformers looks for first"


@pytest.mark.parametrize("dtype", ["I32", "U8"])
def test_packed_weights_are_unknown(tmp_path: Path, dtype: str) -> None:
    write_header(tmp_path / "model.safetensors", qweight=(dtype, [100, 6]), g_idx=("I32", [48]))
    with pytest.raises(ConfigError, match=rf"weights that are packed into {dtype}.*\n.*--shape"):
        stored(tmp_path)
    write_header(tmp_path / "model.safetensors", weight=("BF16", [100, 6]), g_idx=("I32", [48]))
    assert stored(tmp_path) is not None, "a list of indices holds no weights"


def test_other_families_are_counted_from_their_headers(tmp_path: Path) -> None:
    write_header(tmp_path / "model.safetensors", a=("BF16", [100, 48]), b=("F32", [10]))
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "somebody's"}))
    size = find_model_size("x", tmp_path)
    assert (size.parameters, size.parameters * size.weight_bytes) == (4810, 9640)
