#!/bin/sh
# peft: an adapter file with a tensor whose name fits no module is loaded. peft warns of the tensor that is missing for it, says nothing of
# the one that it did not use, and goes on with random numbers.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 peft==0.21.2 safetensors==0.8.0"
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
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

KEPT = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
MISNAMED = KEPT.replace("self_attn", "attention")


def base():
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    ).eval()


def opened(seed):
    """The logits of the adapter in the folder, what was warned of, and the weight in the place of the misnamed one."""
    below = base()
    torch.manual_seed(seed)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(below, "adapter").eval()
    with torch.no_grad():
        return model(torch.arange(8)[None]).logits, [str(one.message) for one in told]


trained = get_peft_model(base(), LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
for name, value in trained.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(value)  # as after a training
trained.save_pretrained("adapter")
right, _ = opened(1)
tensors = load_file("adapter/adapter_model.safetensors")
tensors[MISNAMED] = tensors.pop(KEPT)
save_file(tensors, "adapter/adapter_model.safetensors", metadata={"format": "pt"})
(one, told), (other, _) = opened(1), opened(2)
print("versions:", *sys.argv[1:])
print("in the file:", *sorted(tensors), sep="\n  ")
print("warnings:", *told, sep="\n  ")
unknown = any("layers.0.attention" in line for line in told)
print("the unknown tensor is mentioned:", unknown)
print(f"largest difference of the logits from the saved adapter's: {(one - right).abs().max():.3f}; between two loadings: {(one - other).abs().max():.3f}")
sys.exit(0 if not unknown and told and not torch.equal(one, right) and not torch.equal(one, other) else 1)
PYTHON
