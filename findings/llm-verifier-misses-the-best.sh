#!/bin/sh
# llm-verifier's pivot tournament chooses a wrong best of 16 candidates in four of ten draws with a verifier that never errs. The best candidate
# that is no pivot meets the pivots, who are strong, and is compared by its mean with a pivot that met everybody.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="llm-verifier==0.3.0"
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
import random
import sys

from llm_verifier.pivot_tournament import DEFAULT_PIVOTS, ring_cycle, select_best

DRAWS = 2000


def wrong(count, pivots, rewards):
    """The share of draws in which another candidate than the best is chosen, and the comparisons of one; `rewards` of a pair are never wrong."""
    random_numbers, misses = random.Random(0), 0
    for _ in range(DRAWS):
        quality = [random_numbers.random() for _ in range(count)]
        chosen, asked = select_best(count, ring_cycle(count, random_numbers), pivots, lambda a, b: rewards(quality[a], quality[b]))
        misses += chosen != quality.index(max(quality))
    return misses / DRAWS, asked


def graded(one, other):
    return one, other


def decided(one, other):
    return float(one > other), float(other > one)


print("versions:", *sys.argv[1:], f"; {DRAWS} draws each, {DEFAULT_PIVOTS} pivots unless said otherwise")
found = {}
for count in (8, 16, 32):
    for pivots in (DEFAULT_PIVOTS, 4):
        for rewards in (graded, decided):
            found[count, pivots, rewards], asked = wrong(count, pivots, rewards)
            share = found[count, pivots, rewards]
            print(f"{count} candidates, {pivots} pivots, {rewards.__name__} rewards: {share:.1%} wrong, {asked} comparisons each")
usual = [found[count, DEFAULT_PIVOTS, graded] for count in (8, 16, 32)]
sys.exit(0 if usual[0] > 0.1 and usual[1] > 0.3 and usual[2] > 0.5 and found[16, DEFAULT_PIVOTS, decided] > 0.1 else 1)
PYTHON
