"""`adjudge scaling`: majorities by hand and by drawing them all, points by budget and votes, tokens, the page, and what is refused."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from adjudge import DataError, Plugins
from adjudge.cli.app import app_of
from adjudge_figures.scaling import Ballot, scaling


@given(votes=st.lists(st.sampled_from(["right", "wrong", "neither"]), min_size=1, max_size=7), size=st.integers(1, 7))
def test_a_majority_is_expected_over_all_sets_of_votes(votes: list[str], size: int) -> None:
    size = min(size, len(votes))
    drawn = []
    for some in combinations(votes, size):
        lead = some.count("right") - some.count("wrong")
        drawn.append(1.0 if lead > 0 else 0.5 if lead == 0 and "right" in some else 0.0)
    ballot = Ballot(votes.count("right"), votes.count("wrong"), votes.count("neither"))
    right, wrong, neither = ballot.expected(size)
    assert right == pytest.approx(sum(drawn) / len(drawn))
    assert right + wrong + neither == pytest.approx(1)
    mirrored = Ballot(ballot.wrong, ballot.right, ballot.neither).expected(size)
    assert mirrored == pytest.approx((wrong, right, neither))


def folder(place: FilePath, said: dict[str, str], *, tokens: int, budget: int | None = None, seed: int = 0, judge: str = "rrm") -> FilePath:
    """What bench keeps of one judgement of every pair; all labels are *first*."""
    (place / "records").mkdir(parents=True)
    rows = [
        {"problem_id": name, "outcome": outcome, "order": "given", "index": 0, "tokens": tokens, "prompt": name, "shown": ["a", "b"],
         "label": "first"}
        for name, outcome in said.items()
    ]  # fmt: skip
    (place / "records" / "judgements.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    budgeted = "" if budget is None else f", thinking_budget: {budget}"
    (place / "config.yaml").write_text(f"model: m\nseed: {seed}\njudge: {{use: {judge}{budgeted}}}\nout: {place.name}\n")
    return place


@pytest.fixture
def folders(tmp_path: FilePath) -> list[FilePath]:
    short = {"p": "first", "q": "second"}
    votes = [{"p": "first", "q": "second"}, {"p": "first", "q": "first"}, {"p": "second", "q": "first"}]
    return [
        folder(tmp_path / "short", short, tokens=10, budget=8),
        *(folder(tmp_path / f"seed-{seed}", said, tokens=40, seed=seed) for seed, said in enumerate(votes)),
    ]


def test_points_by_budget_and_votes(folders: list[FilePath]) -> None:
    [found] = scaling(folders)
    assert (found["model"], found["judge"]) == ("m", "rrm")
    told = [(one["budget"], one["votes"], one["tokens"], one["accuracy"]["value"], one["accuracy"]["n"]) for one in found["points"]]
    assert told == [(8, 1, 10, 0.5, 2), (None, 1, 40, pytest.approx(2 / 3), 2), (None, 3, 120, 1.0, 2)]


def test_kappa_stands_beside_every_accuracy_and_is_of_the_places_that_were_shown(folders: list[FilePath], tmp_path: FilePath) -> None:
    [found] = scaling(folders)
    assert {point["kappa"]["value"] for point in found["points"]} == {None}, "the right answer always stood first"
    placed = folder(tmp_path / "placed", {"p": "first", "q": "first", "r": "second"}, tokens=5)
    records = placed / "records" / "judgements.jsonl"
    lines = records.read_text().splitlines()
    lines[1] = lines[1].replace('"order": "given"', '"order": "swapped"')
    records.write_text("\n".join(lines))
    [point] = scaling([placed])[0]["points"]
    # truths as shown: first, second, first; verdicts: first, second, second; chance is 2/3 · 1/3 + 1/3 · 2/3
    assert point["kappa"]["value"] == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))
    assert point["accuracy"]["value"] == pytest.approx(2 / 3)


def test_a_pair_of_which_every_call_failed_is_in_no_figure(tmp_path: FilePath) -> None:
    """And the orders of calls that failed are no places in which votes saw a pair."""
    one = folder(tmp_path / "one", {"p": "first", "q": "failed", "r": "second"}, tokens=5)
    [point] = scaling([one])[0]["points"]
    assert (point["accuracy"]["value"], point["accuracy"]["n"], point["kappa"]["n"]) == (0.5, 2, 2)
    other = folder(tmp_path / "other", dict.fromkeys("pqr", "failed"), tokens=5, seed=1)
    records = other / "records" / "judgements.jsonl"
    records.write_text(records.read_text().replace('"order": "given"', '"order": "swapped"'))
    assert scaling([one, other])[0]["points"][0]["kappa"] == point["kappa"]
    assert point["kappa"]["value"] is None, "the right answer stood first wherever a call came back"


def test_judges_that_differ_in_more_than_budget_and_seed_are_others(folders: list[FilePath], tmp_path: FilePath) -> None:
    other = folder(tmp_path / "other", {"p": "first", "q": "first"}, tokens=5, judge="mt-bench")
    assert [one["judge"] for one in scaling([*folders, other])] == ["rrm", "mt-bench"]


def test_what_says_nothing_of_its_judge_or_has_no_labels_is_refused(tmp_path: FilePath, folders: list[FilePath]) -> None:
    (folders[0] / "config.yaml").unlink()
    with pytest.raises(DataError, match="does not say who judged"):
        scaling(folders)
    unlabelled = folder(tmp_path / "unlabelled", {"p": "first"}, tokens=5)
    records = unlabelled / "records" / "judgements.jsonl"
    records.write_text(records.read_text().replace('"label": "first"', '"label": null'))
    with pytest.raises(DataError, match="no pair has a label"):
        scaling([unlabelled])


def test_the_command_prints_a_table_and_writes_a_page(folders: list[FilePath], tmp_path: FilePath) -> None:
    pytest.importorskip("matplotlib", reason="the page needs adjudge[report]")
    page, app = tmp_path / "scaling.html", app_of(Plugins.load(autoload=False))
    told = CliRunner().invoke(app, ["scaling", *map(str, folders), "--out", str(page)])
    assert told.exit_code == 0, told.output
    assert "rrm, model m" in told.stdout
    text = page.read_text(encoding="utf-8")
    assert "longer thinking" in text
    assert "votes, no budget" in text
    assert text.count("<svg") == 1
    as_json: Any = json.loads(CliRunner().invoke(app, ["scaling", *map(str, folders), "--json"]).stdout)
    assert len(as_json[0]["points"]) == 3


def test_real_budgets_and_seeds_of_the_embedded_judge(tmp_path: FilePath) -> None:
    app = app_of(Plugins.load(autoload=False))
    call = ["bench", "arithmetic-levels", "--limit", "6"]
    for name, more in (("short", ["--set", "judge.thinking_budget=4"]), ("a", ["--seed", "1"]), ("b", ["--seed", "2"]), ("c", [])):
        assert CliRunner().invoke(app, [*call, *more, "--out", str(tmp_path / name)]).exit_code == 0
    [found] = scaling([tmp_path / name for name in ("short", "a", "b", "c")])
    points = {(one["budget"], one["votes"]): one["tokens"] for one in found["points"]}
    assert {*points} == {(4, 1), (None, 1), (None, 3)}
    assert points[4, 1] < points[None, 1] < points[None, 3]
