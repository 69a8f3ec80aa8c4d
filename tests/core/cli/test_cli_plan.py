"""``adjudge plan`` and every ``--dry-run``: what it would take, at which rates, and that nothing is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Pairs = Callable[..., list[dict[str, str]]]
Rows = Callable[..., Path]
RunFile = Callable[..., Path]

TOLD = "{use: oracle, told: true}"
ROWS = '{"prompt": "larger?", "answers": ["7", "12"]}\n' * 3
RANKED = '{"prompt": "largest?", "answers": ["3", "9", "5", "1"]}\n'


def test_plan_shows_every_part_and_does_nothing(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    result = call("plan", run_file())
    assert result.exit_code == 0, result.output
    assert "evaluation held-out" in result.stdout
    assert "The total lacks what does not say what it takes: 1-same training." in result.stdout
    assert "unknown" in result.stdout
    assert "Nothing was done" in result.stdout
    assert not (tmp_path / "out").exists()


def test_plan_and_dry_run_say_the_same(call: Call, run_file: RunFile) -> None:
    file = run_file()
    assert call("plan", file, "--json").stdout == call("run", file, "--dry-run", "--json").stdout


def test_plan_takes_settings_and_rates(call: Call, run_file: RunFile) -> None:
    rates = ["--tokens-per-second", 10, "--price-in", 1, "--price-out", 2]
    result = call("plan", run_file(), "--set", f"engine={TOLD}", "--set", "judge={use: rrm, max_new_tokens: 50}", *rates, "--json")
    total = json.loads(result.stdout)["plan"]["total"]
    assert (total["judgements"], total["input_tokens"], total["most_tokens"]) == ([8, 8], [800, 800], 400)
    assert (total["most_seconds"], total["most_cost"]) == (40, pytest.approx(0.0016))


def test_one_price_is_not_enough(call: Call, run_file: RunFile) -> None:
    result = call("plan", run_file(), "--price-in", 1)
    assert (result.exit_code, "price_in and price_out belong together" in result.stderr) == (2, True)


def test_plan_names_mistakes_of_the_run_file(call: Call, tmp_path: Path) -> None:
    result = call("plan", tmp_path / "no.yaml")
    assert (result.exit_code, "no such run file" in result.stderr) == (2, True)


def test_run_writes_the_estimate_with_its_rates(call: Call, run_file: RunFile, tmp_path: Path) -> None:
    assert call("run", run_file(), "--tokens-per-second", 2).exit_code == 0
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["total"]["most_seconds"] == plan["total"]["most_tokens"] / 2


def test_plan_knows_likely_tokens_once_something_is_measured(call: Call, run_file: RunFile) -> None:
    file = run_file()
    before = json.loads(call("plan", file, "--json").stdout)["plan"]["total"]
    call("run", file)
    after = json.loads(call("plan", file, "--json").stdout)["plan"]["total"]
    assert (before["likely_tokens"], after["likely_tokens"]) == (None, 8 * 7)


@pytest.mark.parametrize("command", ["judge", "rank", "eval"])
def test_a_dry_run_asks_nothing(call: Call, model: Path, write_rows: Rows, pairs: Pairs, tmp_path: Path, command: str) -> None:
    file = write_rows(tmp_path / "pairs.jsonl", pairs(3)) if command == "eval" else "-"
    broken = "{use: oracle, told: true, broken: true}"
    result = call(command, file, "-m", model, "--engine", broken, "--dry-run", stdin=ROWS)
    assert result.exit_code == 0, result.output
    assert "judgements" in result.stdout
    assert "Nothing was done" in result.stdout


def test_judge_is_planned_in_both_orders(call: Call, model: Path) -> None:
    result = call("judge", "-m", model, "--engine", TOLD, "--order", "both", "--dry-run", "--json", stdin=ROWS)
    [part] = json.loads(result.stdout)["parts"]
    assert (part["judgements"], part["input_tokens"]) == ([6, 6], [600, 600])


def test_rank_is_rehearsed(call: Call, model: Path) -> None:
    result = call("rank", "-m", model, "--engine", TOLD, "--use", "round-robin", "--votes", 3, "--dry-run", "--json", stdin=RANKED)
    [part] = json.loads(result.stdout)["parts"]
    assert part["matches"] == [6, 6]
    assert part["judgements"][0] >= 12
    assert part["judgements"][1] <= 18
    budget = call("rank", "-m", model, "--engine", TOLD, "--use", "round-robin", "--budget", 2, "--dry-run", "--json", stdin=RANKED)
    assert json.loads(budget.stdout)["parts"][0]["matches"] == [2, 2]
    shown = call("rank", "-m", model, "--engine", TOLD, "--use", "round-robin", "--dry-run", "--tokens-per-second", 1, stdin=RANKED)
    assert re.search(r"≤ \d+ h \d\d min", shown.stdout), "6 judgements of up to thousands of tokens"


def test_likely_tokens_come_from_what_the_model_has_answered(call: Call, model: Path) -> None:
    call("judge", "-m", model, "--engine", TOLD, stdin=ROWS)
    result = call("rank", "-m", model, "--engine", TOLD, "--use", "round-robin", "--dry-run", "--json", stdin=RANKED)
    assert json.loads(result.stdout)["parts"][0]["likely_tokens"] == 6 * 7
