#!/bin/sh
# ray.init() replaces the SIGTERM handler of the program that calls it; one that finishes a checkpoint first is not called any more.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="ray==2.60.0"
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
export RAY_USAGE_STATS_ENABLED=0
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]) != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import signal
import sys

import ray


def finish_checkpoint(number, frame):
    """What a training program does before it leaves."""


signal.signal(signal.SIGTERM, finish_checkpoint)
ray.init(num_cpus=1, include_dashboard=False, logging_level="error", log_to_driver=False)
found = signal.getsignal(signal.SIGTERM)
ray.shutdown()
after = signal.getsignal(signal.SIGTERM)
print("versions:", *sys.argv[1:])
print(f"before ray.init: {finish_checkpoint.__module__}.{finish_checkpoint.__name__}")
print(f"after it: {getattr(found, '__module__', '')}.{getattr(found, '__name__', found)}")
print(f"after ray.shutdown: {getattr(after, '__module__', '')}.{getattr(after, '__name__', after)}")
sys.exit(0 if found is not finish_checkpoint and after is not finish_checkpoint else 1)
PYTHON
