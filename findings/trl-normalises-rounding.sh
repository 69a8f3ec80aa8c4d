#!/bin/sh
# TRL's GRPO with multi_objective_aggregation="normalize_then_sum": a batch in which every completion of each prompt got the same reward
# still gives advantages far from 0, made of rounding. "sum_then_normalize" gives 0.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 trl==1.16.0 datasets==5.2.0 accelerate==1.15.0"
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

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

seen = {}


class Shown(GRPOTrainer):
    """GRPO whose advantages can be looked at."""

    def _generate_and_score_completions(self, inputs):
        found = super()._generate_and_score_completions(inputs)
        seen[self.args.multi_objective_aggregation] = found["advantages"].tolist()
        return found


def same(prompts, **_):
    """0.7 for every completion of one prompt, 0.1 for every completion of the other."""
    return [0.7 if prompt.endswith("first") else 0.1 for prompt in prompts]


words = {word: number for number, word in enumerate(["<unk>", "<end>", "<pad>", "which", "is", "better", "first", "second"])}
letters = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
letters.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<end>", pad_token="<pad>")
rows = Dataset.from_list([{"prompt": "which is better first"}, {"prompt": "which is better second"}])
for how in ("sum_then_normalize", "normalize_then_sum"):
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    )
    options = GRPOConfig(
        output_dir="out", per_device_train_batch_size=16, num_generations=8, max_completion_length=4, max_steps=1, use_cpu=True, bf16=False,
        report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no", multi_objective_aggregation=how,
    )
    Shown(model=model, reward_funcs=[same], args=options, train_dataset=rows, processing_class=tokenizer).train()
print("versions:", *sys.argv[1:])
print("rewards: 0.7 eight times for one prompt, 0.1 eight times for the other")
for how, advantages in seen.items():
    print(how, [round(value, 3) for value in advantages])
small, large = (max(map(abs, seen[how])) for how in ("sum_then_normalize", "normalize_then_sum"))
sys.exit(0 if small < 0.01 and large > 0.1 else 1)
PYTHON
