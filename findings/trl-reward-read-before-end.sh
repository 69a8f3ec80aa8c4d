#!/bin/sh
# TRL's GRPO with a reward model whose tokenizer has no padding token: it sets the end-of-text token as one, and transformers reads the score at
# the last token that is no padding. So the score is read before the end, where the model that is asked by itself reads it at the end: other
# rewards than those that the reward model was trained and tested for. RewardTrainer does the same, and what it trains never sees the end.
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
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

seen = []


class Shown(GRPOTrainer):
    """GRPO whose rewards can be looked at."""

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        found = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        chats = [prompt + completion for prompt, completion in zip(prompts, completions)]
        seen.extend(zip(chats, found[:, 0].tolist()))
        return found


def tokenizer(**more):
    words = ["<unk>", "<end>", "<pad>", "which", "is", "better", "first", "second"]
    letters = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<end>", **more)
    made.chat_template = "{% for message in messages %}{{ message.content }} <end> {% endfor %}"
    return made


sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, bos_token_id=None, eos_token_id=1)
torch.manual_seed(0)
policy = LlamaForCausalLM(LlamaConfig(vocab_size=8, **sizes))
judge = LlamaForSequenceClassification(LlamaConfig(vocab_size=8, num_labels=1, initializer_range=1.0, **sizes)).eval()


def alone(chat, cut=0):
    """The reward model's score of a chat by itself, as long as its configuration names no padding; `cut` leaves out tokens at the end."""
    ids = tokenizer().apply_chat_template(chat, return_dict=False)
    assert ids[-1] == 1 and judge.config.pad_token_id is None
    with torch.inference_mode():
        return float(judge(torch.tensor([ids[: len(ids) - cut]])).logits[0, 0])


options = GRPOConfig(
    output_dir="out", per_device_train_batch_size=4, num_generations=4, max_completion_length=4, max_steps=1, use_cpu=True, bf16=False,
    report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no",
)
rows = Dataset.from_list([{"prompt": [{"role": "user", "content": "which is better"}]}] * 4)
Shown(
    model=policy, reward_funcs=judge, reward_processing_classes=tokenizer(), args=options, train_dataset=rows,
    processing_class=tokenizer(pad_token="<pad>"),
).train()
set_by_trl, judge.config.pad_token_id = judge.config.pad_token_id, None
print("versions:", *sys.argv[1:])
print("id of <end>: 1; padding of the reward model's configuration before: None; after:", set_by_trl)
known = [(text, reward, alone(chat), alone(chat, cut=1)) for chat, reward in seen for text in [chat[-1]["content"]]]
for text, reward, whole, cut in known:
    print(f"{text!r}: reward in GRPO {reward:.4f}; the model by itself {whole:.4f}; the model by itself, <end> cut off {cut:.4f}")
before = all(abs(reward - cut) < 1e-4 for _, reward, _, cut in known)
other = all(abs(reward - whole) > 1e-3 for _, reward, whole, _ in known)
sys.exit(0 if known and set_by_trl == 1 and before and other else 1)
PYTHON
