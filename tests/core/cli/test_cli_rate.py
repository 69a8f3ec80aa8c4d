"""``adjudge rate``: one answer or more by themselves; means, what could not be read, what is kept, and judges that only compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
ROWS = '{"prompt": "a fruit?", "answers": ["pear"], "id": "one"}\n{"prompt": "a tree?", "answers": ["oak", "car", "oak"], "id": "three"}\n'


@pytest.fixture
def rate(call: Call, model: Path) -> Call:
    """Rates two rows with options by an engine that always says the same."""

    def invoke(*options: object, says: str = "It is short.\\nRating: 7", engine: str = "", rows: str = ROWS) -> Any:
        return call("rate", "-m", model, "--engine", f'{{use: oracle, says: "{says}"{engine}}}', "--no-cache", *options, stdin=rows)

    return invoke


def test_one_answer_is_rated_by_itself(rate: Call) -> None:
    shown = rate()
    assert shown.exit_code == 0, shown.output
    assert "one: a fruit?\n  7 (1 of 1 could be read): pear\n" in shown.stdout


def test_every_answer_has_its_mean_and_its_judgements(rate: Call, tmp_path: Path) -> None:
    result = rate("--samples", 2, "--json", engine=", log: asked.txt")
    one, three = (json.loads(line) for line in result.stdout.splitlines())
    assert (one["ratings"], three["ratings"]) == ([7.0], [7.0] * 3)
    assert one["judgements"][0][0]["text"] == "It is short.\nRating: 7"
    assert [len(answer) for answer in three["judgements"]] == [2, 2, 2]
    asked = (tmp_path / "asked.txt").read_text().splitlines()
    assert len(asked) == 2 * 3, "two equal answers are rated once, and alike"
    assert all("oak" not in prompt or "car" not in prompt for prompt in asked), "no answer sees another"


def test_levels_and_what_is_not_on_the_scale(rate: Call) -> None:
    judge = ("--judge", "{use: scale, levels: [poor, good, excellent]}", "--json")
    assert json.loads(rate(*judge, says="Rating: **Good**").stdout.splitlines()[0])["ratings"] == [2.0]
    result = rate("--json", says="Rating: 11")
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[0])["ratings"] == [None]
    assert "of 4, 0 could be read" in result.stderr
    assert "for example --judge scale" in result.stderr, "and no judge that only compares"
    assert "pairwise-plain" not in result.stderr


def test_ratings_are_kept_and_not_made_again(rate: Call, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "kept", "--json")
    first = rate(*options, engine=", log: asked.txt")
    (tmp_path / "asked.txt").unlink()
    again = rate(*options, engine=", log: asked.txt")
    assert again.stdout == first.stdout, again.stderr
    assert not (tmp_path / "asked.txt").exists()
    assert "Rating: 7" in (tmp_path / "kept" / "records" / "ratings.jsonl").read_text()


def test_a_judge_that_only_compares(rate: Call) -> None:
    result = rate("--judge", "rrm")
    assert result.exit_code == 2
    assert "'rrm' compares two answers and rates none by itself" in result.stderr


def test_a_row_without_answers(rate: Call) -> None:
    result = rate(rows='{"prompt": "a fruit?", "answers": []}\n')
    assert result.exit_code == 2
    assert "has 0 answers; a rating takes one or more" in result.stderr
