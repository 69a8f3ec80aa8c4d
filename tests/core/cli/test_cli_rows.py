"""One reader for all commands: rows in the shapes and formats that people have them in are the same pairs wherever they are given."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Rows = Callable[..., Path]
ASKED = {"role": "user", "content": "larger?"}


def says(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "larger?", "chosen": "12", "rejected": "7"},
    "conversational": {"prompt": [ASKED], "chosen": [says("12")], "rejected": [says("7")]},
    "implicit": {"chosen": [ASKED, says("12")], "rejected": [ASKED, says("7")]},
    "repeated": {"prompt": "larger?", "chosen": [ASKED, says("12")], "rejected": [ASKED, says("7")]},
    "dialogues": {"chosen": "\n\nHuman: larger?\n\nAssistant: 12", "rejected": "\n\nHuman: larger?\n\nAssistant: 7"},
    "a vote": {"prompt": "larger?", "response_a": "12", "response_b": "7", "winner": "model_a"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_judge_rank_score_and_eval_read_a_row_alike(call: Call, model: Path, write_rows: Rows, tmp_path: Path, shape: str) -> None:
    file = write_rows(tmp_path / "rows.jsonl", [SHAPES[shape]])
    asked = ["-m", model, "--engine", "oracle", "--json"]
    judged, ranked, measured = (call(command, file, *asked) for command in ("judge", "rank", "eval"))
    text = {"text": "12 against 7 \\boxed{Assistant 1}"}
    scored = call("score", write_rows(tmp_path / "paths.jsonl", [{**SHAPES[shape], **text}]), "--use", "numbers", *asked)
    for result in (judged, ranked, measured, scored):
        assert result.exit_code == 0, result.output
    plain = json.loads(call("judge", *asked, stdin=json.dumps(SHAPES["plain"])).stdout)
    assert json.loads(judged.stdout) == plain
    assert json.loads(judged.stdout)["outcome"] == "first"
    assert (json.loads(ranked.stdout)["order"], json.loads(ranked.stdout)["id"]) == ([0, 1], plain["id"])
    assert json.loads(measured.stdout)["accuracy"] == 1.0
    assert json.loads(scored.stdout)["outcome"] == "first"


def test_packed_rows_and_lists_come_through_a_pipe(call: Call, model: Path, tmp_path: Path) -> None:
    rows = [SHAPES["plain"], {**SHAPES["plain"], "prompt": "larger? 2"}]
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    result = call("judge", "rows.json.gz", "-m", model, "--engine", "oracle", "--json")
    again = call("judge", "-m", model, "--engine", "oracle", "--json", stdin="\ufeff" + json.dumps(rows, indent=1))
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2), result.output
    assert again.stdout == result.stdout


def test_columns_are_named_with_set(call: Call, model: Path, write_rows: Rows, tmp_path: Path) -> None:
    row = {"question": "larger?", "chosen": "12", "rejected": "7", "images": ["a.png"]}
    file = write_rows(tmp_path / "rows.jsonl", [row])
    asked = ["-m", model, "--engine", "oracle", "--json"]
    named = ["--set", "columns.prompt=question", "--set", "columns.images=null"]
    for command in ("judge", "rank"):
        assert call(command, file, *asked, *named).exit_code == 0
        refused = call(command, file, *asked, *named[:2])
        assert (refused.exit_code, "line 1 has 'images'" in refused.stderr) == (2, True)
    found = call("eval", file, *asked, *(setting.replace("columns", "data.columns") for setting in named))
    assert json.loads(found.stdout)["accuracy"] == 1.0


@pytest.mark.parametrize("command", ["judge", "eval"])
def test_a_pair_of_identical_answers_is_left_out_told_and_counted(
    call: Call, model: Path, write_rows: Rows, tmp_path: Path, command: str
) -> None:
    same = {"prompt": "larger?", "chosen": "7", "rejected": "7"}
    file = write_rows(tmp_path / "rows.jsonl", [SHAPES["plain"], same, same])
    result = call(command, file, "-m", model, "--engine", "oracle", "--json")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1), result.output
    assert "rows.jsonl: 2 pairs left out; the first: line 2 has two identical answers" in result.stderr


def test_a_set_that_is_empty_or_unknown_says_what_to_do(call: Call, model: Path, write_rows: Rows, tmp_path: Path) -> None:
    vote = {"prompt": "larger?", "response_a": "12", "response_b": "7", "winner": "left"}
    result = call("eval", write_rows(tmp_path / "rows.jsonl", [vote]), "-m", model, "--engine", "oracle")
    assert (result.exit_code, "line 1 has the winner 'left', which is none of model_a, a, model_b" in result.stderr) == (2, True)


def test_a_key_that_stands_twice_is_refused_wherever_yaml_is_given(call: Call, run_file: Callable[..., Path], model: Path) -> None:
    result = call("run", run_file("seed: 1\nseed: 2\n"))
    assert (result.exit_code, "the key 'seed' stands there" in result.stderr) == (2, True)
    result = call("judge", "-m", model, "--engine", "{use: oracle, tokens: 1, tokens: 2}", stdin=json.dumps(SHAPES["plain"]))
    assert (result.exit_code, "the key 'tokens' stands there" in result.stderr) == (2, True)
