#!/bin/sh
# datasets' reader of JSON lines: where a column holds texts and lists, the text "42" is read as the number 42, and "null" as None. Where the
# first list comes after the first block of the file, the texts of the later block are put into quotation marks instead.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="datasets==5.2.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 2' INT TERM
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    "${PYTHON:-python3}" -m venv "$folder/venv" || exit 2
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet --disable-pip-version-check $pins || exit 2
fi
case $python in /*) ;; */*) python=$PWD/$python ;; esac
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import json
import sys
from pathlib import Path

import datasets

datasets.disable_progress_bars()
conversation = [{"role": "assistant", "content": "Hello."}]


def read(name, values, **options):
    """The column as datasets reads it from a file whose answers are `values`."""
    file = Path(f"{name}.jsonl")
    file.write_text("".join(json.dumps({"answer": value}) + "\n" for value in values))
    rows = datasets.load_dataset("json", data_files=str(file), split="train", cache_dir=name, **options)
    return rows.features["answer"], list(rows["answer"])


print("versions:", *sys.argv[1:])
texts = ["42", "007", "true", "null", "1.50", "plain"]
_, alone = read("alone", texts)
print("texts alone:             ", alone)
_, mixed = read("mixed", [*texts, conversation])
print("and a list in another row:", mixed)
parts = [[{"role": "assistant", "content": "42"}], [{"role": "assistant", "content": [{"type": "text", "text": "42"}]}]]
_, messages = read("messages", parts)
print("a message beside one whose content is a list of parts:", messages[0])
plain = [f"answer {number}" for number in range(40)]
kind, late = read("late", [*plain, conversation], chunksize=500)
changed = [value for value, before in zip(late, plain) if value != before]
print(f"a list in the second block (blocks of 500 bytes here, of 10 MB as a rule): column {kind}, {len(changed)} of 40 texts changed, the last to {changed[-1:]}")
numbers = [42, 7, True, None, 1.5, "plain"]
same = alone == texts and mixed == [*numbers, conversation] and messages[0][0]["content"] == 42
sys.exit(0 if same and 0 < len(changed) < 40 and changed[-1] == '"answer 39"' else 1)
PYTHON
