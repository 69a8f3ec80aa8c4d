#!/bin/sh
# transformers reads GGUF files whose rotary positions are scaled (linear, YaRN, or Llama 3's divisors in a tensor of their own) as models
# whose positions are not scaled. Nothing is missing or unexpected in its report.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 tokenizers==0.23.3 gguf==0.19.0 numpy==2.4.6"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 2' INT TERM
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    "${PYTHON:-python3}" -m venv "$folder/venv" || exit 2
    python=$folder/venv/bin/python
    # torch first and by itself; TORCH_ARGS may name an index with CPU builds. Whatever asks for torch later is then content.
    "$python" -m pip install --quiet --disable-pip-version-check ${TORCH_ARGS:-} torch==2.13.0 || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check $pins || exit 2
fi
case $python in /*) ;; */*) python=$PWD/$python ;; esac
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import sys

import gguf
import numpy as np
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoModelForCausalLM, GgufConfig


def write(file, architecture, pre, tokens, merges, more=lambda writer: None):
    """A model of one layer with random float32 weights; `more` adds fields or tensors."""
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes = {"token_embd": (len(tokens), 32), "output": (len(tokens), 32), **{f"blk.0.{name}": (32, 32) for name in square}}
    random = np.random.default_rng(0)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.1, shape).astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
    if architecture == "qwen2":
        for name in square[:3]:
            writer.add_tensor(f"blk.0.{name}.bias", np.zeros(32, np.float32))
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def scaled(kind):
    def add(writer):
        writer.add_rope_scaling_type(kind)
        writer.add_rope_scaling_factor(4.0)
        writer.add_rope_scaling_orig_ctx_len(64)

    return add


def divisors(writer):
    writer.add_tensor("rope_freqs.weight", np.array([1, 1, 1, 1, 2, 4, 8, 8], np.float32))


print("versions:", *sys.argv[1:])
found = []
for name, architecture, more, expected in [
    ("linear", "llama", scaled(gguf.RopeScalingType.LINEAR), "rope_type linear, factor 4"),
    ("yarn", "qwen2", scaled(gguf.RopeScalingType.YARN), "rope_type yarn, factor 4 over 64 positions"),
    ("llama3", "llama", divisors, "frequencies divided by 1 to 8"),
]:
    write(f"{name}.gguf", architecture, "qwen2", ["<end>", *sorted(ByteLevel.alphabet())], [], more)
    model, told = AutoModelForCausalLM.from_pretrained(
        ".", gguf_file=f"{name}.gguf", quantization_config=GgufConfig(dequantize=True), output_loading_info=True
    )
    plain = (1 / 10_000.0 ** (np.arange(0, 16, 2) / 16)).astype(np.float32)
    same = np.allclose(model.model.rotary_emb.inv_freq.numpy(), plain)
    print(f"{name}: in the file {expected}; read {model.config.rope_parameters}; the frequencies are those without scaling: {same}")
    print("  report:", {key: sorted(value) for key, value in told.items()})
    found.append(same and model.config.rope_parameters["rope_type"] == "default" and not any(told.values()))
sys.exit(0 if all(found) else 1)
PYTHON
