"""Weights that are missing, misnamed, unknown or of another shape are refused in every way a model is opened, and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from adjudge import ConfigError
from adjudge_engines import HfEngine, load_model, load_tokenizer, merge_adapter
from adjudge_engines.weights import check_weights

Weights = dict[str, torch.Tensor]


@pytest.fixture
def folder(embedded: FilePath, tmp_path: FilePath) -> FilePath:
    return FilePath(shutil.copytree(embedded, tmp_path / "model"))


def change(folder: FilePath, how: Callable[[Weights], Weights], name: str = "model.safetensors") -> None:
    save_file(how(load_file(folder / name)), folder / name, metadata={"format": "pt"})


def settings(folder: FilePath, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def open_(folder: FilePath) -> None:
    with HfEngine().open(folder):
        pass


def on_top(folder: FilePath) -> None:
    """Opens adapters for the model."""
    open_(adapters(folder.parent / "adapter", folder))


WAYS = [open_, load_model, lambda folder: load_model(folder, dtype=torch.float32), check_weights, on_top]
"""The engine hf, a training, vLLM's check before it loads, and as the model below adapters."""


def adapters(folder: FilePath, base: FilePath, tokens: int = 0) -> FilePath:
    """Adapters that change something, as peft saves them, on a model that may have grown by some tokens; their tokenizer is beside them
    only then."""
    torch.manual_seed(0)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base, ignore_mismatched_sizes=True), AutoTokenizer.from_pretrained(base)
    if tokens:
        tokenizer.add_tokens([f"<new {number}>" for number in range(tokens)])
        model.resize_token_embeddings(len(tokenizer))
        tokenizer.save_pretrained(folder)
    wrapped = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, value in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.05)
    wrapped.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda found: {name: value for name, value in found.items() if "norm" not in name},
         r"7 missing, and would be random: model\.layers\.0\.input_layernorm\.weight, .* and 2 more\n  Remedy"),
        (lambda found: {f"_orig_mod.{name}": value for name, value in found.items()},
         r"(?s)39 missing, .*\n    38 in the file, and not of this model: _orig_mod\.model\.embed_tokens\.weight,.*"
         r"begin with '_orig_mod\.', as a wrapper"),
        (lambda found: {**found, "v_head.summary.weight": torch.zeros(1, 128)},
         r"1 in the file, and not of this model: v_head\.summary\.weight\n"),
        (lambda found: {**found, "model.norm.weight": torch.ones(64)},
         r"1 of another shape: model\.norm\.weight \(64 in the file, 128 in the model\)"),
    ],
    ids=["without-norms", "compiled-prefix", "value-head", "other-shape"],
)  # fmt: skip
def test_weights_that_are_not_the_models_are_refused_and_named(
    folder: FilePath, way: Callable[[FilePath], Any], how: Callable[[Weights], Weights], message: str
) -> None:
    change(folder, how)
    with pytest.raises(ConfigError, match=message) as caught:
        way(folder)
    assert str(caught.value).startswith(f"model: the weights in {folder} are not those of its model:")


@pytest.mark.parametrize("way", WAYS)
def test_a_head_of_its_own_that_is_not_there_is_refused(folder: FilePath, way: Callable[[FilePath], Any]) -> None:
    settings(folder, tie_word_embeddings=False)
    with pytest.raises(ConfigError, match=r"1 missing, and would be random: lm_head\.weight\n.*\"tie_word_embeddings\": true"):
        way(folder)


@pytest.mark.parametrize("way", WAYS)
def test_a_tied_head_and_what_is_computed_may_be_there_or_not(folder: FilePath, way: Callable[[FilePath], Any]) -> None:
    def with_old_buffers(found: Weights) -> Weights:
        more = {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(16) for layer in range(3)}
        return {**found, **more, "lm_head.weight": found["model.embed_tokens.weight"].clone()}

    way(folder)
    change(folder, with_old_buffers)
    way(folder)


def test_buffers_that_old_versions_saved_are_no_weights(tmp_path: FilePath, embedded: FilePath) -> None:
    """GPT-2's masks, which are in its published files and which newer versions compute."""
    from transformers import GPT2Config, GPT2LMHeadModel

    made = GPT2LMHeadModel(GPT2Config(vocab_size=288, n_positions=64, n_embd=16, n_layer=2, n_head=2, eos_token_id=285, bos_token_id=285))
    made.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(embedded).save_pretrained(tmp_path)
    masks = {f"h.{layer}.attn.{name}": torch.ones(1) for layer in range(2) for name in ("bias", "masked_bias")}
    change(tmp_path, lambda found: {**{name.removeprefix("transformer."): value for name, value in found.items()}, **masks})
    open_(tmp_path)
    check_weights(tmp_path)


def test_files_that_an_index_names_have_to_be_there(folder: FilePath) -> None:
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="400KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    files = sorted(folder.glob("model-*.safetensors"))
    open_(folder)
    files[1].unlink()
    with pytest.raises(ConfigError, match=rf"lacks 1 of the files that model\.safetensors\.index\.json names, for example {files[1].name}"):
        open_(folder)


# Adapters -----------------------------------------------------------------------------------------------------------------


def test_adapters_without_a_tokenizer_have_that_of_the_model_below(folder: FilePath, tmp_path: FilePath) -> None:
    made = adapters(tmp_path / "adapter", folder)
    assert not list(made.glob("tokenizer*"))
    assert load_tokenizer(made).get_vocab() == load_tokenizer(folder).get_vocab()
    assert HfEngine().count_tokens(made, [[{"role": "user", "content": "1+1"}]]) == HfEngine().count_tokens(
        folder, [[{"role": "user", "content": "1+1"}]]
    )
    open_(made)


@pytest.mark.parametrize("untied", [False, True])
def test_adapters_with_a_grown_vocabulary_are_what_was_trained(folder: FilePath, tmp_path: FilePath, untied: bool) -> None:
    if untied:
        settings(folder, tie_word_embeddings=False)
        change(folder, lambda found: {**found, "lm_head.weight": 2 * found["model.embed_tokens.weight"]})
    made = adapters(tmp_path / "adapter", folder, tokens=3)
    from peft import PeftModel

    plain = AutoModelForCausalLM.from_pretrained(folder)
    plain.resize_token_embeddings(291)
    expected = PeftModel.from_pretrained(plain, made)
    ids_BT = torch.tensor([[5, 288, 6, 290, 7]])
    found = load_model(made)
    assert torch.allclose(found(ids_BT).logits, expected(ids_BT).logits, atol=1e-4)
    assert len(load_tokenizer(made)) == found.get_input_embeddings().weight.shape[0] == 291
    with pytest.raises(ConfigError, match=r"with weights of the model below \(.*embed_tokens\.weight\), which this engine does not"):
        check_weights(folder, made)


def test_new_tokens_without_rows_in_the_head_are_refused(folder: FilePath, tmp_path: FilePath) -> None:
    settings(folder, tie_word_embeddings=False)
    change(folder, lambda found: {**found, "lm_head.weight": 2 * found["model.embed_tokens.weight"]})
    made = adapters(tmp_path / "adapter", folder, tokens=3)
    change(made, lambda found: {name: value for name, value in found.items() if "lm_head" not in name}, "adapter_model.safetensors")
    with pytest.raises(ConfigError, match="an embedding of 291 tokens and no head for them, which would be random"):
        load_model(made)


def test_adapters_whose_weights_are_missing_or_unknown_are_refused(folder: FilePath, tmp_path: FilePath) -> None:
    made, base = adapters(tmp_path / "adapter", folder), load_model(folder)
    check_weights(folder, made)

    def misnamed(found: Weights) -> Weights:
        first = sorted(found)[0]
        return {("other." + name if name == first else name): value for name, value in found.items()}

    change(made, misnamed, "adapter_model.safetensors")
    for way in (lambda: merge_adapter(base, made), lambda: check_weights(folder, made), lambda: open_(made)):
        with pytest.raises(ConfigError, match=r"(?s)adapter are not.* 1 missing.*lora_A.*1 in the file, and not of this model: other\."):
            way()


# Tokens -------------------------------------------------------------------------------------------------------------------


def test_a_model_that_names_no_end_of_text_is_told(folder: FilePath) -> None:
    settings(folder, eos_token_id=None)
    for name in ("generation_config.json", "tokenizer_config.json"):
        file = folder / name
        if file.is_file():
            file.write_text(json.dumps({**json.loads(file.read_text()), "eos_token_id": None, "eos_token": None}))
    with pytest.raises(ConfigError, match=r"name an end-of-text token, so nothing would end a judgement\.\n  Remedy: write its eos_token"):
        open_(folder)


def test_mistrals_tokenizer_file_alone_is_read(tmp_path: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    from base64 import b64encode

    from transformers import MistralConfig, MistralForCausalLM

    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>"]
    sizes = {"vocab_size": 262, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
             "num_key_value_heads": 1, "eos_token_id": None, "bos_token_id": 1}  # fmt: skip
    MistralForCausalLM(MistralConfig(**sizes)).save_pretrained(tmp_path)
    tekken = {
        "config": {"pattern": r"\p{L}+|\p{N}|[^\p{L}\p{N}]+", "num_vocab_tokens": 256, "default_vocab_size": 262, "version": "v7",
                   "default_num_special_tokens": 6},
        "vocab": [{"rank": rank, "token_bytes": b64encode(bytes([rank])).decode(), "token_str": None} for rank in range(256)],
        "special_tokens": [{"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(names)],
    }  # fmt: skip
    (tmp_path / "tekken.json").write_text(json.dumps(tekken))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer("ab")["input_ids"] == [6 + ord("a"), 6 + ord("b")]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 5), "by the names that Mistral gives them"
    assert "has no chat template beside its tekken.json, so it is asked in plain text" in caplog.text
    open_(tmp_path)
    caplog.clear()
    (tmp_path / "chat_template.jinja").write_text("{% for m in messages %}[INST]{{ m.content }}[/INST]{% endfor %}")
    assert load_tokenizer(tmp_path).apply_chat_template([{"role": "user", "content": "a"}])["input_ids"] == [3, 6 + ord("a"), 4]
    assert caplog.text == ""
    (tmp_path / "tekken.json").write_text(json.dumps({name: value for name, value in tekken.items() if name != "special_tokens"}))
    if find_spec("mistral_common") is None:
        with pytest.raises(
            ConfigError, match=r"of an older form, which takes Mistral's own package\.\n  Remedy: pip install mistral-common"
        ):
            load_tokenizer(tmp_path)


# Four and eight bits ------------------------------------------------------------------------------------------------------


def test_quantization_is_part_of_what_answers_depend_on() -> None:
    plain = HfEngine().fingerprint()
    assert "quantization" not in str(plain), "known completions stay known"
    assert len({str(one.fingerprint()) for one in (HfEngine(), HfEngine(quantization="8bit"), HfEngine(quantization="4bit"))}) == 3


@pytest.mark.parametrize(("bits", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
def test_weights_of_four_bits_or_eight_judge(embedded: FilePath, bits: Any, kind: str) -> None:
    if find_spec("bitsandbytes") is None:
        with pytest.raises(ConfigError, match=r"bitsandbytes is not installed here\.\n  Remedy: pip install 'adjudge\[qlora\]'"):
            open_with(embedded, bits)
        return
    assert open_with(embedded, bits) == kind


def open_with(folder: FilePath, bits: Any) -> str:
    """The kind of a linear layer in a model that has also sampled something."""
    with HfEngine(quantization=bits, device="cpu").open(folder) as session:
        [(_, made)] = session.sample([[{"role": "user", "content": "1+1"}]], seeds=[0], temperature=0.0, top_p=1.0, max_new_tokens=4)
        assert made.token_ids
        return type(session.model.model.layers[0].mlp.up_proj).__name__  # type: ignore[attr-defined]


def test_weights_that_are_packed_already_are_not_packed_again(folder: FilePath) -> None:
    settings(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ConfigError, match=r"is quantised already\.\n  Remedy: leave quantisation out"):
        load_model(folder, quantization_config="any")
