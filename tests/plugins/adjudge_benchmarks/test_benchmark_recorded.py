"""Recorded outputs of real judges give the figures that are known for them, to the last digit; real files load as they are described."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adjudge import Dataset, Plugins
from adjudge_benchmarks import Benchmark, Scores, score_records

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
needs_data = [pytest.mark.realdata, pytest.mark.skipif(not (DATA / "llmbar").is_dir(), reason=f"no recorded judgements at {DATA}")]
KNOWN = {"54.96", "83.41", "59.99", "65.71", "62.29", "32.22", ".8126", ".8377", ".4033", ".4702", ".6677", ".6977"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """benchmarks/recorded_judgments.py"""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("recorded_judgments", ROOT / "benchmarks" / "recorded_judgments.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def committed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "recorded_judgments.json").read_text())
    return found


def test_the_committed_results_are_the_known_figures(script: ModuleType) -> None:
    assert {case.known for case in script.CASES} == KNOWN
    rows = [script.row(case) for case in committed()["cases"]]
    assert {row[2] for row in rows} == KNOWN
    assert [row[3] for row in rows] == [row[2] for row in rows]


@pytest.mark.parametrize("index", [pytest.param(index, marks=needs_data) for index in range(len(KNOWN))])
def test_recorded_outputs_give_the_known_figure(script: ModuleType, index: int) -> None:
    case = script.CASES[index]
    if not script.files(case.data):
        pytest.skip(f"no {case.data} at {DATA}")
    result = script.scored(case, Plugins.load(autoload=False), DATA)
    [figure] = [one for one in result["figures"] if one["name"] == case.figure]
    assert script.as_known(figure["value"], case.known) == case.known
    assert figure["official"]
    kept = committed()["cases"][index]["result"]
    assert {one["name"]: one["value"] for one in kept["figures"]} == {one["name"]: one["value"] for one in result["figures"]}
    assert kept["outcomes"] == result["outcomes"]


def loaded(use: str, place: str) -> tuple[Benchmark, list[Any]]:
    benchmark = Plugins.load(autoload=False).pick(Dataset, use)(data=str(DATA / place))
    return benchmark, list(benchmark.load())


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "rm_bench").is_dir(), reason=f"no RM-Bench at {DATA}")
def test_rm_bench_without_mathematics_is_partial() -> None:
    benchmark, problems = loaded("rm-bench", "rm_bench")
    assert len(problems) == 798
    # The longest answer wins: rejected only where it is longer, so plain chosen answers lose.
    result = score_records(benchmark, problems, [Scores(one.id, tuple(float(len(text)) for text in one.answers)) for one in problems])
    figures = {one["name"]: one for one in result["figures"]}
    assert [figures[name]["official"] for name in ("total", "hard", "chat total", "safety total")] == [False, False, True, True]
    assert figures["total"]["incomplete_groups"] == ["math"]
    assert figures["hard"]["value"] < figures["normal"]["value"] < figures["easy"]["value"]


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "rmb").is_dir(), reason=f"no RMB sample at {DATA}")
def test_rmb_rows_are_read() -> None:
    _, problems = loaded("rmb", "rmb")
    assert len(problems) == 599, "one pair has the same answer twice, and a label"
    kinds = {one.meta["group"].split()[0] for one in problems}
    assert kinds == {"pairwise", "best-of-N"}
    assert {len(one.answers) for one in problems if one.meta["group"].startswith("best-of-N")} <= set(range(3, 8))
    first = [one.label for one in problems if one.meta["group"].startswith("pairwise")]
    assert 100 < sum(label == 0 for label in first) < 200, "the chosen answer stands first by a coin"
