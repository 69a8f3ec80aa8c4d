"""Judges that read log-probabilities while vLLM samples: `soft`, and a `thinking_budget` of words and of ratings, beside `hf`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Judge, OpenJudge, Plugins, open_judge, validate
from adjudge_arithmetic import ArithmeticDataset

PROBLEMS = list(ArithmeticDataset(size=20, levels=[1, 2, 3], part="test").load())
ENGINES: dict[str, dict[str, Any]] = {
    "vllm": {"use": "vllm", "dtype": "float32", "eager": True, "extra": {"kv_cache_memory_bytes": 2**28}},
    "hf": {"use": "hf", "dtype": "float32"},
}
JUDGES: dict[str, dict[str, Any]] = {
    "soft": {"use": "soft", "judge": {"use": "arithmetic", "temperature": 0}},
    "words": {"use": "arithmetic", "thinking_budget": 9, "temperature": 0},
    "ratings": {"use": "scale", "levels": ["poor", "good"], "thinking_budget": 9, "temperature": 0},
}


@pytest.fixture(scope="module")
def judges(embedded: FilePath, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, OpenJudge]]:
    """The embedded model by both engines, with a context that has room for the prompt of a scale."""
    folder = tmp_path_factory.mktemp("roomy") / "model"
    shutil.copytree(embedded, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}))
    with (
        open_judge(folder, engine=ENGINES["vllm"], cache=False) as one,
        open_judge(folder, engine=ENGINES["hf"], cache=False) as other,
    ):
        yield {"vllm": one, "hf": other}


@pytest.mark.parametrize("name", JUDGES)
def test_verdicts_and_probabilities_are_those_of_hf(judges: dict[str, OpenJudge], name: str) -> None:
    judge = validate(Judge, JUDGES[name], Plugins.load(autoload=False), "judge")
    told = {engine: replace(opened, options=judge).judge(PROBLEMS) for engine, opened in judges.items()}
    ours, theirs = ([path for verdict in told[engine] for path in verdict.paths] for engine in ENGINES)
    assert [(one.completion.text, one.verdict.outcome, one.verdict.told) for one in ours] == [
        (one.completion.text, one.verdict.outcome, one.verdict.told) for one in theirs
    ]
    known = [one.verdict.probability for one in theirs]
    assert [one.verdict.probability for one in ours] == (known if name == "ratings" else pytest.approx(known, abs=1e-3))
    if name != "soft":
        assert all(one.verdict.told == {"forced": True} for one in ours)
