"""``adjudge bench``: judged, recorded, scored, scored again from records, and mistakes told in the words of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import yaml

from adjudge import Plugins, Problem, hookimpl
from adjudge.host.plugins import Source
from adjudge_benchmarks import Benchmark, Judged, Metric, proportion

Call = Callable[..., Any]
Rows = Callable[..., Path]


@pytest.fixture
def numbers(tmp_path: Path, write_rows: Rows) -> Path:
    """Pandalm rows whose larger number is better, and one that is a tie."""
    rows = [(5, 3, 1), (2, 9, 2), (7, 1, 1), (4, 8, 0)]
    votes = [{f"annotator{n}": better for n in (1, 2, 3)} for *_, better in rows]
    texts = [{"instruction": "larger?", "input": "", "response1": str(one), "response2": str(other)} for one, other, _ in rows]
    return write_rows(tmp_path / "rows.jsonl", [{"idx": n, **row, **vote} for n, (row, vote) in enumerate(zip(texts, votes, strict=True))])


def bench(call: Call, model: Path, numbers: Path, *more: object) -> Any:
    return call("bench", "pandalm", "--data", numbers, "-m", model, "--engine", "oracle", *more)


def test_a_judge_is_measured_and_everything_is_on_disk(call: Call, model: Path, numbers: Path, tmp_path: Path) -> None:
    result = bench(call, model, numbers, "--order", "both", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "pandalm" in result.stdout
    assert "accuracy, PARTIAL" in result.stdout
    assert "PARTIAL, not comparable with published figures: test 4 of 999" in result.stdout
    assert "0.0% failed" in result.stdout
    out = tmp_path / "out"
    assert {"config.yaml", "manifest.json", "result.json"} <= {file.name for file in out.iterdir()}
    assert len((out / "records" / "judgements.jsonl").read_text().splitlines()) == 8
    saved = json.loads((out / "result.json").read_text())
    assert (saved["judge"]["order"], saved["model"], saved["consistency"]) == ("both", str(model), 1.0)
    assert saved["figures"][0]["value"] == 0.75


def test_the_same_call_goes_on_in_the_same_folder(call: Call, model: Path, numbers: Path, tmp_path: Path) -> None:
    first = json.loads(bench(call, model, numbers, "--json").stdout)
    records = tmp_path / first["out"] / "records" / "judgements.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(lines[:2]) + lines[2][:20])
    again = json.loads(bench(call, model, numbers, "--json").stdout)
    assert again == first
    assert sorted(records.read_text().splitlines(keepends=True)) == sorted(lines)
    other = json.loads(bench(call, model, numbers, "--json", "--limit", 2).stdout)
    assert other["out"] != first["out"]
    assert other["groups"]["test"]["judged"] == 2


def test_records_are_scored_again_without_a_model(call: Call, model: Path, numbers: Path) -> None:
    bench(call, model, numbers, "--out", "out")
    for records in ("out", "out/records/*.jsonl"):
        result = json.loads(call("bench", "pandalm", "--data", numbers, "--replay", records, "--json").stdout)
        assert result["figures"][0]["value"] == 0.75
        assert result["replayed"]
    assert json.loads(call("bench", "pandalm", "--data", numbers, "--replay", "out", "--json").stdout)["judge"]["use"] == "rrm"
    shown = call("bench", "pandalm", "--data", numbers, "--replay", "out").stdout
    assert "judge rrm, order fixed, recorded in out" in shown


def test_the_judge_can_be_named_and_is_recorded(call: Call, model: Path, numbers: Path, tmp_path: Path) -> None:
    result = bench(call, model, numbers, "--judge", "{use: rrm, temperature: 0.2}", "--out", "out")
    assert result.exit_code == 0, result.output
    assert yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["judge"]["temperature"] == 0.2


def test_failed_calls_are_no_score_and_are_made_again(call: Call, model: Path, numbers: Path) -> None:
    failed = call("bench", "pandalm", "--data", numbers, "-m", model, "--engine", "{use: oracle, error: timeout}", "--out", "out")
    assert failed.exit_code == 1
    assert "calls to engine 'oracle' that failed: all 4" in failed.stderr
    again = call("bench", "pandalm", "--data", numbers, "--replay", "out", "--json")
    result = json.loads(again.stdout)
    assert (result["outcomes"]["failed"], result["figures"][0]["value"]) == (1.0, None)


def test_scores_of_a_scalar_model_come_back_through_an_export(
    call: Call, model: Path, numbers: Path, tmp_path: Path, write_rows: Rows
) -> None:
    told = call("bench", "pandalm", "--data", numbers, "--export", "problems.jsonl")
    assert "4 problems in problems.jsonl" in told.stdout
    rows = [json.loads(line) for line in (tmp_path / "problems.jsonl").read_text().splitlines()]
    scores = [{"problem_id": row["problem_id"], "scores": [float(answer) for answer in row["answers"]]} for row in rows]
    write_rows(tmp_path / "scores.jsonl", scores)
    result = json.loads(call("bench", "pandalm", "--data", numbers, "--replay", "scores.jsonl", "--json").stdout)
    assert (result["figures"][0]["value"], result["mean_tokens"]) == (0.75, None)


def test_the_embedded_judge_on_the_shipped_benchmark(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    result = json.loads(call("bench", "arithmetic-levels", "--order", "both", "--set", "data.each=3", "--json").stdout)
    assert [figure["name"] for figure in result["figures"]] == ["mean of levels", "level 1", "level 2", "level 3", "level 4"]
    assert all(figure["official"] for figure in result["figures"])
    assert (result["problems"], result["judgements"]) == (12, 24)
    partial = call("bench", "arithmetic-levels", "--set", "data.each=3", "--replay", result["out"], "--limit", 5)
    assert "mean of levels, PARTIAL" in partial.stdout


def test_problems_are_read_from_standard_input_which_stays_open(call: Call, model: Path, numbers: Path) -> None:
    result = call("bench", "pandalm", "--data", "-", "-m", model, "--engine", "oracle", "--json", stdin=numbers.read_text())
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["problems"] == 4


def test_problems_whose_ids_repeat_are_judged_apart_and_it_is_told(call: Call, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, answers = ("a", "a", "a-2"), (("5", "3"), ("1", "2"), ("7", "4"))

    class Repeating(Benchmark):
        """Whose ids are not all different."""

        use: Literal["repeating"] = "repeating"

        def load(self) -> list[Problem]:
            return [Problem(ident, "larger?", pair, 0, {"group": "all"}) for ident, pair in zip(ids, answers, strict=True)]

        def score(self, judged: Sequence[Judged]) -> list[Metric]:
            return [proportion(one.problem.id, [one.credit(0, 1)]) for one in judged]

    module = ModuleType("more")
    module.register_datasets = hookimpl(lambda: [Repeating])  # type: ignore[attr-defined]
    load = Plugins.load

    def with_repeating(*args: Any, **options: Any) -> Plugins:
        found = load(*args, **options)
        found.add(module, Source("more", "adjudge-more", "1"))
        return found

    monkeypatch.setattr(Plugins, "load", with_repeating)
    result = call("bench", "repeating", "-m", model, "--engine", "oracle", "--json")
    assert result.exit_code == 0, result.output
    scored = {figure["name"]: figure["value"] for figure in json.loads(result.stdout)["figures"]}
    assert scored == {"a": 1.0, "a-3": 0.0, "a-2": 1.0}, "a row has its own judgement's score"
    assert "'a-3' (problem 2)" in result.stderr


@pytest.mark.parametrize(
    "flags",
    [
        ("--model", "nowhere"),
        ("--engine", "openai"),
        ("--judge", "rrm"),
        ("--order", "both"),
        ("--seed", "3"),
        ("--out", "there"),
        ("--no-cache",),
        ("-m", "nowhere", "--seed", "0"),
    ],
)
@pytest.mark.parametrize("asking_none", [("--replay", "none.jsonl"), ("--export", "problems.jsonl")], ids=["replay", "export"])
def test_flags_that_would_change_nothing_are_refused_by_name(
    call: Call, numbers: Path, flags: tuple[str, ...], asking_none: tuple[str, str]
) -> None:
    result = call("bench", "pandalm", "--data", numbers, *asking_none, *flags)
    assert result.exit_code == 2
    named = [{"-m": "--model"}.get(flag, flag) for flag in flags if flag.startswith("-")]
    assert f"{asking_none[0]} asks no model, so {', '.join(named)} would change nothing" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("arithmetic-levels", "--set", "data=arithmetic"), "data: 'arithmetic' is a data set without a metric of its own"),
        (("arithmetic-levels", "--set", "data=null"), "data: say which data set, as 'use: NAME'"),
        (("pandaml", "--data", "x"), "no benchmark is called 'pandaml'; did you mean 'pandalm'?"),
        (("pandalm",), "'pandalm' needs its problems"),
        (("jsonl", "--data", "x"), "'jsonl' is a data set without a metric of its own"),
        (("pandalm", "--data", "nowhere.json"), "nowhere.json: no such file"),
        (("pandalm", "--data", "nowhere.json", "--replay", "none.jsonl"), "no such file"),
        (("arithmetic-levels", "--replay", "none.jsonl"), "--replay: no such file: none.jsonl"),
        (("arithmetic-levels", "--replay", "none.jsonl", "--set", "data.each=0"), "data.each: Input should be greater than 0"),
        (("arithmetic-levels", "--replay", "none.jsonl", "--set", "data=jsonl"), "data.file: Field required"),
        (("arithmetic-levels", "--replay", "none.jsonl", "--set", "data=arithmetic"), "data: 'arithmetic' is a data set without a metric"),
        (("arithmetic-levels", "--data", "x", "--replay", "none.jsonl"), "data.data: there is no such field"),
        (("arithmetic-levels", "--replay", "none.jsonl", "--set", "judge.order=both"), "judge: there is no such field"),
    ],
)
def test_mistakes_are_named(call: Call, model: Path, arguments: tuple[str, ...], message: str) -> None:
    judging = () if "--replay" in arguments else ("-m", model, "--engine", "oracle")
    result = call("bench", *arguments, *judging)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("what", ["model", "data"])
def test_what_was_judged_before_is_not_printed_as_of_another_model_or_other_data(call: Call, model: Path, numbers: Path, what: str) -> None:
    assert bench(call, model, numbers).exit_code == 0
    if what == "model":
        (model / "weights").write_text("trained on")
    else:
        numbers.write_text(numbers.read_text().replace("5", "6"))
    again = bench(call, model, numbers)
    assert again.exit_code == 2
    assert f"the content has changed of: {what}." in again.stderr


def test_another_call_in_the_same_folder_is_refused(call: Call, model: Path, numbers: Path) -> None:
    bench(call, model, numbers, "--out", "out")
    result = bench(call, model, numbers, "--out", "out", "--order", "both")
    assert result.exit_code == 2
    assert "these fields differ: judge.order" in result.stderr
