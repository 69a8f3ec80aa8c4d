#!/bin/sh
# TRL's RewardTrainer evaluates batch by batch and reports the plain mean of the batches' accuracies, so a last batch with one pair counts as
# much as a full one: 8 of 9 pairs right are eval_accuracy 0.5 in batches of 8. eval_min_reward and eval_max_reward are means of the batches'
# extremes. eval_loss is weighted and right, and the best checkpoint by eval_accuracy may be another one with another batch size.
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
import math
import sys

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import RewardConfig, RewardTrainer

words = {word: number for number, word in enumerate(["<unk>", "<end>", "<pad>", *"abcdefghijkl"])}
letters = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
letters.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<end>", pad_token="<pad>")
tokenizer.chat_template = "{% for message in messages %}{{ message.content }} {% endfor %}"
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(words), num_labels=1, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
    bos_token_id=None, eos_token_id=1, pad_token_id=2, initializer_range=1.0,
)
model = LlamaForSequenceClassification(config).eval()


def reward(answer):
    ids = tokenizer.apply_chat_template(said(answer), return_dict=False)
    with torch.inference_mode():
        return float(model(torch.tensor([ids])).logits[0, 0])


def said(answer):
    return [{"role": "user", "content": "a"}, {"role": "assistant", "content": answer}]


ranked = sorted("abcdefghijkl", key=reward)  # the answer that the model likes least first
pairs = [(ranked[number + 1], ranked[number]) for number in range(8)] + [(ranked[0], ranked[9])]  # eight that it orders rightly, one wrongly
rows = Dataset.from_list([{"chosen": said(chosen), "rejected": said(rejected)} for chosen, rejected in pairs])
rewards = [reward(answer) for pair in pairs for answer in pair]
loss = sum(math.log1p(math.exp(reward(rejected) - reward(chosen))) for chosen, rejected in pairs) / len(pairs)
right = sum(reward(chosen) > reward(rejected) for chosen, rejected in pairs) / len(pairs)


def evaluated(size):
    options = RewardConfig(
        output_dir="out", per_device_eval_batch_size=size, use_cpu=True, bf16=False, report_to=[], disable_tqdm=True, logging_strategy="no",
    )
    return RewardTrainer(model=model, args=options, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer).evaluate()


print("versions:", *sys.argv[1:])
print(f"by hand, of {len(pairs)} pairs: loss {loss:.4f}, accuracy {right:.4f}, rewards from {min(rewards):.4f} to {max(rewards):.4f}")
found = {}
for size in (9, 8, 3):
    found[size] = evaluated(size)
    named = ("eval_loss", "eval_accuracy", "eval_min_reward", "eval_max_reward")
    print(f"batches of {size}:", *(f"{name} {found[size][name]:.4f}" for name in named))
same_loss = all(abs(one["eval_loss"] - loss) < 1e-4 for one in found.values())
whole = abs(found[9]["eval_accuracy"] - right) < 1e-6 and abs(found[9]["eval_min_reward"] - min(rewards)) < 1e-4
cut = abs(found[8]["eval_accuracy"] - 0.5) < 1e-6 and found[3]["eval_min_reward"] > min(rewards) + 1e-3
sys.exit(0 if same_loss and whole and cut else 1)
PYTHON
