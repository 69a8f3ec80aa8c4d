"""The command line with `--engine vllm`: what it prints is for programs alone, and a run samples, lets vLLM go, trains and resumes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adjudge import ReasoningPath, Records
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge

ENGINE = "{use: vllm, dtype: float32, eager: true, extra: {kv_cache_memory_bytes: 268435456}}"
RUN = """
out: {out}
model: adjudge_arithmetic:model
engine: {engine}
data: {{use: arithmetic, levels: [1, 2], size: 12}}
stages:
  - {{use: sft, paths: 4, scorer: rstar, learning_rate: 1.0e-4}}
evaluation:
  sets:
    graded: {{use: arithmetic, part: test, levels: [1, 2], size: 20}}
"""


def adjudge(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adjudge", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=500, check=False)


def test_judge_prints_json_alone_and_remembers_it() -> None:
    rows = "".join(f'{{"prompt": "{n}+48", "answers": ["{n + 48}", "{n + 58}"]}}\n' for n in range(30, 50))
    command = ("judge", "--engine", ENGINE, "--set", "judge.temperature=0", "--order", "both", "--json")
    done = adjudge(*command, stdin=rows)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    beside = adjudge(*command[:1], "--engine", "{use: hf, dtype: float32}", *command[3:], stdin=rows)
    assert found == [json.loads(line) for line in beside.stdout.splitlines()], beside.stderr
    again = adjudge(*command, stdin=rows)
    assert "40 of 40 judgements (100%) were known" in again.stderr
    assert again.stdout == done.stdout


def test_a_run_goes_through_and_its_records_have_logprobs(tmp_path: Path, embedded: Path) -> None:
    out, file = tmp_path / "out", tmp_path / "run.yaml"
    file.write_text(RUN.format(out=out, engine=ENGINE))
    done = adjudge("run", file)
    assert done.returncode == 0, done.stderr
    paths = paths_of(out / "records" / "1-sft-paths.jsonl")
    assert len(paths) == 48
    assert all(len(path.completion.logprobs or ()) == len(path.completion.token_ids) > 0 for path in paths)
    scored = rows(out / "records" / "1-sft-scores.jsonl")
    assert scored
    assert all(0 < score["value"] <= 1 for score in scored)
    result = json.loads((out / "stages" / "1-sft" / "result.json").read_text())
    assert result["evaluation"]["graded"]["n"] == 20
    resumed = adjudge("run", file)
    assert resumed.returncode == 0, resumed.stderr
    assert paths_of(out / "records" / "1-sft-paths.jsonl") == paths
    measured = paths_of(out / "records" / "1-sft-evaluation-graded.jsonl")
    assert apart(out / "stages" / "1-sft" / "model", measured) < 1e-3 < apart(embedded, measured), "what was measured is what was trained"


def apart(model: Path, judgements: list[ReasoningPath]) -> float:
    """The largest difference between log-probabilities on record and those of a model, in nats."""
    problems = {problem.id: problem for problem in ArithmeticDataset(part="test", levels=[1, 2], size=20).load()}
    found = []
    with HfEngine(dtype="float32").open(model) as session:
        for path in judgements:
            prompt = ArithmeticJudge().render(problems[path.problem_id], path.order)
            [values] = session.logprobs(prompt, [path.completion.token_ids])
            found += [abs(one - other) for one, other in zip(values, path.completion.logprobs or (), strict=True)]
    return float(max(found))


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("{use: vllm, extra: {max_num_seq: 8}}", "did you mean 'max_num_seqs'"),
        ("{use: vllm, extra: {seed: 1}}", "every prompt has a seed of its own"),
    ],
)
def test_a_mistake_is_one_message_before_anything_is_loaded(tmp_path: Path, engine: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN.format(out=tmp_path / "out", engine=engine))
    done = adjudge("run", file, "--dry-run")
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def paths_of(file: Path) -> list[ReasoningPath]:
    return Records(file).load(ReasoningPath)


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
