#!/bin/sh
# math-verify takes any two numbers below about 1e-15 that are written as a power of ten for equal, and decimals that differ behind the sixth
# place: the electron's charge verifies its mass. The accuracy rewards of TRL, ms-swift and others are this function with its own settings, so a
# wrong answer in physics or chemistry gets 1.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="math-verify==0.9.0 latex2sympy2_extended==1.11.0 antlr4-python3-runtime==4.13.2 sympy==1.14.0"
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

from math_verify import parse, verify

CHARGE, MASS, PLANCK, BOLTZMANN = r"$1.602\times 10^{-19}$", r"$9.109\times 10^{-31}$", r"$6.626\times 10^{-34}$", r"$1.381\times 10^{-23}$"


def right(reference, answer, **settings):
    found = verify(parse(reference), parse(rf"So it is \boxed{{{answer.strip('$')}}}."), **settings)
    print(f"{reference} verified by {answer}{settings or ''}: {found}")
    return found


print("versions:", *sys.argv[1:])
same = [right(CHARGE, MASS), right(PLANCK, BOLTZMANN), right(MASS, CHARGE), right("$0.0000001$", "$0.0000004$")]
other = [right(r"$1.602\times 10^{-9}$", r"$9.109\times 10^{-11}$"), right(r"$1.602\times 10^{19}$", r"$9.109\times 10^{31}$")]
closer = right(CHARGE, MASS, numeric_precision=50)
sys.exit(0 if all(same) and not any(other) else 1)
PYTHON
