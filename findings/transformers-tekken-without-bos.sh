#!/bin/sh
# transformers reads a tokenizer from Mistral's tekken.json alone, without naming its first and last token: bos_token and eos_token are None,
# and a chat template that opens with {{ bos_token }} writes nothing there.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0"
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
import base64
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer, MistralConfig

special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>"]
folder = Path("model")
MistralConfig(vocab_size=262, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, bos_token_id=1, eos_token_id=2).save_pretrained(folder)
config = {"pattern": r"\p{L}+|\p{N}|\s+|[^\s\p{L}\p{N}]+", "num_vocab_tokens": 256, "default_vocab_size": 262, "default_num_special_tokens": 6, "version": "v7"}
vocabulary = [{"rank": byte, "token_bytes": base64.b64encode(bytes([byte])).decode(), "token_str": None} for byte in range(256)]
specials = [{"rank": number, "token_str": text, "is_control": True} for number, text in enumerate(special)]
(folder / "tekken.json").write_text(json.dumps({"config": config, "vocab": vocabulary, "special_tokens": specials}))
tokenizer = AutoTokenizer.from_pretrained(folder)
tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}[INST]{{ message.content }}[/INST]{% endfor %}"
ids = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], return_dict=False)
expected = [1, 3, 6 + ord("a"), 4]
print("versions:", *sys.argv[1:])
print("bos_token:", tokenizer.bos_token, " eos_token:", tokenizer.eos_token, " id of <s>:", tokenizer.convert_tokens_to_ids("<s>"))
print("ids of a chat:", ids, " with the first token:", expected)
sys.exit(0 if tokenizer.bos_token is None and tokenizer.eos_token is None and ids == expected[1:] else 1)
PYTHON
