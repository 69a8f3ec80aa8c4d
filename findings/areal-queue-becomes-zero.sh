#!/bin/sh
# AReaL gives a reward function 15 seconds for each completion, and after three more tries the reward 0. The clock runs while a call waits for a
# process, of which there may be one, and calls that nobody waits for any more are made all the same. Of 16 completions that are all worth 1,
# judged in a third of the time that each has, most get 0, by their place in the queue. Here a second and a half stands for the 15 seconds.
# Exit code 0: still so. 1: it behaves otherwise now, or raises. 2: other versions than the pinned ones, or none could be installed.
set -eu
pins="torch==2.13.0 transformers==5.23.0 areal==1.0.4"
# Its pins of torch and transformers are older than what it runs with, so its needs are named.
bare="aiofiles==25.1.0 aiohappyeyeballs==2.7.1 aiohttp==3.14.5 aiosignal==1.4.0 blinker==1.9.0
colorlog==6.12.0 einops==0.8.2 Flask==3.1.3 frozenlist==1.8.0 httpx==0.28.1 itsdangerous==2.2.0 lark==1.3.1
llvmlite==0.50.0 msgpack==1.2.4 multidict==7.2.1 numba==0.68.1 orjson==3.13.0 propcache==0.5.4 ray==2.60.0
torchdata==0.11.0 yarl==1.25.1 httpcore==1.0.9 h11==0.16.0
accelerate==1.15.0 openai==3.54.0 pillow==13.0.0 tenacity==9.2.1 uvloop==0.23.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 2' INT TERM
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    "${PYTHON:-python3}" -m venv "$folder/venv" || exit 2
    python=$folder/venv/bin/python
    # torch first and by itself; TORCH_ARGS may name an index with CPU builds. Whatever asks for torch later is then content.
    "$python" -m pip install --quiet --disable-pip-version-check ${TORCH_ARGS:-} torch==2.13.0 || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check transformers==5.23.0 datasets==5.2.0 pydantic psutil rich || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check $bare || exit 2
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps areal==1.0.4 hydra-core==1.3.8 omegaconf==2.4.0 antlr4-python3-runtime==4.9.3 || exit 2
fi
case $python in /*) ;; */*) python=$PWD/$python ;; esac
cd "$folder"
export HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
"$python" -c 'import importlib.metadata as m, sys; wrong = [p for p in sys.argv[1:] if m.version(p.split("==")[0]).split("+")[0] != p.split("==")[1]]; sys.exit(f"other versions than {wrong}" if wrong else 0)' $pins || exit 2
"$python" - $pins <<'PYTHON'
import asyncio
import logging
import sys
import time
from pathlib import Path

from areal.api import AsyncRewardWrapper

logging.disable(logging.WARNING)
CALLS = Path("calls").absolute()


def judge(prompt, completion, prompt_ids, completion_ids, **row):
    """A judge that takes half a second and likes everything."""
    with CALLS.open("a") as calls:
        calls.write(completion + "\n")
    time.sleep(0.5)
    return 1.0


async def rewards(count):
    CALLS.write_text("")
    rewarded = AsyncRewardWrapper(judge, timeout_seconds=1.5, max_workers=1)
    return await asyncio.gather(*(rewarded("p", f"completion {number}", [], []) for number in range(count)))


if __name__ == "__main__":
    print("versions:", *sys.argv[1:])
    asyncio.run(rewards(1))  # starts the process
    few, many = asyncio.run(rewards(2)), asyncio.run(rewards(16))
    print("2 completions at once: ", few)
    print("16 completions at once:", many, "after", len(CALLS.read_text().splitlines()), "calls of the judge")
    sys.exit(0 if few == [1.0] * 2 and 0 < many.count(0) < 16 and many.count(0) + many.count(1.0) == 16 else 1)
PYTHON
