#!/bin/sh
# arena-rank's intervals vanish where nothing is known: an item that won its only match is rated 3,650 points above the other, plus or minus 0.02,
# as after a hundred wins. Items that only tie have intervals of width 0 as well, after two ties as after two hundred.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="arena-rank==0.1.1 jax==0.8.1 numpy==2.3.3 pandas==3.1.1"
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

import pandas
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset


def rated(**results):
    """Rating and width of the 95% interval of each item; `ab=(3, 1, 2)` are three wins of a over b, one tie, two losses."""
    kinds = ("model_a", "tie", "model_b")
    rows = [(*pair, kind) for pair, counts in results.items() for kind, count in zip(kinds, counts) for _ in range(count)]
    matches = PairDataset.from_pandas(pandas.DataFrame(rows, columns=["model_a", "model_b", "winner"]))
    found = BradleyTerry(n_competitors=len(matches.competitors)).compute_ratings_and_cis(matches)
    width = [float(upper - lower) for upper, lower in zip(found["rating_upper"], found["rating_lower"])]
    items = dict(zip(found["competitors"], zip(map(float, found["ratings"]), width)))
    print(f"{results}:", *(f"{name} {rating:.1f}, interval {across:.2f} wide;" for name, (rating, across) in sorted(items.items())))
    return items


print("versions:", *sys.argv[1:])
even = rated(ab=(6, 0, 4), bc=(6, 0, 4), ac=(7, 0, 3))
few, many = rated(ab=(1, 0, 0)), rated(ab=(100, 0, 0))
unbeaten = rated(ab=(10, 0, 0), bc=(5, 0, 5))
tied, often_tied = rated(ab=(0, 2, 0)), rated(ab=(0, 200, 0))
known = min(across for _, across in even.values()) > 100
certain = all(across < 1 for items in (few, many, tied, often_tied) for _, across in items.values()) and unbeaten["a"][1] < 1 < unbeaten["c"][1]
sys.exit(0 if known and certain and few["a"][0] - few["b"][0] > 3000 else 1)
PYTHON
