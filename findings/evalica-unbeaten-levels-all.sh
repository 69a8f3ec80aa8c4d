#!/bin/sh
# evalica's bradley_terry: one item that lost no match makes every score 1e-06, those of the other items too, without a word. One that won none
# does the same. newman gives two items without a tie between them the same score, whoever won how often.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="numpy==2.4.6 pandas==3.1.1 evalica==0.4.2"
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
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import sys
import warnings

from evalica import Winner, bradley_terry, newman


def matches(**wins):
    """Matches as evalica takes them; `ab=3` are three wins of a over b."""
    pairs = [(name[0], name[1]) for name, count in wins.items() for _ in range(count)]
    return [one for one, _ in pairs], [other for _, other in pairs], [Winner.X] * len(pairs)


def scores(method, **wins):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = method(*matches(**wins))
    print(f"{method.__name__} of {wins}: {found.scores.round(6).to_dict()}, {found.iterations} of {found.limit} iterations, warnings: {len(told)}")
    return found.scores


print("versions:", *sys.argv[1:])
rated = scores(bradley_terry, ab=6, ba=4, bc=6, cb=4, ac=7, ca=3)
unbeaten = scores(bradley_terry, ab=10, bc=6, cb=4, ac=10)
unlucky = scores(bradley_terry, ab=6, ba=4, bc=10, ac=10)
two = scores(newman, ab=6, ba=3)
ordered = rated["a"] > rated["b"] > rated["c"]
sys.exit(0 if ordered and unbeaten.nunique() == unlucky.nunique() == 1 and two.nunique() == 1 else 1)
PYTHON
