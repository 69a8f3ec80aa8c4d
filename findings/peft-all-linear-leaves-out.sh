#!/bin/sh
# peft with target_modules="all-linear" on models of experts. For those that transformers 5 holds in one parameter peft turns the names gate_proj,
# up_proj and down_proj into that parameter, and so gives none to linear layers of these names: the shared expert and the first, dense layers.
# Asked for the shared expert by its name, it gives adapters to the routed experts in its place. Of other models the experts get none.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 peft==0.21.2"
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
from peft import LoraConfig, get_peft_model
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

SIZES = dict(
    vocab_size=32, hidden_size=16, intermediate_size=24, moe_intermediate_size=8, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=2, num_experts=4, n_routed_experts=4, num_local_experts=4, num_experts_per_tok=2, bos_token_id=None, eos_token_id=1,
    pad_token_id=None,
)
DENSE = dict(first_k_dense_replace=1, n_group=1, topk_group=1)  # the first layer has no experts
LATENT = dict(q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8)
MODELS = {"qwen3_moe": {}, "glm4_moe": DENSE, "deepseek_v3": {**DENSE, **LATENT}, "gpt_oss": {}, "qwen2_moe": {"shared_expert_intermediate_size": 16}}


def adapted(kind, targets):
    """Linear layers but for the head, and parameters of all routed experts together, each with whether it has an adapter."""
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**SIZES, **MODELS[kind]))
    layers = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module is not model.get_output_embeddings()]
    layers += sorted({name.rpartition(".")[0] for name, value in model.named_parameters() if value.ndim == 3})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft = get_peft_model(model, LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM"))
    names = [name.removeprefix("base_model.model.").replace(".base_layer", "") for name, _ in peft.named_parameters() if ".lora_A." in name]
    has = {name.partition(".lora_A.")[0] for name in names}
    return {name: name in has for name in layers}


def left_out(kind):
    found = adapted(kind, "all-linear")
    print(f"{kind}: {sum(found.values())} of {len(found)} have adapters; none on:", *(name for name, has in found.items() if not has) or ["-"])
    return [name.removeprefix("model.layers.") for name, has in found.items() if not has]


print("versions:", *sys.argv[1:])
found = {kind: left_out(kind) for kind in MODELS}
shared = [f"shared_experts.{name}_proj" for name in ("gate", "up", "down")]
instead = [name for name, has in adapted("glm4_moe", shared).items() if has]
print(f"glm4_moe asked for {shared}: adapters on", *instead)
dense = [*(f"0.mlp.{name}_proj" for name in ("gate", "up", "down")), *(f"1.mlp.{name}" for name in shared)]
experts = ["0.mlp.experts", "1.mlp.experts"]
expected = {"qwen3_moe": [], "glm4_moe": dense, "deepseek_v3": dense, "gpt_oss": experts, "qwen2_moe": experts}
sys.exit(0 if found == expected and instead == ["model.layers.1.mlp.experts"] else 1)
PYTHON
