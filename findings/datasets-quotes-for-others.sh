#!/bin/sh
# datasets writes messages whose contents are texts here and lists of parts there to Parquet as JSON, text by text: whoever reads the file
# without datasets has quotation marks and \n in plain contents, but none in 42. No two ways back agree on all.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="datasets==5.2.0 pandas==3.1.1 pyarrow==26.0.1"
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
import sys

import datasets
import pandas
from pyarrow import parquet

datasets.disable_progress_bars()
contents = ["plain", "two\nlines", "42", [{"type": "text", "text": "in parts"}]]
rows = [{"messages": [{"role": "user", "content": content}]} for content in contents]
datasets.Dataset.from_list(rows, on_mixed_types="use_json").to_parquet("rows.parquet")


def read(messages):
    return [row[0]["content"] for row in messages]


print("versions:", *sys.argv[1:])
print("written:                 ", contents)
by_datasets = read(datasets.load_dataset("parquet", data_files="rows.parquet", split="train", cache_dir="cache")["messages"])
print("read back by datasets:   ", by_datasets)
by_pandas = read(pandas.read_parquet("rows.parquet")["messages"])
print("read by pandas:          ", by_pandas)
by_pyarrow = read(parquet.read_table("rows.parquet")["messages"].to_pylist())
print("read by pyarrow:         ", by_pyarrow)
alone = [row for row in rows if isinstance(row["messages"][0]["content"], str)]
datasets.Dataset.from_list(alone).to_parquet("alone.parquet")
unmixed = read(pandas.read_parquet("alone.parquet")["messages"])
print("the texts alone, by pandas:", unmixed)
quoted = ['"plain"', '"two\\nlines"', "42", '[{"type":"text","text":"in parts"}]']
sys.exit(0 if by_pandas == by_pyarrow == quoted and by_datasets[:3] == ["plain", "two\nlines", 42] and unmixed == contents[:3] else 1)
PYTHON
