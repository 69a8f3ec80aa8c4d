"""`adjudge reward audit` of the embedded judge and of the judge after each stage of `make demo`: ``python benchmarks/reward_audit.py``.

Goes on with the run in ``runs/demo`` where it was stopped. Rows are held-out sums with the right answer and three near misses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import RESULTS, ROOT, run, save, table

from adjudge import write_whole
from adjudge_arithmetic import ArithmeticDataset

DEMO = ROOT / "docs" / "runs" / "demo.yaml"
TITLES = ("base judge", "Zero-RL", "R⋆-SFT", "GRPO on hard cases")
REWARD = {"aggregator": "round-robin", "reward": "win-rate", "cache": False}
ROWS = 200


def rows() -> list[dict[str, Any]]:
    """Sums with the right answer, what the data set has as the wrong one, and two more that are a digit off."""
    found = []
    for problem in ArithmeticDataset(part="test", levels=[1, 2, 3, 4], size=ROWS, seed=7).load():
        right = int(problem.answers[problem.label or 0])
        near = [str(right + step) for step in (1, -10, 10, -1)]
        answers = list(dict.fromkeys([*problem.answers, *near]))[:4]
        found.append({"id": problem.id, "prompt": problem.prompt, "answers": answers, "label": problem.label})
    return found


def models() -> list[str]:
    """The judge as it ships, then the one after each stage."""
    run(DEMO, ROOT / "runs" / "demo")
    names = json.loads((ROOT / "runs" / "demo" / "done.json").read_text())["stages"]
    return ["adjudge_arithmetic:model", *(f"runs/demo/stages/{name}/model" for name in names[1:])]


def audited(model: str, folder: Path, data: Path) -> dict[str, Any]:
    """What the command says of this judge as a reward; it ends with 1 where it has findings."""
    file = folder / "reward.yaml"
    write_whole(file, json.dumps({"model": model, **REWARD}))
    command = [sys.executable, "-m", "adjudge", "reward", "audit", str(file), "--data", str(data), "--json"]
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    if made.returncode not in (0, 1) or not made.stdout:
        raise SystemExit(made.stderr)
    found: dict[str, Any] = json.loads(made.stdout)
    found["cost"].pop("seconds")  # of a machine that did other things too
    return {**found, "exit_code": made.returncode}


def cell(found: dict[str, Any]) -> str:
    """A share with its interval."""
    low, high = found["interval"]
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f})"


def fates(found: dict[str, Any]) -> str:
    return f"{cell(found['accepted'])}; {found['tied']['value']:.2f}; {found['undecided']['value']:.2f}"


def as_text(reports: dict[str, dict[str, Any]]) -> str:
    """One row for every figure, one column for every judge."""
    all_of = list(reports.values())
    lines = [["a real worse answer", *(fates(one["worse"]) for one in all_of)]]
    lines += [[kind, *(fates(one["probes"][kind]) for one in all_of)] for kind in all_of[0]["probes"]]
    lines += [
        ["circular triples", *(cell(one["triples"]) for one in all_of)],
        ["same place in both orders", *(cell(one["order"]["flipped"]) for one in all_of)],
        ["another verdict when asked again", *(cell(one["order"]["asked_again"]) for one in all_of)],
        ["real answers undecided", *(cell(one["undecided"]) for one in all_of)],
        ["tokens for a group of four", *(f"{one['cost']['tokens']:.0f}" for one in all_of)],
        ["figures above their limits", *(str(len(one["findings"])) for one in all_of)],
    ]
    return table(["accepted; tied; undecided", *reports], lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        write_whole(data, "".join(json.dumps(row) + "\n" for row in rows()))
        reports = {title: audited(model, Path(folder), data) for title, model in zip(TITLES, models(), strict=True)}
    save("reward_audit", {"rows": ROWS, "reports": reports})
    (RESULTS / "reward_audit.md").write_text(as_text(reports) + "\n", encoding="utf-8")
    print(as_text(reports))


if __name__ == "__main__":
    main()
