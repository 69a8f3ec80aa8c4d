#!/bin/sh
# scipy's bootstrap: one resample whose statistic is undefined takes both ends of a percentile interval away,
# and the warning speaks of BCa, which was not asked for.
# A ratio of two counts is such a statistic, for example the share of right verdicts among the readable ones.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="numpy==2.4.6 scipy==1.17.1"
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
import warnings

import numpy as np
from scipy.stats import bootstrap

right = np.array([1.0] * 3 + [0.0] * 2 + [np.nan] * 7)  # of 12 judgements 5 are readable, and 3 of these are right


def accuracy(sample, axis):
    """The share of right ones among the readable ones, of each resample: undefined where none is readable."""
    with np.errstate(invalid="ignore"):
        return np.nansum(sample, axis=axis) / np.sum(~np.isnan(sample), axis=axis)


def interval(seed):
    """Percentile interval of 999 resamples, how many of these were undefined, what was warned of, and the percentiles of the others."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = bootstrap((right,), accuracy, n_resamples=999, method="percentile", vectorized=True, rng=seed)
    shares = found.bootstrap_distribution
    others = np.percentile(shares[~np.isnan(shares)], [2.5, 97.5]).round(3).tolist()
    return [round(float(end), 3) for end in found.confidence_interval], int(np.isnan(shares).sum()), [str(one.message) for one in told], others


print("versions:", *sys.argv[1:])
still = set()
for seed in range(4):
    ends, undefined, told, others = interval(seed)
    print(f"{undefined} of 999 resamples undefined: {ends}; percentiles of the others: {others}; warnings: {told}")
    still.add((undefined > 0, bool(np.isnan(ends).all())))
sys.exit(0 if still == {(False, False), (True, True)} else 1)
PYTHON
