"""What a command has asked once it does not ask again: the cache of ``judge``, ``eval`` and ``rank``, and doing without it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Pairs = Callable[..., list[dict[str, str]]]
Rows = Callable[..., Path]

TOLD = "{use: oracle, told: true}"
ROWS = "".join(f'{{"prompt": "larger?", "answers": ["7", "{n}"]}}\n' for n in range(20, 24))


def test_the_second_call_asks_nothing_and_says_so(call: Call, model: Path) -> None:
    first = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS)
    second = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS)
    assert "cache: 0 of 4 judgements (0%) were known" in first.stderr
    assert "cache: 4 of 4 judgements (100%) were known" in second.stderr
    assert second.stdout == first.stdout


def test_only_what_is_new_is_asked(call: Call, model: Path) -> None:
    call("judge", "-m", model, "--engine", TOLD, stdin=ROWS)
    more = call("judge", "-m", model, "--engine", TOLD, stdin=ROWS + '{"prompt": "new", "answers": ["1", "2"]}\n')
    assert "cache: 4 of 5 judgements (80%) were known" in more.stderr


def test_what_is_known_needs_no_engine(call: Call, model: Path) -> None:
    call("judge", "-m", model, "--engine", TOLD, stdin=ROWS)
    broken = call("judge", "-m", model, "--engine", "{use: oracle, told: true, broken: true}", stdin=ROWS)
    assert broken.exit_code == 0, broken.output
    assert call("judge", "-m", model, "--engine", "{use: oracle, told: true, broken: true}", "--no-cache", stdin=ROWS).exit_code == 2


@pytest.mark.parametrize("change", [["--seed", 1], ["--set", "judge.temperature=0.5"], ["--set", "judge.max_new_tokens=77"]])
def test_other_settings_are_other_questions(call: Call, model: Path, change: list[object]) -> None:
    call("judge", "-m", model, "--engine", TOLD, stdin=ROWS)
    assert "cache: 0 of 4" in call("judge", "-m", model, "--engine", TOLD, *change, stdin=ROWS).stderr


def test_another_model_is_asked_anew(call: Call, model: Path) -> None:
    (model / "model.safetensors").write_text("one")
    call("judge", "-m", model, "--engine", TOLD, stdin=ROWS)
    (model / "model.safetensors").write_text("two")
    assert "cache: 0 of 4" in call("judge", "-m", model, "--engine", TOLD, stdin=ROWS).stderr


def test_no_cache_neither_reads_nor_writes(call: Call, model: Path) -> None:
    result = call("judge", "-m", model, "--engine", TOLD, "--no-cache", stdin=ROWS)
    assert "cache" not in result.stderr
    assert not Path(os.environ["ADJUDGE_CACHE"]).exists()


def test_an_engine_that_does_not_tell_is_asked_each_time(call: Call, model: Path) -> None:
    for _ in range(2):
        assert "cache" not in call("judge", "-m", model, "--engine", "oracle", stdin=ROWS).stderr


def test_failed_calls_are_made_again(call: Call, model: Path) -> None:
    failing = "{use: oracle, told: true, error: timeout}"
    assert call("judge", "-m", model, "--engine", failing, stdin=ROWS).exit_code == 1
    assert "cache: 0 of 4" in call("judge", "-m", model, "--engine", failing, stdin=ROWS).stderr


def test_eval_and_rank_use_it_too(call: Call, model: Path, write_rows: Rows, pairs: Pairs, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "pairs.jsonl", pairs(3))
    ranked = '{"prompt": "largest?", "answers": ["3", "9", "5", "1"]}\n'
    for known in (0, 3):
        assert f"cache: {known} of 3" in call("eval", file, "-m", model, "--engine", TOLD).stderr
        assert f"cache: {known} of 3" in call("rank", "-m", model, "--engine", TOLD, stdin=ranked).stderr


def test_a_damaged_cache_is_told_and_the_answer_is_right(call: Call, model: Path) -> None:
    right = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS).stdout
    [file] = Path(os.environ["ADJUDGE_CACHE"]).glob("*.sqlite")
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE completions SET value = replace(value, 'Assistant 2', 'Assistant 1')")
    raw.close()
    assert call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS).stdout == right
    file.write_bytes(b"not a database" * 999)
    result = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS)
    assert (result.exit_code, result.stdout) == (0, right)
    assert result.stderr.count("cannot be used") == 1
    assert "Remedy: delete the file, or pass --no-cache" in result.stderr


def test_a_better_parser_needs_no_new_call(call: Call, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS)
    assert json.loads(before.stdout.splitlines()[0])["outcome"] == "second"
    from adjudge import Judge, Outcome, Plugins, Verdict

    rrm = Plugins.load(autoload=False).pick(Judge, "rrm")
    monkeypatch.setattr(rrm, "parse", lambda self, text: Verdict(Outcome.TIE))
    after = call("judge", "-m", model, "--engine", TOLD, "--json", stdin=ROWS)
    assert "cache: 4 of 4" in after.stderr
    assert json.loads(after.stdout.splitlines()[0])["outcome"] == "tie"
