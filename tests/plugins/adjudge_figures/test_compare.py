"""`adjudge compare` on what commands write: the same numbers from every form, flips, drift, what is refused, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import DataError, Outcome, Plugins
from adjudge.cli.app import app_of
from adjudge_figures import compared, read_side

FIRST, SECOND, TIE, UNREADABLE, FAILED = (
    one.value for one in (Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE, Outcome.FAILED)
)
Said = Mapping[str, Sequence[Sequence[str]]]
"""By problem, for every sample its outcomes in each order, in the problem's own order."""
LABELS = {"p": "first", "q": "second", "r": "first", "s": "second"}


def rows(said: Said, **more: Any) -> Iterator[dict[str, Any]]:
    """Judgements as records of a run have them."""
    for ident, samples in said.items():
        for index, outcomes in enumerate(samples):
            for order, outcome in zip(("given", "swapped"), outcomes, strict=False):
                shown = ["a", "b"] if order == "given" else ["b", "a"]
                about = {"prompt": f"what is {ident}?", "shown": shown, "label": LABELS.get(ident)}
                yield {"problem_id": ident, "order": order, "index": index, "outcome": outcome, "tokens": 10, **about, **more}


def written(file: FilePath, said: Said, **more: Any) -> FilePath:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(said, **more)))
    return file


A: Said = {"p": [[FIRST, FIRST]], "q": [[SECOND, SECOND]], "r": [[FIRST, SECOND]], "s": [[FIRST, FIRST]]}
B: Said = {"p": [[FIRST, FIRST]], "q": [[FIRST, FIRST]], "r": [[FIRST, FIRST]], "s": [[SECOND, SECOND]]}


def sides(folder: FilePath, a: Said = A, b: Said = B) -> dict[str, Any]:
    return compared(read_side(written(folder / "a.jsonl", a)), read_side(written(folder / "b.jsonl", b)))


def test_two_judges_by_hand(tmp_path: FilePath) -> None:
    found = sides(tmp_path)
    assert (found["a"]["accuracy"]["value"], found["b"]["accuracy"]["value"]) == (0.5, 0.75)
    paired = found["paired"]
    assert [paired[name] for name in ("both_right", "only_a_right", "only_b_right", "neither_right")] == [1, 1, 2, 0]
    assert paired["difference"]["value"] == 0.25
    assert paired["mcnemar_p"] == 1.0
    assert found["changed"]["value"] == 0.75
    assert [(one["id"], one["kind"], one["a"], one["b"]) for one in found["flips"]] == [
        ("q", "lost", "second", "first"), ("r", "gained", "split", "first"), ("s", "gained", "first", "second"),
    ]  # fmt: skip
    assert found["flips"][0]["answers"] == ["a", "b"]
    assert found["changed_by_chance"]["value"] is None, "nobody was asked twice"
    assert found["a"]["mean_tokens"] == 10


def test_a_verdict_of_many_samples_is_what_most_say_and_drift_is_told_beside_chance(tmp_path: FilePath) -> None:
    a: Said = {"p": [[FIRST], [FIRST], [SECOND]], "q": [[SECOND], [FIRST], [TIE]]}
    b: Said = {"p": [[FIRST], [FIRST], [FIRST]], "q": [[SECOND], [SECOND], [TIE]]}
    found = sides(tmp_path, a, b)
    assert found["a"]["accuracy"]["value"] == 0.5, "q has as many of one as of another"
    assert found["changed"]["value"] == 0.5
    # Pairs of samples that differ: p 2/3 and 0, q 1 and 2/3.
    assert found["changed_by_chance"]["value"] == pytest.approx(((2 / 3 + 0) / 2 + (1 + 2 / 3) / 2) / 2)


def test_every_form_that_commands_write_gives_the_same(tmp_path: FilePath) -> None:
    known = sides(tmp_path)
    run = tmp_path / "run"
    written(run / "records" / "0-base-evaluation-test.jsonl", A)
    written(run / "records" / "10-sft-evaluation-test.jsonl", B)
    for stage in ("0-base", "10-sft"):
        (run / "stages" / stage).mkdir(parents=True)
    kept = written(tmp_path / "kept" / "records" / "judgements.jsonl", A).parent.parent
    as_read = tmp_path / "as_read.jsonl"
    mirrored = {FIRST: SECOND, SECOND: FIRST}
    plain = [{**row, "verdict": {"outcome": mirrored[row["outcome"]] if row["order"] == "swapped" else row["outcome"]}} for row in rows(B)]
    as_read.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "outcome"}) + "\n" for row in plain))
    whole = tmp_path / "eval.json"
    whole.write_text(json.dumps({"accuracy": 1, "judgements_made": [{"id": row["problem_id"], **row} for row in rows(A)]}))
    verdicts = tmp_path / "verdicts.jsonl"
    verdicts.write_text(
        "".join(json.dumps({"id": ident, "prompt": f"what is {ident}?", "judgements": list(rows({ident: B[ident]}))}) + "\n" for ident in B)
    )
    for a, b in ((kept, run), (run / "stages" / "0-base", run), (whole, verdicts), (whole, as_read)):
        found = compared(read_side(a), read_side(b))
        assert found["paired"] == known["paired"], (a, b)
        assert [one["id"] for one in found["flips"]] == [one["id"] for one in known["flips"]]


def test_a_failed_call_leaves_its_pair_out_and_pairs_of_one_side_are_counted(tmp_path: FilePath) -> None:
    found = sides(tmp_path, {**A, "p": [[FIRST, FAILED]], "only": [[FIRST]]}, B)
    assert (found["items"], found["failed"], found["only_in_a"], found["only_in_b"]) == (3, 1, 1, 0)
    assert found["paired"]["n"] == 3


def test_without_labels_changes_are_told_and_no_accuracy(tmp_path: FilePath) -> None:
    found = sides(tmp_path, {"x": [[FIRST]], "y": [[TIE]]}, {"x": [[SECOND]], "y": [[TIE]]})
    assert found["paired"]["difference"]["value"] is None
    assert (found["changed"]["value"], found["flips"][0]["kind"]) == (0.5, "other")


def test_what_is_not_the_same_or_no_judgement_is_refused(tmp_path: FilePath) -> None:
    a = read_side(written(tmp_path / "a.jsonl", A))
    for other, message in (
        (written(tmp_path / "b.jsonl", B, prompt="another"), "p: its prompt differs"),
        (written(tmp_path / "c.jsonl", B, label="second"), "p: its label differs"),
        (written(tmp_path / "d.jsonl", {"z": [[FIRST]]}), "no pair in common"),
    ):
        with pytest.raises(DataError, match=message):
            compared(a, read_side(other))
    ranking = tmp_path / "ranking.jsonl"
    ranking.write_text('{"id": "x", "order": [0, 1], "ratings": [1, 2]}\n')
    torn = tmp_path / "torn.jsonl"
    torn.write_text("{\n{}\n")
    twice = tmp_path / "twice.jsonl"
    twice.write_text("".join(json.dumps(row) + "\n" for row in [*rows(A), *rows(A)]))
    for file, message in (
        (ranking, "no judgement of a pair"),
        (torn, "line 1 is not JSON"),
        (twice, "two judgements"),
        (tmp_path, "no judgements here"),
    ):
        with pytest.raises(DataError, match=message) as refused:
            read_side(file)
        assert "Remedy:" in str(refused.value)


def test_a_set_that_a_run_does_not_have_is_named_with_those_it_has(tmp_path: FilePath) -> None:
    for name in ("easy", "hard"):
        written(tmp_path / "records" / f"1-sft-evaluation-{name}.jsonl", A)
    assert list(read_side(tmp_path).items)[:2] == ["easy: p", "easy: q"]
    assert list(read_side(tmp_path, "hard").items)[:2] == ["p", "q"]
    with pytest.raises(DataError, match="name one of its sets: easy, hard"):
        read_side(tmp_path, "medium")


def test_settings_and_versions_that_differ_are_told(tmp_path: FilePath) -> None:
    for name, model, version in (("a", "v1", "5.10"), ("b", "v2", "5.11")):
        written(tmp_path / name / "records" / "judgements.jsonl", A)
        (tmp_path / name / "config.yaml").write_text(f"model: {model}\njudge: {{use: rrm, temperature: 1.0}}\nout: {name}\n")
        (tmp_path / name / "manifest.json").write_text(json.dumps({"starts": [{"versions": {"transformers": version}}]}))
    found = compared(read_side(tmp_path / "a"), read_side(tmp_path / "b"))
    assert found["differs"] == {"model": ["v1", "v2"], "versions.transformers": ["5.10", "5.11"]}
    assert (found["a"]["model"], found["a"]["judge"]) == ("v1", "rrm")


def test_another_judge_is_one_line_and_not_one_for_each_of_its_options(tmp_path: FilePath) -> None:
    judges = {"a": "{use: direct, judge: {use: rrm, temperature: 1.0, order: both}, average: true}", "b": "{use: rrm, temperature: 0.5}"}
    for name, judge in judges.items():
        written(tmp_path / name / "records" / "judgements.jsonl", A)
        engine = f"{{use: hf, batch_tokens: {len(name)}, stop_below: {'null' if name == 'a' else '{keep: 0.9}'}}}"
        (tmp_path / name / "config.yaml").write_text(f"model: v1\njudge: {judge}\nengine: {engine}\n")
    code, output = called(str(tmp_path / "a"), str(tmp_path / "b"))
    assert code == 0
    lines = [line for line in output.splitlines() if line.startswith("differs")]
    assert "differs: judge: direct in A, rrm in B" in lines
    assert not [line for line in lines if "judge." in line or "None" in line]
    assert "differs: engine.stop_below.keep: not set in A, 0.9 in B" in lines


# The command --------------------------------------------------------------------------------------------------------------


def called(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app_of(Plugins.load()), ["compare", *arguments])
    return result.exit_code, result.output


def of(n: int, right: int) -> Said:
    return {f"p{i}": [[FIRST if i < right else SECOND]] for i in range(n)}


@pytest.fixture
def worse(tmp_path: FilePath) -> tuple[str, str]:
    """Of 40 pairs the first judge is right on 30 and the second on 20, all of them among those 30."""
    return tuple(str(written(tmp_path / f"{n}.jsonl", of(40, n), label="first")) for n in (30, 20))  # type: ignore[return-value]


def test_findings_come_first_in_words_with_size_interval_and_test(worse: tuple[str, str]) -> None:
    code, output = called(*worse)
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == (
        "B is right less often than A: -25.0 points, 95% -37.5 to -10.1, McNemar p 0.002; 0 pairs only B judges right, 10 only A."
    )
    assert lines[1] == "The verdict changed on 25% of 40 pairs (95% 14 to 40)."
    assert "p20" in output
    code, output = called(worse[0], worse[0])
    assert output.startswith("It is not shown that A and B differ: +0.0 points")
    assert "no difference, four times in five" in output


def test_exit_codes_say_what_was_asked_for_and_nothing_else(worse: tuple[str, str]) -> None:
    assert called(*worse, "--fail-if", "worse")[0] == 1
    assert called(*worse, "--fail-if", "different")[0] == 1
    assert called(*reversed(worse), "--fail-if", "worse")[0] == 0
    assert called(*reversed(worse), "--fail-if", "different")[0] == 1
    assert called(worse[0], worse[0], "--fail-if", "different", "--max-changed", "0")[0] == 0
    assert called(*worse, "--max-changed", "0.2")[0] == 1
    assert called(*worse, "--max-changed", "0.3")[0] == 0
    assert called(worse[0], "nowhere")[0] == 2


def test_json_is_the_whole_comparison(worse: tuple[str, str]) -> None:
    code, output = called(*worse, "--json")
    found = json.loads(output)
    assert (code, len(found["flips"]), found["paired"]["only_a_right"]) == (0, 10, 10)
