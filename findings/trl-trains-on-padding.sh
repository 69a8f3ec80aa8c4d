#!/bin/sh
# TRL's GRPO whose completions end with another token than the model's own, as generation_kwargs={"eos_token_id": ...} says: sampling stops
# there, and TRL does not know. The padding that fills a shorter completion up is trained on as if the model had written it, and a completion
# that fills its row counts as cut off: with mask_truncated_completions=True it is left out of the loss.
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

END, PAD, STOP = 1, 2, 7
seen = {}


class Shown(GRPOTrainer):
    """GRPO whose completions can be looked at."""

    def _generate_and_score_completions(self, inputs):
        found = super()._generate_and_score_completions(inputs)
        rows = zip(found["completion_ids"].tolist(), found["completion_mask"].tolist())
        clipped = self._metrics["train"]["completions/clipped_ratio"][-1]
        seen[self.args.mask_truncated_completions] = [[token for token, kept in zip(*row) if kept] for row in rows], clipped
        return found


def length(completions, **_):
    return [float(len(completion)) for completion in completions]


words = {word: number for number, word in enumerate(["<unk>", "<end>", "<pad>", "which", "is", "better", "first", "</verdict>"])}
letters = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
letters.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<end>", pad_token="<pad>")
rows = Dataset.from_list([{"prompt": "which is better"}] * 8)
for masked in (False, True):
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
    )
    options = GRPOConfig(
        output_dir="out", per_device_train_batch_size=8, num_generations=8, max_completion_length=40, max_steps=1, use_cpu=True, bf16=False,
        report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no", mask_truncated_completions=masked,
        generation_kwargs={"eos_token_id": STOP, "suppress_tokens": [END, PAD]},
    )
    Shown(model=model, reward_funcs=[length], args=options, train_dataset=rows, processing_class=tokenizer).train()
print("versions:", *sys.argv[1:])
for masked, (found, clipped) in seen.items():
    print(f"mask_truncated_completions={masked}: clipped_ratio {clipped}; tokens that are trained on ({PAD} is padding, {STOP} ends):")
    print(*found, sep="\n")
(trained, clipped), (left, _) = seen[False], seen[True]
padding = any(PAD in tokens for tokens in trained) and all(STOP in tokens for tokens in trained)
whole = [tokens for tokens in trained if tokens[-1] == STOP]
count = sum(tokens.count(PAD) for tokens in trained)
print(f"{count} of {sum(map(len, trained))} tokens are padding; completions that end and are taken for cut off: {len(whole)}")
sys.exit(0 if padding and whole and clipped == len(whole) / len(trained) and sum(not tokens for tokens in left) == len(whole) else 1)
PYTHON
