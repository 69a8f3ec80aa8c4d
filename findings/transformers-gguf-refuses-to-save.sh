#!/bin/sh
# transformers: a model that was read from a GGUF file cannot be saved, even where all its weights are plain float32 in the file and in
# memory. The same call with GgufConfig(dequantize=True) gives the same weights and can be saved.
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
import torch
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


write("model.gguf", "llama", "llama-bpe", ["<end>", *sorted(ByteLevel.alphabet())], [])
read = {}
saved = {}
for name, options in {"as it is": {}, "dequantize": {"quantization_config": GgufConfig(dequantize=True)}}.items():
    read[name] = AutoModelForCausalLM.from_pretrained(".", gguf_file="model.gguf", **options)
    try:
        read[name].save_pretrained(f"saved {name}")
        saved[name] = "saved"
    except ValueError as error:
        saved[name] = f"ValueError: {error}"
one, other = (model.state_dict() for model in read.values())
alike = one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())
print("versions:", *sys.argv[1:])
print("types of the weights:", {name: sorted({str(value.dtype) for value in model.parameters()}) for name, model in read.items()})
print("both have the same weights:", alike)
for name, what in saved.items():
    print(f"save_pretrained, {name}: {what}")
sys.exit(0 if alike and saved["as it is"].startswith("ValueError") and saved["dequantize"] == "saved" else 1)
PYTHON
