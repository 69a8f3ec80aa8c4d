"""A real small training of the embedded judge, and what its commands keep, looked into."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Judge, Plugins, Problem, validate
from adjudge.cli.app import app_of
from adjudge_view import Library
from adjudge_view.query import Wanted

from .made import rows_of

ROWS = [
    {"id": "sum-1", "prompt": "37+48", "answers": ["75", "85", "86", "84"], "label": 1},
    {"id": "sum-2", "prompt": "12+30", "answers": ["42", "52"], "label": 0},
]


@pytest.fixture(scope="module")
def trained(shown: Path) -> Library:
    library = Library([shown / "demo"])
    library.read_all()
    return library


def judgements(library: Library, run: str = "demo", **wanted: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = library.judgements(run, Wanted(**wanted), 0, 500)["items"]
    return items


@pytest.mark.slow
def test_a_path_shows_why_it_was_kept(trained: Library) -> None:
    scores = list(rows_of(trained.indexes["demo"].source.path / "records" / "2-sft-scores.jsonl"))
    by_problem: dict[str, list[dict[str, Any]]] = {}
    for row in scores:
        by_problem.setdefault(row["problem_id"], []).append(row)
    kept = judgements(trained, set=["paths"], kept=["yes"])
    assert len(kept) == sum(row["kept"] for row in scores) > 0
    for item in kept:
        shown = trained.judgement("demo", item["id"])
        mine = by_problem[item["problem"]]
        assert shown["score"] == max(row["value"] for row in mine)
        assert shown["why"].startswith(f"kept: place 1 of the {len(mine)} that were scored")
        assert math.isclose(shown["score_parts"]["self_consistency"] * shown["score_parts"]["validity"], shown["score"], rel_tol=1e-4)
        assert len(shown["siblings"]) == 4
        for other in shown["siblings"]:
            assert other["why"].startswith("kept" if other["kept"] else "dropped" if other["score"] is not None else "not scored")


@pytest.mark.slow
def test_tokens_join_up_to_the_text_with_their_recorded_numbers(trained: Library) -> None:
    records = {row["id"]: row for row in rows_of(trained.indexes["demo"].source.path / "records" / "2-sft-paths.jsonl")}
    for item in judgements(trained, set=["paths"])[:20]:
        shown, row = trained.judgement("demo", item["id"]), records[item["id"].split("/")[1]]
        tokens = shown["tokens_shown"]
        assert "".join(tokens["texts"]) == shown["text"] == row["completion"]["text"] == "".join(one["text"] for one in shown["pieces"])
        known = [value for value in tokens["logprobs"] if value is not None]
        assert len(known) == item["tokens"]
        assert all(value <= 0 for value in known)
        start, end = row["verdict"]["answer"]
        answer = "".join(text for text, kind in zip(tokens["texts"], tokens["kinds"], strict=True) if kind == "answer")
        assert shown["text"][start:end] in answer
        assert {one["kind"] for one in shown["pieces"]} >= {"reasoning", "answer"}


@pytest.mark.slow
def test_a_comparison_counts_what_the_stages_measured(trained: Library) -> None:
    told = trained.runs()["runs"][0]
    accuracy = {stage["name"]: stage["evaluation"]["graded"]["accuracy"] for stage in told["stages"]}
    found = trained.compare("demo:0-base", "demo:2-sft")
    assert (found["of"], found["only_a"], found["only_b"]) == (20, 0, 0)
    assert math.isclose(found["right"]["a"] / 20, accuracy["0-base"])
    assert math.isclose(found["right"]["b"] / 20, accuracy["2-sft"])
    assert found["counts"]["gained"] - found["counts"]["lost"] == found["right"]["b"] - found["right"]["a"]
    changes = [item["change"] for item in found["items"]]
    assert changes == sorted(changes, key=["lost", "gained", "changed", "same"].index)
    assert all(item["a"]["problem"] == item["b"]["problem"] == item["problem"] for item in found["items"])
    one = trained.compare("demo:0-base", "demo:2-sft", change=["gained"], limit=1)
    assert one["total"] == found["counts"]["gained"]


@pytest.mark.slow
def test_curves_are_what_the_trainer_recorded(trained: Library) -> None:
    found = {stage["stage"]: {one["name"]: one for one in stage["curves"]} for stage in trained.curves("demo")["stages"]}
    assert found.keys() == {"1-grpo", "2-sft"}
    steps = list(rows_of(trained.indexes["demo"].source.path / "records" / "1-grpo-steps.jsonl"))
    grpo = found["1-grpo"]
    assert grpo.keys() >= {
        "reward",
        "reward/verdict",
        "readable",
        "loss",
        "entropy",
        "grad_norm",
        "learning_rate",
        "skipped_groups",
        "tokens",
    }
    assert grpo["reward"]["y"] == [row["reward"] for row in steps]
    assert grpo["learning_rate"]["constant"]
    for mean, part in zip(grpo["reward"]["y"], grpo["reward/verdict"]["y"], strict=True):  # the only rule, of weight 1
        assert math.isclose(mean, part)
    assert found["2-sft"].keys() >= {"loss", "learning_rate"}


@pytest.mark.slow
def test_groups_teach_or_are_skipped_as_the_trainer_counted(trained: Library) -> None:
    steps = {row["step"]: row for row in rows_of(trained.indexes["demo"].source.path / "records" / "1-grpo-steps.jsonl")}
    for step, row in steps.items():
        groups = trained.groups("demo", step=[step])["items"]
        assert sum(group["size"] for group in groups) == 8
        assert math.isclose(sum(group["skipped"] for group in groups) / len(groups), row["skipped_groups"])
        whole = trained.group("demo", groups[0]["id"])
        assert len(whole["members"]) == groups[0]["size"]
        assert math.isclose(sum(one["advantage"] for one in whole["members"]), 0, abs_tol=1e-9)
        assert trained.judgement("demo", whole["members"][0]["id"])["step"] == step


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """What commands leave with ``--out`` and print with ``--json``."""
    folder = tmp_path_factory.mktemp("kept")
    rows, pairs = folder / "rows.jsonl", folder / "pairs.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    pairs.write_text(json.dumps(ROWS[1]) + "\n")
    calls = {
        "ranked": ["rank", str(rows), "--use", "knockout", "--order", "both", "--votes", "2"],
        "judged": ["judge", str(pairs), "--order", "both"],
        "measured": ["eval", str(pairs), "--order", "both"],
        "benched": ["bench", "arithmetic-levels", "--limit", "5"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADJUDGE_CACHE", str(folder / "cache"))
        for name, words in calls.items():
            found = CliRunner().invoke(app_of(Plugins.load(autoload=False)), [*words, "--out", str(folder / name), "--json"])
            assert found.exit_code == 0, found.output
            (folder / f"{name}.jsonl").write_text(found.stdout)
    library = Library([folder / name for name in calls] + [folder / f"{name}.jsonl" for name in calls if name != "benched"])
    library.read_all()
    return library


def test_what_commands_kept_is_opened_as_what_it_is(kept: Library) -> None:
    kinds = {one["run"]: (one["kind"], one["state"], one["has"]["judgements"], one["has"]["tournaments"]) for one in kept.runs()["runs"]}
    assert kinds == {
        "ranked": ("rankings", "finished", 0, 2), "judged": ("judgements", "finished", 2, 0), "measured": ("judgements", "finished", 2, 0),
        "benched": ("judgements", "finished", 5, 0), "ranked-2": ("rows", "finished", 0, 2), "judged-2": ("rows", "finished", 2, 0),
        "measured-2": ("rows", "finished", 2, 0),
    }  # fmt: skip


def test_rows_that_were_printed_tell_the_same_as_those_that_were_kept(kept: Library) -> None:
    names = ("order", "outcome", "right", "label", "prompt", "snippet", "tokens")
    for one, other in (("judged", "judged-2"), ("measured", "measured-2")):
        told = [sorted([{name: item[name] for name in names} for item in judgements(kept, run)], key=str) for run in (one, other)]
        assert told[0] == told[1]
        for run in (one, other):
            shown = [kept.judgement(run, item["id"]) for item in judgements(kept, run)]
            assert all({piece["kind"] for piece in item["pieces"]} >= {"reasoning"} for item in shown)
            assert all(len(item["siblings"]) == 2 for item in shown)
            assert {answer["text"]: answer["right"] for answer in shown[0]["answers"]} == {"42": True, "52": False}
    assert kept.compare("judged:judgements", "judged-2:judged")["counts"]["same"] == 2


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (["stone", "scissors", "paper"], "1 of 1 triples go round in a circle: 1 beats 2, 2 beats 3 and 3 beats 1"),
        (["stone", "scissors", "paper", "lizard", "spock"], "5 of 10 triples go round in a circle: for example "),
    ],
)
def test_circles_are_named_and_a_shared_first_place_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], told: str
) -> None:
    monkeypatch.setenv("ADJUDGE_CACHE", str(tmp_path / "cache"))
    plugins, count, texts = Plugins.load(autoload=False), len(answers), tmp_path / "texts.jsonl"
    rrm = validate(Judge, "rrm", plugins, "judge")
    with texts.open("w") as file:
        for first, second in permutations(range(count), 2):
            prompt = rrm.render(Problem("1", "Which one wins?", (answers[first], answers[second])), "given")[-1]["content"]
            better = 1 if (second - first) % count <= count // 2 else 2
            file.write(json.dumps({"prompt": prompt, "texts": [f"It is clear. \\boxed{{Assistant {better}}}"]}) + "\n")
    (rows := tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "Which one wins?", "answers": answers}) + "\n")
    words = ["rank", str(rows), "--use", "{use: elo, rating: bradley-terry}", "--judge", "rrm", "--order", "both"]
    words += ["--engine", f"{{use: replay, file: {texts}}}", "--out", str(tmp_path / "circle")]
    result = CliRunner().invoke(app_of(plugins), words)
    assert result.exit_code == 0, result.output
    library = Library([tmp_path / "circle"])
    library.read_all()
    [item] = library.tournaments("circle")["items"]
    assert item["shared"] == count - 1
    whole = library.tournament("circle", item["id"])
    [note] = whole["notes"]
    assert note.startswith(told)
    assert note.count(" and ") == min(count - 2, 3)
    assert whole["scheme_line"].startswith("elo (")
    assert "rating bradley-terry" in whole["scheme_line"]


def test_a_ranking_opens_its_matches_votes_and_texts(kept: Library) -> None:
    for run in ("ranked", "ranked-2"):
        listed = kept.tournaments(run)["items"]
        assert [item["id"] for item in listed] == [row["id"] for row in ROWS]
        for item, row in zip(listed, ROWS, strict=True):
            whole = kept.tournament(run, item["id"])
            assert whole["bracket"]
            assert [one["text"] for one in sorted(whole["candidates"], key=lambda one: one["index"])] == row["answers"]
            ratings = [one["rating"] for one in whole["candidates"]]
            assert [one["place"] for one in whole["candidates"]] == [1 + sum(more > own for more in ratings) for own in ratings]
            matches = [match for one in whole["rounds"] for match in one["matches"]]
            assert len(matches) == item["matches"] == len(row["answers"]) - 1
            assert sum(len(match["votes"]) for match in matches) == item["votes"]
            for match in matches:
                assert len(match["judgements"]) == 2 * len(match["votes"])  # each vote in both orders
                for vote in match["judgements"]:
                    assert set(vote["shown"]) == {row["answers"][match["first"]], row["answers"][match["second"]]}
                    assert "".join(piece["text"] for piece in vote["pieces"]) == vote["text"]
            assert item["right"] == (item["best"] == row["label"])
    assert kept.tournaments("ranked", text="12+3")["total"] == 1
    assert kept.tournaments("ranked", sort="-votes")["items"][0]["id"] == "sum-1"
