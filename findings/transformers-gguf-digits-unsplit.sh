#!/bin/sh
# transformers reads the tokenizer of a GGUF file that names its way of splitting as "smollm", where every digit stands apart, and splits as
# GPT-2 does, without a word. Spaces before digits then become other tokens than those that the model was trained with.
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
import json
import sys

import gguf
import numpy as np
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import AutoTokenizer


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


own = Tokenizer(models.BPE())
own.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=ByteLevel.alphabet(), special_tokens=["<end>"], show_progress=False)
own.train_from_iterator(["one    two     three      1    2   3"] * 9, trainer)
content = json.loads(own.to_str())["model"]
tokens = sorted(content["vocab"], key=content["vocab"].get)
write("model.gguf", "llama", "smollm", tokens, [" ".join(pair) for pair in content["merges"]])
read = AutoTokenizer.from_pretrained(".", gguf_file="model.gguf")
print("versions:", *sys.argv[1:])
split = [piece for piece, _ in read.backend_tokenizer.pre_tokenizer.pre_tokenize_str("x 100")]
print('"x 100": expected [\'x\', \'Ġ\', \'1\', \'0\', \'0\'], split as', split)
differ = []
for text in ("a b", "a    1", "| 12 |   7 |"):
    expected, found = own.encode(text), read(text, add_special_tokens=False)["input_ids"]
    differ.append(expected.ids != found)
    print(f"{text!r}: tokens of the model {expected.tokens}, read {read.convert_ids_to_tokens(found)}")
sys.exit(0 if split == ["x", "Ġ100"] and differ == [False, True, True] else 1)
PYTHON
