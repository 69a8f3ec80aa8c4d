#!/bin/sh
# TRL 1.16: a folder called vllm beside a script, with nothing in it, is taken for the library vLLM. Its version is then read as "N/A", which is
# no version: GRPOTrainer cannot be imported any more, nor anything else that asks for vLLM. SFTTrainer can.
# Exit code 0: still so. 1: it behaves otherwise now. 2: other versions than the pinned ones, or none could be installed.
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
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
mkdir -p "$folder/beside-one/vllm" "$folder/plain"
cd "$folder/beside-one"
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
cat > train.py <<'PYTHON'
import importlib.util

import trl

if (spec := importlib.util.find_spec("vllm")) is not None and spec.origin is not None:
    raise SystemExit("vLLM is installed here, so this shows nothing")
for name in ("SFTTrainer", "GRPOTrainer"):
    try:
        getattr(trl, name)
        print(f"  trl.{name}: imported")
    except RuntimeError as error:
        print(f"  trl.{name}: RuntimeError, {str(error).splitlines()[-1]}")
PYTHON
cp train.py ../plain/train.py
"$python" -W ignore train.py > "$folder/beside" 2> /dev/null || { cat "$folder/beside"; exit 2; }
(cd ../plain && "$python" -W ignore train.py > "$folder/without" 2> /dev/null) || exit 2
echo "trl 1.16.0"
echo "python train.py, in a folder of nothing else:"
cat "$folder/without"
echo "python train.py, beside an empty folder called vllm:"
cat "$folder/beside"
[ "$(grep -c imported "$folder/without")" = 2 ] || exit 1
[ "$(grep -c imported "$folder/beside")" = 1 ] || exit 1
grep -q "GRPOTrainer: RuntimeError, Invalid version: 'N/A'" "$folder/beside" || exit 1
