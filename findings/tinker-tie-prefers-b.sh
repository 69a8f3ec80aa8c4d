#!/bin/sh
# tinker-cookbook's DPO trains on a comparison labelled "Tie" as if B had been preferred.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 datasets==5.2.0 tinker==0.38.0 tinker-cookbook==0.6.1"
# The cookbook asks for a package that has no build for every Python and is not needed here, so its own needs are named.
bare="tinker==0.38.0 tinker-cookbook==0.6.1 chz==0.4.0 blobfile==3.3.0 cloudpickle==3.1.3 distro==1.9.0 h2==4.4.1 hpack==4.2.0
hyperframe==6.1.0 httpcore==1.0.9 httpx==0.28.1 lxml==6.1.3 orjson==3.13.0 pillow==13.0.0 pycryptodomex==3.24.2 pyqwest==0.12.0
termcolor==3.3.0 tiktoken==0.14.0 aiohttp==3.14.5 aiohappyeyeballs==2.7.1 aiosignal==1.4.0 frozenlist==1.8.0 multidict==7.2.1
propcache==0.5.4 yarl==1.25.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 2' INT TERM
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    "${PYTHON:-python3}" -m venv "$folder/venv" || exit 2
    python=$folder/venv/bin/python
    # torch first and by itself; TORCH_ARGS may name an index with CPU builds. Whatever asks for torch later is then content.
    "$python" -m pip install --quiet --disable-pip-version-check ${TORCH_ARGS:-} torch==2.13.0 || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check transformers==5.23.0 datasets==5.2.0 pydantic sniffio protobuf rich urllib3 || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps $bare || exit 2
fi
case $python in /*) ;; */*) python=$PWD/$python ;; esac
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
bare = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate([*alphabet, "<end>"])}, merges=[]))
bare.pre_tokenizer, bare.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<end>", bos_token="<end>").save_pretrained("tokenizer")

from tinker_cookbook.preference.dpo_datasets import DPODatasetBuilderFromComparisons
from tinker_cookbook.preference.preference_datasets import ComparisonBuilderFromJsonl
from tinker_cookbook.supervised.types import ChatDatasetBuilderCommonConfig
from tinker_cookbook.tokenizer_utils import get_tokenizer


def trained_on(label):
    """The answers that DPO prefers and rejects, of a row with this label."""
    row = {
        "comparison": {
            "prompt_conversation": [{"role": "user", "content": "1+1"}],
            "completion_A": [{"role": "assistant", "content": "222"}],
            "completion_B": [{"role": "assistant", "content": "333"}],
        },
        "label": label,
    }
    file = Path(f"{label}.jsonl")
    file.write_text(json.dumps(row) + "\n")
    config = ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer="tokenizer", renderer_name="role_colon", max_length=None, batch_size=1
    )
    rows = ComparisonBuilderFromJsonl(train_path=str(file))
    train, _ = DPODatasetBuilderFromComparisons(comparison_builder=rows, common_config=config)()
    texts = [get_tokenizer("tokenizer").decode(datum.model_input.to_ints()) for datum in train.get_batch(0)]
    return ["222" if "222" in text else "333" for text in texts]


print("versions:", *sys.argv[1:])
seen = {label: trained_on(label) for label in ("A", "B", "Tie")}
for label, (chosen, rejected) in seen.items():
    print(f"label {label}: chosen {chosen}, rejected {rejected}")
sys.exit(0 if seen == {"A": ["222", "333"], "B": ["333", "222"], "Tie": ["333", "222"]} else 1)
PYTHON
