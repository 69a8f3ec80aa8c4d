"""``adjudge judge``, ``rank`` and ``eval``: what they print, what a program reads, and which exit code every mistake has."""

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


def test_judge_reads_pairs_from_standard_input(call: Call, model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"], "id": "a"}\n{"prompt": "larger?", "chosen": "5", "rejected": "3"}\n'
    result = call("judge", "-", "--model", model, "--engine", "oracle", "--order", "both", "--json", stdin=rows)
    assert result.exit_code == 0, result.output
    one, other = map(json.loads, result.stdout.splitlines())
    assert (one["id"], one["outcome"], other["outcome"]) == ("a", "second", "first")
    assert [judgement["order"] for judgement in one["judgements"]] == ["given", "swapped"]
    assert one["judgements"][1]["reasoning"] == "12 against 7"


def test_judge_shows_the_reasoning_to_people(call: Call, model: Path) -> None:
    result = call("judge", "--model", model, "--engine", "oracle", stdin='{"prompt": "larger?", "answers": ["7", "12"]}\n')
    assert "second" in result.stdout
    assert "7 against 12" in result.stdout


def test_set_changes_the_model_own_judge(call: Call, model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "oracle", "--set", "judge.order=both", "--json", stdin=rows)
    assert len(json.loads(result.stdout)["judgements"]) == 2
    wrong = call("judge", "-m", model, "--engine", "oracle", "--set", "judge.temperature=-1", stdin=rows)
    assert (wrong.exit_code, "judge.temperature: Input should be greater than or equal to 0" in wrong.stderr) == (2, True)


PAIR = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
COMMANDS = (["judge"], ["rank"], ["eval", "--data", "{use: jsonl, file: pair.jsonl}"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_judge_brings_its_own_options(call: Call, model: Path, tmp_path: Path, command: list[str]) -> None:
    """Not those of the judge that the model was trained with, such as a small `max_new_tokens`."""
    (model / "judge.json").write_text('{"use": "arithmetic", "max_new_tokens": 112, "order": "both"}')
    (tmp_path / "pair.jsonl").write_text(PAIR.replace("}", ', "label": 1}'))
    asked = ["-m", model, "--engine", "{use: oracle, told: true}", "--dry-run", "--json"]
    told = {}
    for sets in ([], ["--set", "judge.use=rrm"], ["--set", "judge.max_new_tokens=9", "--set", "judge.use=rrm"], ["--set", "judge=rrm"]):
        result = call(*command, *asked, *sets, stdin=PAIR)
        assert result.exit_code == 0, result.output
        told[" ".join(sets)] = sum(part["most_tokens"] for part in json.loads(result.stdout)["parts"])
    own, other, both, whole = told.values()
    assert other == whole == 8192
    assert (own, both) == (2 * 112, 9)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_set_reaches_options_of_what_is_only_named(call: Call, model: Path, tmp_path: Path, command: list[str]) -> None:
    """``judge`` stands in the model's folder alone, and ``engine`` is a name."""
    (tmp_path / "pair.jsonl").write_text(PAIR.replace("}", ', "label": 1}'))
    options = ["-m", model, "--engine", "oracle", "--set", "engine.log=asked.txt", "--set", "judge.order=both", "--json"]
    assert call(*command, *options, stdin=PAIR).exit_code == 0
    assert len((tmp_path / "asked.txt").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["judge", "--set", "judge=null"], "judge: say which judge, as 'use: NAME'"),
        (["judge", "--set", "engine=null"], "engine: say which engine, as 'use: NAME'"),
        (["rank", "--set", "aggregator=null"], "aggregator: say which aggregator, as 'use: NAME'"),
        (["rank", "--set", "voting=null"], "voting: "),
        (["eval", "--data", "{use: jsonl, file: pair.jsonl}", "--set", "data=null"], "data: say which data set, as 'use: NAME'"),
        (["eval", "--data", "{use: jsonl, file: pair.jsonl}", "--set", "aggregator=elo"], "aggregator: there is no such field"),
        (["judge", "--set", "seed=-1"], "seed: Input should be greater than or equal to 0"),
        (["judge", "--set", "model=elsewhere"], "--set model: the model of a call is not set like this"),
    ],
)
def test_a_setting_that_cannot_be_is_one_message(call: Call, model: Path, arguments: list[str], message: str) -> None:
    result = call(*arguments, "-m", model, "--engine", "oracle", stdin=PAIR)
    assert (result.exit_code, message in result.stderr) == (2, True), result.output
    assert isinstance(result.exception, SystemExit)


def test_the_same_pair_twice_is_judged_twice(call: Call, model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n' * 2
    result = call("judge", "-m", model, "--engine", "oracle", "--json", stdin=rows)
    idents = [json.loads(line)["id"] for line in result.stdout.splitlines()]
    assert len(set(idents)) == 2
    assert f"standard input: 1 row has an id that another row has, and got one of its own: '{idents[0]}' became" in result.stderr


@pytest.mark.parametrize("command", ["judge", "rank"])
def test_every_row_keeps_its_own_answer_where_ids_repeat(call: Call, model: Path, command: str) -> None:
    """A made-up id is never one that another row has."""
    pairs = [("a", ["7", "12"]), ("a", ["9", "3"]), ("a-2", ["4", "5"])]
    rows = "".join(json.dumps({"prompt": "larger?", "answers": answers, "id": ident}) + "\n" for ident, answers in pairs)
    result = call(command, "-m", model, "--engine", "oracle", "--json", stdin=rows)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["id"] for row in found] == ["a", "a-3", "a-2"]
    firsts = [row["outcome"] == "first" if command == "judge" else row["order"][0] == 0 for row in found]
    assert firsts == [False, True, False]


def test_a_model_without_judge_json_needs_to_be_told(call: Call, model: Path) -> None:
    (model / "judge.json").unlink()
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    untold = call("judge", "-m", model, "--engine", "oracle", stdin=rows)
    assert (untold.exit_code, "has no judge.json" in untold.stderr) == (2, True)
    assert call("judge", "-m", model, "--engine", "oracle", "--set", "judge=rrm", stdin=rows).exit_code == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"prompt": "p", "answers": ["1", "2"]}\nnonsense\n', "-: line 2 is not JSON"),
        ('{"prompt": "p", "answers": ["1"]}\n', "-: line 1 has 1 answers; a judgement takes two"),
        ('{"prompt": "p", "answers": [1, 2]}\n', "has no field 'answers' that is a list of texts"),
        ('{"answers": ["1", "2"]}\n', "has no field 'prompt'"),
        ("", "standard input: the data set is empty"),
    ],
)
def test_rows_that_cannot_be_judged_are_named(call: Call, model: Path, rows: str, message: str) -> None:
    result = call("judge", "-m", model, "--engine", "oracle", stdin=rows)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_model_is_named(call: Call, model: Path) -> None:
    result = call("judge", "-m", "nowhere", "--engine", "oracle", stdin="{}")
    assert (result.exit_code, "'nowhere': no such folder" in result.stderr) == (2, True)


def test_an_engine_that_raises_is_named(call: Call, model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "{use: oracle, broken: true}", stdin=rows)
    assert result.exit_code == 2
    assert "'oracle'" in result.stderr
    assert "raised in open(): OSError: no such weights" in result.stderr


def test_the_job_failed_when_every_call_did(call: Call, model: Path) -> None:
    rows = '{"prompt": "larger?", "answers": ["7", "12"]}\n'
    result = call("judge", "-m", model, "--engine", "{use: oracle, error: timeout}", "--json", stdin=rows)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "failed"
    assert "calls to engine 'oracle' that failed: all 1, the last with: timeout" in result.stderr


@pytest.mark.parametrize("command", ["judge", "eval", "rank"])
def test_some_failed_calls_are_told_with_the_reason(
    call: Call, model: Path, tmp_path: Path, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    (trouble := tmp_path / "trouble").write_text("never?")
    (rows := tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"prompt": "{prompt}", "answers": ["12", "7"], "label": 0}}\n' for prompt in ("never?", "larger?"))
    )
    result = call(command, rows, "-m", model, "--engine", f"{{use: oracle, trouble: {trouble}}}")
    assert result.exit_code == 0
    calls = {"judge": "1 of 2", "eval": "1 of 2", "rank": "2 of 3"}[command]  # a match that nobody could read is played again
    assert f"calls to engine 'oracle' that failed: {calls}, the last with: timeout" in caplog.messages
    if command == "rank":
        assert "not ranked: no judgement came back" in result.stdout


def test_long_work_shows_progress_in_plain_lines(call: Call, model: Path) -> None:
    rows = "".join(f'{{"prompt": "larger?", "answers": ["7", "{n}"]}}\n' for n in range(20, 24))
    result = call("judge", "-m", model, "--engine", "{use: oracle, seconds: 0.6}", "--json", stdin=rows)
    assert re.search(r"judged [34] of 4, \d+ tokens/s, about \d s left", result.stderr)
    assert len(result.stdout.splitlines()) == 4


def test_rank_orders_answers_best_first(call: Call, model: Path) -> None:
    rows = '{"prompt": "largest?", "answers": ["3", "9", "5", "1"]}\n'
    result = call("rank", "-", "-m", model, "--engine", "oracle", "--use", "round-robin", "--votes", 2, "--json", stdin=rows)
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert row["order"] == [1, 2, 0, 3]
    assert (len(row["matches"]), row["undecided"], len(row["ratings"])) == (6, 0, 4)


def test_rank_prints_a_table(call: Call, model: Path) -> None:
    rows = '{"prompt": "largest [b]?", "answers": ["3", "9", "5"]}\n'
    result = call("rank", "-m", model, "--engine", "oracle", stdin=rows)
    assert result.exit_code == 0, result.output
    assert "largest [b]?" in result.stdout
    assert "2 matches, 0 undecided" in result.stdout


def test_rank_names_an_unknown_aggregator(call: Call, model: Path) -> None:
    result = call("rank", "-m", model, "--engine", "oracle", "--use", "nockout", stdin='{"prompt": "p", "answers": ["1", "2"]}')
    assert (result.exit_code, "did you mean 'knockout'?" in result.stderr) == (2, True)


def test_eval_measures_a_labelled_file(call: Call, pairs: Pairs, write_rows: Rows, model: Path, tmp_path: Path) -> None:
    wrong = [{"prompt": "trick", "chosen": "1", "rejected": "2"}]
    file = write_rows(tmp_path / "pairs.jsonl", pairs(3) + wrong)
    data = json.loads(call("eval", file, "-m", model, "--engine", "oracle", "--json").stdout)
    assert (data["n"], data["accuracy"]) == (4, 0.75)
    assert data["interval"][0] < 0.75 < data["interval"][1]
    assert data["outcomes"]["unreadable"] == 0
    assert "0.750" in call("eval", file, "-m", model, "--engine", "oracle").stdout


def test_a_failed_call_is_no_wrong_answer(call: Call, pairs: Pairs, write_rows: Rows, model: Path, tmp_path: Path) -> None:
    """One right verdict and one call that timed out: all that came back is right, and the failure stands beside it."""
    file = write_rows(tmp_path / "pairs.jsonl", pairs(2))
    (tmp_path / "trouble").write_text("larger? 1")
    asked = ["eval", file, "-m", model, "--engine", "{use: oracle, trouble: trouble}"]
    data = json.loads(call(*asked, "--json").stdout)
    assert (data["n"], data["accuracy"], data["judgements"], data["outcomes"]["failed"]) == (1, 1.0, 2, 0.5)
    assert re.search(r"\b1 +1\.000 +\S+ +0\.0/0\.0/50\.0", call(*asked).stdout)


def test_two_orders_that_both_say_tie_are_consistent(call: Call, pairs: Pairs, write_rows: Rows, model: Path, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "pairs.jsonl", pairs(1))
    engine = "{use: oracle, says: 'So [[C]]'}"
    result = call("eval", file, "-m", model, "--engine", engine, "--order", "both", "--set", "judge=mt-bench", "--json")
    data = json.loads(result.stdout)
    assert (data["outcomes"]["tie"], data["accuracy"], data["consistency"]) == (1.0, 0.0, 1.0)


def test_eval_of_an_engine_without_tokens_says_none(call: Call, model: Path, write_rows: Rows, pairs: Pairs, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "pairs.jsonl", pairs(3))
    result = call("eval", file, "-m", model, "--engine", "{use: oracle, tokens: 0}")
    assert result.exit_code == 0, result.output
    assert "none" in result.stdout


def test_eval_takes_any_data_set(call: Call, write_rows: Rows, model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"prompt": f"{n}?", "answers": ["1", "2"], "label": 1} for n in range(5)])
    result = call("eval", "--data", "{use: jsonl, file: rows.jsonl, limit: 2}", "-m", model, "--engine", "oracle", "--json")
    assert json.loads(result.stdout)["n"] == 2


def test_eval_needs_labels_and_one_source(call: Call, write_rows: Rows, model: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"prompt": "?", "answers": ["1", "2"]}])
    unlabelled = call("eval", "--data", "{use: jsonl, file: rows.jsonl}", "-m", model, "--engine", "oracle")
    assert (unlabelled.exit_code, "has a label" in unlabelled.stderr) == (2, True)
    assert call("eval", "-m", model, "--engine", "oracle").exit_code == 2


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({"prompt": "larger?", "chosen": "7", "rejected": "5"}, "first"),
        ({"prompt": "larger?", "answers": ["5", "7"], "label": 1}, "second"),
        ({"prompt": "larger?", "answers": ["5", "7"]}, None),
    ],
)
def test_what_a_row_says_is_right_stands_beside_the_judgement(call: Call, model: Path, row: dict[str, Any], label: str | None) -> None:
    found = json.loads(call("judge", "-m", model, "--engine", "oracle", "--json", stdin=json.dumps(row) + "\n").stdout)
    assert (found["label"], found["judgements"][0]["label"]) == (label, label)


def test_a_column_that_no_reader_knows_is_told(call: Call, model: Path) -> None:
    done = call("judge", "-m", model, "--engine", "oracle", "--set", "columns.promt=q", stdin='{"q": "larger?", "answers": ["5", "7"]}\n')
    assert (done.exit_code, "columns: no reader knows 'promt'; did you mean 'prompt'?" in done.stderr) == (2, True)
    dropped = call(
        "judge",
        "-m",
        model,
        "--engine",
        "oracle",
        "--set",
        "columns.images=null",
        stdin='{"images": [1], "prompt": "q", "answers": ["5", "7"]}\n',
    )
    assert dropped.exit_code == 0, dropped.output
