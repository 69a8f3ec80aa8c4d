"""Rankings and verdicts become rows: which pairs, which margins, what becomes of ties, where it is read from, and the command."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import ConfigError, DataError, Match, MatchResult, Outcome, Plugins, Problem, Ranking, TournamentResult
from adjudge.cli.app import app_of
from adjudge_export import FORMATS, Ranked, preferences, read_ranked
from adjudge_export.pairs import Rules

FIRST, SECOND, TIE, UNREADABLE = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE


def ranking(answers: list[str], matches: dict[tuple[int, int], Outcome], label: int | None = None) -> Ranked:
    """A round robin with these outcomes, by hand."""
    problem = Problem("p", "a prompt", tuple(answers), label)
    played = [MatchResult("p", 0, Match(*match), one, (one,), None, (), 0) for match, one in matches.items()]
    size = len(answers)
    return Ranked(TournamentResult(problem, Ranking(tuple(range(size)), (0.0,) * size), played, None, "round-robin"), {"run": "r"})


FOUR = ranking(["a", "b", "c", "d"], {(0, 1): FIRST, (0, 2): FIRST, (0, 3): FIRST, (1, 2): TIE, (3, 1): SECOND, (2, 3): FIRST})
"""Win rates: a 1, b (0 + ½ + 1) / 3, c the same, d 0."""


def made(one: Ranked, **rules: Any) -> tuple[list[tuple[str, str, float]], Counter[str]]:
    how = Rules(**rules)
    rows = [(found.chosen, found.rejected, round(found.margin, 6)) for found in preferences([one], how)]
    return rows, +how.left_out


# Preferences -----------------------------------------------------------------------------------------------------------------


def test_all_pairs_and_best_against_worst() -> None:
    assert made(FOUR) == ([("a", "b", 0.5), ("a", "c", 0.5), ("a", "d", 1.0), ("b", "d", 0.5), ("c", "d", 0.5)], {"ties": 1})
    assert made(FOUR, pairs="best-worst") == ([("a", "d", 1.0)], {})
    assert made(FOUR, min_margin=0.6) == ([("a", "d", 1.0)], {"ties": 1, "margins too small": 4})
    assert made(FOUR, reward="rank") == ([], {"ties": 6}), "its ratings, unlike its matches, are all equal"


def test_ties_are_skipped_or_kept_with_a_margin_of_0() -> None:
    rows, left = made(FOUR, ties="keep", min_margin=0.6)
    assert rows[1][:2] in (("b", "c"), ("c", "b"))
    assert (rows[0], rows[1][2], len(rows), left) == (("a", "d", 1.0), 0.0, 2, {"margins too small": 4})
    assert made(FOUR, ties="keep") == made(FOUR, ties="keep"), "the coin is seeded"


def test_the_coin_of_ties_favours_no_place() -> None:
    chosen: Counter[str] = Counter()
    for number in range(200):
        one = ranking(["left", "right"], {(0, 1): TIE})
        problem = Problem(f"p{number}", "a prompt", one.problem.answers)
        again = Ranked(TournamentResult(problem, one.result.ranking, one.result.played, None, "votes"), {})
        chosen.update(found.chosen for found in preferences([again], Rules(ties="keep")))
    assert 70 < chosen["left"] < 130


def test_what_nobody_could_judge_is_in_no_pair_and_equal_texts_are_one() -> None:
    one = ranking(["a", "b", "c", "a"], {(0, 1): FIRST, (0, 2): UNREADABLE, (1, 2): UNREADABLE, (3, 1): FIRST})
    assert made(one) == ([("a", "b", 1.0)], {"answers without a judgement": 1})
    assert made(ranking(["a", "b"], {(0, 1): UNREADABLE})) == ([], {"answers without a judgement": 2})


def test_a_preference_says_where_it_is_from() -> None:
    circle = ranking(["a", "b", "c"], {(0, 1): FIRST, (0, 2): FIRST, (1, 2): SECOND})
    found = {(one.chosen, one.rejected): one.origin for one in preferences([circle], Rules())}
    assert found["c", "b"] == {
        "id": "p", "run": "r", "votes": 3, "rated_by": "round-robin", "reward": "win-rate", "direct": 1.0,
    }  # fmt: skip
    bracket = ranking(["a", "b", "c"], {(0, 1): FIRST, (0, 2): FIRST})
    assert [one.origin["direct"] for one in preferences([bracket], Rules(ties="keep"))] == [1.0, 1.0, None], "b and c never met"


# Formats ---------------------------------------------------------------------------------------------------------------------


def test_every_format_has_the_keys_of_its_framework() -> None:
    pair = ranking(["good", "bad"], {(0, 1): FIRST})
    rows = {name: next(iter(one.rows([pair], Rules()))) for name, one in FORMATS.items()}
    assert set(rows) == {"trl", "dpo", "verl", "openrlhf", "nemo-rl", "swift", "tinker"}
    asked, good, bad = (
        [{"role": role, "content": text}] for role, text in [("user", "a prompt"), ("assistant", "good"), ("assistant", "bad")]
    )
    origins = {name: row.pop("adjudge", None) for name, row in rows.items()}
    assert rows["trl"] == rows["openrlhf"] == {"prompt": asked, "chosen": good, "rejected": bad, "margin": 1.0}
    assert rows["dpo"] == {"prompt": "a prompt", "chosen": "good", "rejected": "bad", "margin": 1.0}
    assert rows["nemo-rl"] == {
        "context": asked,
        "completions": [{"rank": 0, "completion": good}, {"rank": 1, "completion": bad}],
        "margin": 1.0,
    }
    assert rows["swift"] == {"messages": asked + good, "rejected_response": "bad", "margin": 1.0}
    comparison = {"prompt_conversation": asked, "completion_A": good, "completion_B": bad}
    assert rows["tinker"] == {"comparison": comparison, "label": "A", "margin": 1.0}
    assert {name for name, origin in origins.items() if origin and origin["run"] == "r"} == set(FORMATS) - {"verl"}


def test_a_tie_has_a_label_of_its_own_where_the_format_has_one() -> None:
    tied = ranking(["one", "other"], {(0, 1): TIE})
    assert [row["label"] for row in FORMATS["tinker"].rows([tied], Rules(ties="keep"))] == ["Tie"]
    for name in ("trl", "dpo", "openrlhf", "nemo-rl", "swift", "tinker"):
        assert [row["margin"] for row in FORMATS[name].rows([tied], Rules(ties="keep"))] == [0.0], name


def test_a_prompt_of_rl_has_its_best_answer_as_the_truth_and_a_label_goes_first() -> None:
    none = ranking(["a", "b"], {(0, 1): UNREADABLE})
    rules = Rules()
    rows = list(FORMATS["verl"].rows([FOUR, ranking(["a", "b"], {(0, 1): FIRST}, label=1), none], rules))
    truths = [(row["reward_model"]["ground_truth"], row["extra_info"]["ground_truth_from"]) for row in rows]
    assert truths == [("a", "ranking"), ("b", "label")]
    assert rows[0]["extra_info"]["rewards"] == [1.0, 0.5, 0.5, 0.0]
    assert rows[0]["prompt"] == [{"role": "user", "content": "a prompt"}]
    assert +rules.left_out == {"prompts without a judgement": 1}


# Sources ---------------------------------------------------------------------------------------------------------------------


def test_what_rank_keeps_and_prints_is_the_same(judged: Path) -> None:
    kept, printed = read_ranked(judged / "ranked"), read_ranked(judged / "ranked.jsonl")
    assert [one.result for one in kept] == [one.result for one in printed]
    assert [one.problem.id for one in kept] == ["sum-1", "sum-2"]
    assert kept[0].problem.label == 1
    assert kept[0].votes == sum(
        len(match["votes"]) for match in json.loads((judged / "ranked.jsonl").read_text().splitlines()[0])["matches"]
    )
    assert kept[0].origin == {"run": "ranked", "judge": "arithmetic", "model": "adjudge_arithmetic:model"}
    assert printed[0].origin == {"run": "ranked.jsonl", "judge": None, "model": None}


def test_judgements_in_both_orders_are_one_verdict(judged: Path) -> None:
    [kept], [printed] = read_ranked(judged / "verdicts"), read_ranked(judged / "verdicts.jsonl")
    assert kept.problem == printed.problem == Problem("sum-2", "12+30", ("42", "52"), 0)
    assert [one.outcome for one in kept.result.played] == [one.outcome for one in printed.result.played]
    assert kept.result.played[0].outcome == json.loads((judged / "verdicts.jsonl").read_text())["outcome"]


def run_folder(folder: Path) -> Path:
    """A run's records of two stages: of the second two samples of one problem, in one of which the answers were shown swapped."""
    (folder / "records").mkdir(parents=True)
    (folder / "config.yaml").write_text("model: adjudge_arithmetic:model\njudge: {use: rrm}\nengine: {use: hf}\n")
    sample = {"problem_id": "p", "prompt": "q", "completion": {"text": "t", "token_ids": [], "ends": [], "error": None}, "label": "first"}
    rows = [
        {"id": "1", **sample, "order": "given", "index": 0, "shown": ["x", "y"], "verdict": {"outcome": "first"}},
        {"id": "2", **sample, "order": "swapped", "index": 1, "shown": ["y", "x"], "verdict": {"outcome": "second"}},
        {"id": "3", **sample, "order": "swapped", "index": 2, "shown": ["y", "x"], "verdict": {"outcome": "first"}},
    ]
    for name, some in (("0-base-evaluation-set", rows[:1]), ("10-grpo-evaluation-set", rows), ("10-grpo-steps", []), ("2-sft-paths", rows)):
        (folder / "records" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return folder


def test_of_a_run_the_last_stage_is_read_with_its_own_model(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "demo")
    [one] = read_ranked(folder)
    assert (one.problem, one.votes) == (Problem("p", "q", ("x", "y"), 0), 3)
    assert one.origin == {"run": "demo", "judge": "rrm", "model": "demo/stages/10-grpo"}
    assert made(one)[0] == [("x", "y", round(1 / 3, 6))], "two votes against one"
    [base] = read_ranked(folder, "0-base-evaluation-set")
    assert (base.origin["model"], base.votes) == ("adjudge_arithmetic:model", 1)


def test_mistakes_of_a_source_are_told(tmp_path: Path, judged: Path) -> None:
    folder = run_folder(tmp_path / "demo")
    with pytest.raises(ConfigError, match=r"there are no records '3-x' \(there are: 0-base-evaluation-set, 10-grpo"):
        read_ranked(folder, "3-x")
    with pytest.raises(ConfigError, match="there are no records of rankings or verdicts"):
        read_ranked(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        read_ranked(judged / "ranked.jsonl", "rankings")
    with pytest.raises(DataError, match=r"line 1 is neither a ranking nor a verdict \(it has: id, prompt, answers, label\)"):
        read_ranked(judged / "rows.jsonl")
    (tmp_path / "odd.jsonl").write_text('{"id": "1", "prompt": "q", "answers": ["a", "b"], "outcome": "third"}\n')
    with pytest.raises(DataError, match="no ranking, verdict or judgement that adjudge wrote: 'third' is not a valid Outcome"):
        read_ranked(tmp_path / "odd.jsonl")
    (tmp_path / "cut.jsonl").write_text('{"id": "1", "prompt": "q", "answers": ["a", "b"], "matches": []}\n')
    with pytest.raises(DataError, match="it has no 'order'"):
        read_ranked(tmp_path / "cut.jsonl")


def called(*words: str) -> Any:
    return CliRunner().invoke(app_of(Plugins.load(autoload=False)), list(words))


# The command -----------------------------------------------------------------------------------------------------------------


def test_the_command_prints_rows_or_writes_them(judged: Path, tmp_path: Path) -> None:
    printed = called("export", str(judged / "ranked"), "--to", "dpo", "--ties", "keep", "--pairs", "best-worst")
    rows = [json.loads(line) for line in printed.stdout.splitlines()]
    assert printed.exit_code == 0
    assert [row["adjudge"]["id"] for row in rows] == ["sum-1", "sum-2"]
    assert "2 rows from 2 rankings" in printed.stderr
    out = tmp_path / "deep" / "rows.jsonl"
    assert (
        called("export", str(judged / "ranked"), "--to", "dpo", "--ties", "keep", "--pairs", "best-worst", "--out", str(out)).exit_code == 0
    )
    assert out.read_text() == printed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.jsonl", "--to", "trl"], "nowhere.jsonl: no such file"),
        (["{ranked}", "--to", "verl", "--ties", "keep"], "--to verl: its rows are prompts"),
        (["{ranked}", "--to", "trl", "--min-margin", "2"], "there is nothing to export"),
        (["{ranked}", "--to", "trl", "--out", "."], "--out: . is a folder"),
        (["{ranked}", "--to", "trl", "--out", "rows.csv"], "rows.csv ends neither in .jsonl nor in .parquet"),
        (["{ranked}", "--to", "dop"], "--to"),
    ],
)
def test_mistakes_of_a_call_are_told(judged: Path, words: list[str], message: str) -> None:
    done = called("export", *(word.format(ranked=judged / "ranked") for word in words))
    assert done.exit_code == 2
    assert message in done.output


def test_a_parquet_file_without_pyarrow_is_told(judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = called("export", str(judged / "ranked"), "--to", "verl", "--out", str(tmp_path / "rows.parquet"))
    assert done.exit_code == 2
    assert "pip install 'adjudge[data]'" in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"label": 7}, "its label is 7, and its 2 answers have the indices 0 to 1"),
        ({"label": -1}, "its label is -1"),
        ({"label": "y"}, "its label is 'y'"),
        ({"answers": "xy"}, "not all texts"),
        ({"answers": [None, "y"]}, "not all texts"),
    ],
)
def test_a_row_that_says_what_cannot_be_is_told(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "a", "prompt": "p", "answers": ["x", "y"], "outcome": "first", **more}) + "\n")
    done = called("export", str(rows), "--to", "verl")
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())


def test_a_tie_is_no_ground_truth(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    one, other = (
        {"id": ident, "prompt": ident, "answers": ["x", "y"], "outcome": outcome} for ident, outcome in (("a", "tie"), ("b", "second"))
    )
    rows.write_text(json.dumps(one) + "\n" + json.dumps(other) + "\n")
    [row] = [json.loads(line) for line in called("export", str(rows), "--to", "verl").stdout.splitlines()]
    assert row["reward_model"]["ground_truth"] == "y"
