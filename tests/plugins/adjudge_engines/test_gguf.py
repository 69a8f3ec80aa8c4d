"""GGUF files: opened, judged with, trained from, planned for and cached like a folder; texts are split as llama.cpp does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from adjudge import ConfigError, Plugins, Stage, find_model, hash_of_folder, load_judge
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, VllmEngine, context_length, load_model, load_tokenizer, model_below, settings_of
from adjudge_judges import ArithmeticJudge
from adjudge_plan.model_size import find_model_size

gguf = pytest.importorskip("gguf", reason="reading GGUF files takes the package gguf")
PROBLEMS = list(ArithmeticDataset(size=6, part="test").load())
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "model.layers.": "blk.",
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def write(file: FilePath, model: FilePath, *, pre: str | None = "qwen2", quantised: bool = False, **more: Any) -> FilePath:
    """A model folder of Qwen2's architecture as a GGUF file; `more` are further fields, or tensors."""
    config, tokenizer = json.loads((model / "config.json").read_text()), json.loads((model / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(str(file), "qwen2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    tokens = {**tokenizer["model"]["vocab"], **{one["content"]: one["id"] for one in tokenizer["added_tokens"]}}
    special = {one["content"] for one in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(sorted(tokens, key=lambda token: tokens[token]))
    writer.add_token_types([3 if token in special else 1 for token in sorted(tokens, key=lambda token: tokens[token])])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([" ".join(merge) if isinstance(merge, list) else merge for merge in merges])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_chat_template((model / "chat_template.jinja").read_text())
    weights = {name: value.numpy() for name, value in load_file(model / "model.safetensors").items()}
    for name, value in more.items():
        if isinstance(value, np.ndarray):
            weights[name.replace("__", ".")] = value
        else:
            getattr(writer, name)(value)
    for key, value in weights.items():
        name = key
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        if quantised and value.ndim == 2 and value.shape[-1] % 32 == 0:
            packed = gguf.quants.quantize(value, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def file(embedded: FilePath, tmp_path_factory: pytest.TempPathFactory) -> FilePath:
    """The embedded judge as a file, with its ``judge.json`` beside it."""
    folder = tmp_path_factory.mktemp("gguf")
    shutil.copy(embedded / "judge.json", folder)
    return write(folder / "judge.gguf", embedded)


def judged(model: FilePath) -> list[str]:
    prompts = [ArithmeticJudge().prompt(problem, "given") for problem in PROBLEMS]
    with HfEngine().open(model) as session:
        found = dict(session.sample(prompts, seeds=[0] * 6, temperature=0.0, top_p=1.0, max_new_tokens=64))
    return [found[index].text for index in range(6)]


def test_a_file_judges_as_the_folder_it_was_made_of(file: FilePath, embedded: FilePath, plugins: Plugins) -> None:
    assert find_model(str(file)) == file
    assert judged(file) == judged(file.parent) == judged(embedded)
    assert load_judge(file, plugins) == load_judge(embedded, plugins), "the judge beside it"
    prompts = [ArithmeticJudge().prompt(problem, "given") for problem in PROBLEMS]
    assert HfEngine().count_tokens(file, prompts) == HfEngine().count_tokens(embedded, prompts)


def test_packed_weights_are_unpacked_and_can_be_saved(tmp_path: FilePath, embedded: FilePath) -> None:
    packed = write(tmp_path / "packed.gguf", embedded, quantised=True)
    model = load_model(packed)
    exact, found = load_file(embedded / "model.safetensors"), model.state_dict()
    worst = max(float((found[name] - value).abs().max() / value.abs().max()) for name, value in exact.items())
    assert 0 < worst < 0.01
    model.save_pretrained(tmp_path / "saved")
    load_tokenizer(packed).save_pretrained(tmp_path / "saved")
    assert judged(tmp_path / "saved") == judged(packed)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_head_of_its_own_is_kept_apart(tmp_path: FilePath, embedded: FilePath) -> None:
    head = 2 * load_file(embedded / "model.safetensors")["model.embed_tokens.weight"].numpy()
    model = load_model(write(tmp_path / "untied.gguf", embedded, output__weight=head))
    assert torch.equal(model.lm_head.weight, torch.from_numpy(head))
    assert torch.equal(2 * model.model.embed_tokens.weight, model.lm_head.weight)
    assert (settings_of(tmp_path / "untied.gguf")["tie_word_embeddings"], model.config.tie_word_embeddings) == (False, False)


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("smollm", ["x", "Ġ", "1", "0", "0", ".", "Ċ", "2", "0"]),
        ("qwen2", ["x", "Ġ", "1", "0", "0", ".Ċ", "2", "0"]),
        ("llama-bpe", ["x", "Ġ", "100", ".Ċ", "20"]),
        ("gpt-2", ["x", "Ġ100", ".", "Ċ", "20"]),
    ],
)
def test_texts_are_split_as_the_file_names_it(
    tmp_path: FilePath, embedded: FilePath, caplog: pytest.LogCaptureFixture, pre: str, pieces: list[str]
) -> None:
    tokenizer = load_tokenizer(write(tmp_path / "one.gguf", embedded, pre=pre))
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("x 100.\n20")
    assert [piece for piece, _ in split] == pieces
    assert caplog.text == ""
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer_of_folder(tmp_path) == pieces, "it is saved like that"


def load_tokenizer_of_folder(folder: FilePath) -> list[str]:
    from tokenizers import Tokenizer

    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [piece for piece, _ in saved.pre_tokenizer.pre_tokenize_str("x 100.\n20")]


@pytest.mark.parametrize(("pre", "told"), [("somebodys-own", "somebodys-own"), (None, "not named"), ("default", "default")])
def test_a_split_that_nobody_knows_is_told(
    tmp_path: FilePath, embedded: FilePath, caplog: pytest.LogCaptureFixture, pre: str | None, told: str
) -> None:
    load_tokenizer(write(tmp_path / "one.gguf", embedded, pre=pre))
    assert f"({told}) is not known here; numbers, lists and tables may become other tokens" in caplog.text


def test_rotary_positions_are_stretched_as_the_file_says(tmp_path: FilePath, embedded: FilePath) -> None:
    scaled = {"add_rope_scaling_type": gguf.RopeScalingType.YARN, "add_rope_scaling_factor": 4.0, "add_rope_scaling_orig_ctx_len": 256}
    made = write(tmp_path / "yarn.gguf", embedded, **scaled)
    assert context_length(settings_of(made)) == find_model_size("x", made).limit == 1024
    rope = load_model(made).config.rope_parameters
    assert (rope["rope_type"], rope["factor"], rope["original_max_position_embeddings"]) == ("yarn", 4.0, 256)


def test_llama_threes_positions_are_read_from_their_divisors(tmp_path: FilePath, embedded: FilePath) -> None:
    """A file holds what every frequency is divided by; transformers reads no such tensor."""
    head = torch.arange(0, 32, 2).float() / 32
    wavelength = 2 * torch.pi * 10000.0**head
    smooth = ((8192 / wavelength - 1) / 3).clamp(0, 1)
    divisors = 1 / ((1 - smooth) / 8 + smooth)
    made = write(tmp_path / "llama3.gguf", embedded, rope_freqs__weight=divisors.numpy())
    model = load_model(made)
    assert model.config.rope_parameters["rope_type"] == "llama3"
    assert torch.allclose(model.model.rotary_emb.inv_freq, 1 / 10000.0**head / divisors, rtol=1e-4)
    other = write(tmp_path / "other.gguf", embedded, rope_freqs__weight=(divisors + torch.arange(16)).numpy())
    with pytest.raises(ConfigError, match="has rotary positions that are not read here"):
        load_model(other)


def test_a_turn_also_ends_as_the_file_names_it(tmp_path: FilePath, embedded: FilePath) -> None:
    made = write(tmp_path / "one.gguf", embedded, add_eot_token_id=287)
    assert load_model(made).generation_config.eos_token_id == [285, 287]


def test_the_plan_counts_its_weights(file: FilePath, embedded: FilePath) -> None:
    size, expected = find_model_size("x", file), find_model_size("x", embedded)
    assert (size.parameters, size.layers, size.width, size.vocabulary, size.limit) == (
        expected.parameters, expected.layers, expected.width, expected.vocabulary, expected.limit
    )  # fmt: skip
    assert size.weight_bytes == 4
    assert find_model_size("x", file.parent) == size


def test_its_content_is_what_results_were_made_of(file: FilePath, tmp_path: FilePath) -> None:
    from adjudge_cache.cache import Cache

    other = FilePath(shutil.copy(file, tmp_path / "judge.gguf"))
    cache = Cache(tmp_path / "cache.sqlite")
    assert hash_of_folder(other) == hash_of_folder(file)
    assert cache.folder_digest(other) == cache.folder_digest(file)
    data = bytearray(other.read_bytes())
    data[-5] ^= 1
    other.write_bytes(data)
    assert hash_of_folder(other) != hash_of_folder(file)
    assert cache.folder_digest(other) != cache.folder_digest(file)


def test_adapters_may_be_for_a_file(file: FilePath, tmp_path: FilePath) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(file)}))
    assert model_below(tmp_path) == file


@pytest.mark.slow
@pytest.mark.parametrize("merge", [True, False])
def test_adapters_are_trained_on_a_file(file: FilePath, tmp_path: FilePath, merge: bool) -> None:
    from adjudge_rstar import Random
    from adjudge_sft import Sft
    from adjudge_trl import Lora

    stage = Stage(1, "sft", tmp_path / "stages" / "1-sft", tmp_path / "records", file, file, ArithmeticJudge(), HfEngine(), PROBLEMS)
    result = Sft(scorer=Random(), paths=4, batch=8, learning_rate=1e-3, lora=Lora(r=4, merge=merge)).train(stage)
    assert (result.model / "model.safetensors").is_file() is merge
    assert model_below(result.model) == (None if merge else file)
    assert len(judged(result.model)) == 6


# What is no model ---------------------------------------------------------------------------------------------------------


def test_several_files_have_to_be_told_apart(file: FilePath, tmp_path: FilePath) -> None:
    for name in ("q4.gguf", "q8.gguf", "mmproj-q8.gguf"):
        shutil.copy(file, tmp_path / name)
    with pytest.raises(ConfigError, match=r"has 2 GGUF files \(q4\.gguf, q8\.gguf\)\.\n  Remedy: name one: model: .*q4\.gguf"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("judge.gguf", lambda data: data[:-100], r"is cut short: it has [\d,]+ of [\d,]+ bytes"),
        ("judge.gguf", lambda data: b"GGML" + data[4:], "cannot be read as a GGUF file"),
        ("judge.gguf", lambda data: data[:64], "cannot be read as a GGUF file"),
        ("judge-00001-of-00002.gguf", lambda data: data, "is one of several parts.\n  Remedy: join them first: llama-gguf-split --merge"),
    ],
)
def test_a_file_that_is_not_whole_is_told(file: FilePath, tmp_path: FilePath, name: str, change: Any, message: str) -> None:
    (tmp_path / name).write_bytes(change(file.read_bytes()))
    for way in (load_model, load_tokenizer):
        with pytest.raises(ConfigError, match=message):
            way(tmp_path / name)


def test_it_is_not_packed_twice_and_not_handed_to_vllm(file: FilePath) -> None:
    with pytest.raises(ConfigError, match="is quantised already"):
        load_model(file, quantization_config="any")
    with pytest.raises(ConfigError, match=r"is a GGUF file, which is not handed to vLLM here\.\n  Remedy: name the engine hf"):
        VllmEngine().count_tokens(file, [[{"role": "user", "content": "1+1"}]])
