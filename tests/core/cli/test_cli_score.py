"""``adjudge score``: the numbers of the embedded judge, what is no score, what a stopped call leaves behind, and every mistake."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Engine, Judge, PathScorer, Plugins, Problem, as_row, build_requests, find_model, sample_paths, validate
from adjudge_judge_commands.counted import CountedSession
from adjudge_judge_commands.opened_judge import OpenJudge
from adjudge_judge_commands.path_rows import read_path_rows
from adjudge_judge_commands.score import by_problem, repetition, score_groups
from adjudge_judges import ArithmeticJudge

Call = Callable[..., Any]
Rows = Callable[..., Path]

TEXT = "7 against 12 \\boxed{Assistant 2}"


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"prompt": f"larger? {number}", "answers": ["7", "12"], "text": TEXT, **more}


def lines(result: Any) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def score(call: Call, model: Path) -> Call:
    """Calls ``adjudge score`` with the fake engine on standard input."""

    def invoke(rows: list[Any], *args: object, engine: str = "oracle") -> Any:
        text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows)
        return call("score", "-", "--model", model, "--engine", engine, *args, stdin=text)

    return invoke


# Real numbers -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled(embedded: Path) -> list[tuple[Problem, Any]]:
    """Complete judgements that the embedded judge sampled, three of a problem in either order."""
    from adjudge_arithmetic import ArithmeticDataset
    from adjudge_engines import HfEngine
    from adjudge_judges import ArithmeticJudge

    problems = list(ArithmeticDataset(size=4, levels=[2, 3]).load())
    asks = build_requests(problems, ArithmeticJudge(order="both"), samples=3)
    with HfEngine().open(embedded) as session:
        paths = list(sample_paths(session, ArithmeticJudge(order="both"), asks))
    by_id = {problem.id: problem for problem in problems}
    found = [(by_id[path.problem_id], path) for path in paths if path.outcome.decided]
    assert len(found) > 15
    return found


def test_sampled_texts_get_the_rstar_of_their_recorded_log_probabilities(
    call: Call, sampled: list[tuple[Problem, Any]], write_rows: Rows, tmp_path: Path
) -> None:
    """From the texts alone: the tokenizer turns nearly all of them back into the tokens that were sampled, and those are compared."""
    from adjudge_rstar import RStar

    rows = [
        {"id": path.id, "prompt": problem.prompt, "answers": problem.answers, "order": path.order, "text": path.completion.text}
        for problem, path in sampled
    ]
    found = {one["id"]: one for one in lines(call("score", write_rows(tmp_path / "paths.jsonl", rows), "--use", "rstar", "--json"))}
    same = 0
    for problem, path in sampled:
        one = found[path.id]
        (expected,) = RStar().score(problem, [path], None)  # type: ignore[arg-type]
        assert one["outcome"] == path.outcome.value
        if one["tokens"] == len(path.completion.token_ids):
            same += 1
            assert one["score"] == pytest.approx(expected.value, abs=1e-4)
            assert one["parts"] == pytest.approx(expected.parts, abs=1e-4)
            assert one["mean_logprob"] == pytest.approx(sum(path.completion.logprobs) / one["tokens"], abs=1e-4)
            assert one["repetition"] == repetition(path.completion.token_ids)
    assert same > len(sampled) * 0.8


def test_records_of_a_run_are_scored_in_the_tokens_that_were_sampled(
    call: Call, sampled: list[tuple[Problem, Any]], write_rows: Rows, tmp_path: Path
) -> None:
    """Also tokens that no tokenizer would choose; the problems come from the data set that the run had."""
    problem, path = sampled[0]
    odd = as_row(path)
    text = path.completion.text
    cut = next(index for index, end in enumerate(path.completion.token_ends) if end - path.completion.token_ends[index - 1] > 1 and index)
    start, stop = path.completion.token_ends[cut - 1], path.completion.token_ends[cut]
    pieces = [token for character in text[start:stop] for token in tokens_of(character)]
    odd["completion"]["token_ids"] = [*path.completion.token_ids[:cut], *pieces, *path.completion.token_ids[cut + 1 :]]
    odd["id"] = "odd"
    del odd["verdict"]
    file = write_rows(tmp_path / "paths.jsonl", [as_row(path), odd])
    one, other = lines(call("score", file, "--data", "{use: arithmetic, size: 4, levels: [2, 3]}", "--json"))
    assert (one["problem_id"], one["tokens"]) == (problem.id, len(path.completion.token_ids))
    assert other["tokens"] == one["tokens"] + stop - start - 1
    assert other["mean_logprob"] < one["mean_logprob"] - 0.05, "such tokens are less likely"


def test_a_path_that_is_too_long_fails_alone(call: Call, write_rows: Rows, tmp_path: Path) -> None:
    """The embedded judge reads 256 tokens."""
    rows = [row(1, id="short"), row(2, text="9" * 300 + TEXT, id="long"), row(3, id="last")]
    found = {one["id"]: one for one in lines(call("score", write_rows(tmp_path / "rows.jsonl", rows), "--json"))}
    assert {ident: (one["outcome"], one["score"] is None) for ident, one in found.items()} == {
        "short": ("second", False), "long": ("failed", True), "last": ("second", False),
    }  # fmt: skip
    assert re.fullmatch(r"it has 3\d\d tokens, and the model has room for 2\d\d behind its prompt", found["long"]["error"])
    assert found["short"]["error"] is None


def tokens_of(character: str) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(find_model("adjudge_arithmetic:model"))
    return list(tokenizer(character, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("use", ["rstar", "mean-logprob", "likelihood", "validity", "self-consistency", "shortest", "longest", "random"])
def test_every_scorer_can_be_used(score: Call, use: str) -> None:
    (one,) = lines(score([row()], "--use", use, "--json"))
    assert isinstance(one["score"], float)


# What is printed ----------------------------------------------------------------------------------------------------------


def test_a_path_without_a_verdict_has_an_outcome_and_no_score(score: Call) -> None:
    rows = [
        row(1, id="whole"),
        row(1, id="cut", truncated=True),
        row(1, id="rollout", outcome="truncated"),
        row(1, id="vague", text="who knows"),
        {**row(1, id="call", completion={"text": "", "error": "timeout"}), "text": None},
    ]
    del rows[-1]["text"]
    for use in ("rstar", "longest"):
        found = {one["id"]: one for one in lines(score(rows, "--use", use, "--json"))}
        assert {ident: one["outcome"] for ident, one in found.items()} == {
            "whole": "second", "cut": "truncated", "rollout": "truncated", "vague": "unreadable", "call": "failed",
        }  # fmt: skip
        assert [ident for ident, one in found.items() if one["score"] is not None] == ["whole"]
    assert found["vague"]["tokens"] == len("who knows"), "its length is told all the same"
    people = score(rows)
    assert "5 paths, 4 without a score" in people.stdout
    assert re.search(r"cut +truncated +none", people.stdout)


def test_numbers_are_those_of_the_log_probabilities(score: Call) -> None:
    (one,) = lines(score([row(id="a")], "--json"))
    assert one["score"] == pytest.approx(math.exp(-0.5) ** 2)
    assert one["parts"]["reasoning_tokens"] + one["parts"]["answer_tokens"] == one["tokens"] == len(TEXT)
    assert one["mean_logprob"] == -0.5


def test_rows_keep_their_place_and_get_ids_of_their_own(score: Call) -> None:
    rows = [
        row(1, id="a"),
        row(2, id="b"),
        {"prompt": "larger? 1", "chosen": "7", "rejected": "12", "texts": [TEXT, "12 \\boxed{Assistant 1}"], "id": "c", "order": "swapped"},
        row(1, id="a"),
        row(3),
        row(3),
    ]
    result = score(rows, "--json")
    found = lines(result)
    idents = [one["id"] for one in found]
    assert idents[:5] == ["a", "b", "c:1", "c:2", "a-2"]
    assert "standard input: 2 rows have an id that another row has, and got one of its own: 'a' became 'a-2', for example" in result.stderr
    assert idents[6] == f"{idents[5]}-2"
    assert [one["outcome"] for one in found[:4]] == ["second", "second", "first", "second"], "in the problem's own order"


def test_every_row_gets_its_own_score_where_ids_repeat(score: Call, tmp_path: Path) -> None:
    """A made-up id is never one that another row has; in the folder of ``--out`` too."""
    rows = [row(1, id=ident, text=text + TEXT) for ident, text in (("a", ""), ("a", "so "), ("a-2", "so then "))]
    for options in ([], ["--out", tmp_path / "out"], ["--out", tmp_path / "out"]):
        found = lines(score(rows, "--use", "longest", "--json", *options))
        assert [(one["id"], one["tokens"]) for one in found] == [("a", len(TEXT)), ("a-3", len(TEXT) + 3), ("a-2", len(TEXT) + 8)]
        assert len({one["score"] for one in found}) == 3
    assert "an id" not in score([row(1, id="a")]).stderr


def test_one_prompt_is_asked_about_once(model: Path, tmp_path: Path) -> None:
    """Paths of one problem and order go to the engine together, wherever they stand in the file."""
    asked: list[tuple[str, int]] = []

    class Counting:
        def tokenize(self, text: str, token_ids: Any = ()) -> Completion:
            return Completion(text, tuple(map(ord, text)), tuple(range(1, len(text) + 1)))

        def logprobs(self, prompt: Any, continuations: Any) -> list[list[float]]:
            asked.append((prompt[-1]["content"], len(continuations)))
            return [[-0.5] * len(tokens) for tokens in continuations]

    file = tmp_path / "rows.jsonl"
    rows = [row(1), row(2), row(1, text="so " + TEXT), row(1, order="swapped"), row(2, texts=[TEXT, "a " + TEXT])]
    del rows[-1]["text"]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    plugins = Plugins.load()
    session = CountedSession(Counting(), validate(Engine, "hf", plugins, "engine"), ArithmeticJudge())  # type: ignore[arg-type]
    judge = OpenJudge(validate(Judge, "rrm", plugins, "judge"), session, plugins)
    scorer = validate(PathScorer, "rstar", plugins, "scorer")
    given = read_path_rows(file, {}, skip_bad_lines=False)
    groups = [[given[place] for place in places] for places in by_problem(given)]
    assert len(list(score_groups(judge, scorer, groups))) == 6
    assert sorted(size for _, size in asked) == [1, 2, 3]
    assert len({prompt for prompt, _ in asked}) == 3
    assert session.done == 6


@given(st.lists(st.integers(0, 3), max_size=40))
def test_repetition_is_the_share_of_runs_that_stood_earlier(tokens: list[int]) -> None:
    runs = [tokens[start : start + 4] for start in range(len(tokens) - 3)]
    share = repetition(tokens)
    assert (share is None) == (not runs)
    if runs:
        assert share == pytest.approx(sum(run in runs[:place] for place, run in enumerate(runs)) / len(runs))
    assert repetition(list(range(30))) == 0
    assert repetition([5] * 13) == pytest.approx(0.9)


def test_long_work_tells_how_fast_it_is(score: Call) -> None:
    result = score([row(number) for number in range(5)], "--json", engine="{use: oracle, seconds: 0.6}")
    assert re.search(r"scored [34] of 5, \d+ tokens/s, about \d s left", result.stderr), result.stderr


# What a stopped call leaves -----------------------------------------------------------------------------------------------


def kept(out: Path) -> list[dict[str, Any]]:
    if not (out / "records" / "scores.jsonl").exists():
        return []
    return [json.loads(line) for line in (out / "records" / "scores.jsonl").read_text().splitlines()]


def test_killed_at_any_time_the_same_call_goes_on(model: Path, site: Path, write_rows: Rows, tmp_path: Path) -> None:
    file, out = write_rows(tmp_path / "rows.jsonl", [row(number, id=str(number)) for number in range(40)]), tmp_path / "out"
    command = [sys.executable, "-m", "adjudge", "score", str(file), "--model", str(model), "--out", str(out), "--json"]
    command += ["--engine", "{use: oracle, seconds: 0.05}"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    scores = out / "records" / "scores.jsonl"
    while not (scores.exists() and scores.read_bytes().count(b"\n") >= 5):
        assert process.poll() is None, "it ended before it had five scores"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with scores.open("a") as torn:
        torn.write('{"id": "39", "sco')
    before = kept_whole(scores)
    assert 5 <= len(before) < 40
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [str(number) for number in range(40)]
    after = scores.read_text().splitlines()
    assert after[: len(before)] == before, "what was scored is kept as it was"
    assert sorted(int(json.loads(line)["id"]) for line in after) == list(range(40)), "everything once"
    assert len(json.loads((out / "manifest.json").read_text())["starts"]) == 2


def kept_whole(scores: Path) -> list[str]:
    """Lines that were written to their end."""
    return [line.removesuffix("\n") for line in scores.read_text().splitlines(keepends=True) if line.endswith("\n")]


def test_what_is_scored_already_is_not_scored_again(score: Call, tmp_path: Path) -> None:
    rows = [row(number, id=str(number)) for number in range(3)]
    first = lines(score(rows, "--out", tmp_path / "out", "--json"))
    again = lines(score(rows, "--out", tmp_path / "out", "--json"))
    assert first == again
    broken = score([*rows, row(4, id="4")], "--out", tmp_path / "out", engine="{use: oracle, broken: true}")
    assert "these fields differ: engine.broken" in broken.stderr
    assert len(kept(tmp_path / "out")) == 3


def test_without_anything_left_to_score_no_model_is_loaded(score: Call, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "out" / "config.yaml"
    score([row(id="1")], "--out", tmp_path / "out")
    file.write_text(file.read_text().replace("broken: false", "broken: true"))
    assert score([row(id="1")], "--out", tmp_path / "out", engine="{use: oracle, broken: true}").exit_code == 0
    more = score([row(id="1"), row(id="2")], "--out", tmp_path / "out", engine="{use: oracle, broken: true}")
    assert (more.exit_code, "no such weights" in more.stderr) == (2, True)


def test_a_row_that_has_changed_is_scored_anew(score: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    score([row(1, id="same"), row(2, id="changed")], "--out", out)
    score([row(1, id="same"), row(2, id="changed", text="so " + TEXT), row(3, id="new")], "--out", out)
    found = {one["id"]: one["tokens"] for one in kept(out)}
    assert found == {"same": len(TEXT), "changed": len(TEXT) + 3, "new": len(TEXT)}
    assert len(kept(out)) == 3


# Mistakes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("nonsense", "-: line 2 is not JSON"),
        ({"answers": ["1", "2"], "text": "t"}, "-: line 2 has no field 'prompt'"),
        ({"prompt": "p", "answers": ["1"], "text": "t"}, "has 1 answers; a judgement takes two"),
        ({"prompt": "p", "answers": ["1", "1"], "text": "t"}, "two identical answers"),
        ({"prompt": "p", "answers": ["1", "2"]}, "needs one of 'text', 'texts' and 'completion'"),
        ({"prompt": "p", "answers": ["1", "2"], "text": "t", "texts": ["t"]}, "needs one of 'text', 'texts' and 'completion'"),
        ({"prompt": "p", "answers": ["1", "2"], "text": 3}, "has a field 'text' that is a int, not a text"),
        ({"prompt": "p", "answers": ["1", "2"], "texts": []}, "has a field 'texts' that is no list of texts"),
        ({"prompt": "p", "answers": ["1", "2"], "text": "t", "order": "both"}, "has the order 'both'"),
        ({"prompt": "p", "answers": ["1", "2"], "completion": "t"}, "has a field 'completion' that no run records"),
        ({"prompt": "p", "answers": ["1", "2"], "completion": {"text": "t", "token_ids": ["a"]}}, "token_ids.0"),
        ({"problem_id": "x", "text": "t"}, "has no 'prompt', and --data names no data set with its problem 'x'"),
    ],
)
def test_rows_that_cannot_be_scored_are_named(score: Call, bad: Any, message: str) -> None:
    result = score([row(), bad])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Remedy" in result.stderr
    assert len(lines(score([row(), bad], "--skip-bad-lines", "--json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--use", "rsta"], "did you mean 'rstar'?"),
        (["--use", "{use: random, sed: 1}"], "scorer.sed: there is no such field; did you mean 'seed'?"),
        (["--use", "{"], "--use: '{' is not YAML"),
        (["--data", "{use: jsonl, file: nowhere.jsonl}"], "nowhere.jsonl: no such file"),
        (["--model", "nowhere"], "'nowhere': no such folder"),
        (["--set", "scorer=null"], "scorer: say which path scorer"),
        (["--set", "data.limit=3"], "data: say which data set"),
    ],
)
def test_calls_that_are_wrong_are_told_so(score: Call, arguments: list[str], message: str) -> None:
    result = score([row()], *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.output


def test_a_scorer_may_use_numbers_of_numpy(score: Call, tmp_path: Path) -> None:
    (one,) = lines(score([row()], "--use", "numbers", "--out", tmp_path / "out", "--json"))
    assert (one["score"], one["parts"]) == (float(len(TEXT)), {"part": 1.0})
    assert kept(tmp_path / "out") == [one]


@pytest.mark.parametrize(("options", "what"), [("value: nan", "nan"), ("part: nan", "the part 'part'"), ("value: inf", "inf")])
def test_a_scorer_that_gives_no_number_is_named(score: Call, tmp_path: Path, options: str, what: str) -> None:
    result = score([row()], "--use", f"{{use: numbers, {options}}}", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "'numbers' (adjudge_fake_cli.Numbers) returned" in result.stderr
    assert what in result.stderr
    assert kept(tmp_path / "out") == []


def test_nothing_to_score_is_a_mistake(score: Call) -> None:
    result = score([])
    assert (result.exit_code, "standard input: the data set is empty" in result.stderr) == (2, True)


def test_an_engine_that_has_no_model_says_so(score: Call, write_rows: Rows, tmp_path: Path) -> None:
    write_rows(tmp_path / "texts.jsonl", [{"prompt": "p", "texts": ["t"]}])
    result = score([row()], engine="{use: replay, file: texts.jsonl}")
    assert (result.exit_code, "recorded texts have no tokens" in result.stderr) == (2, True), result.stderr
    assert "Remedy: name an engine that loads the model" in result.stderr


def test_scores_of_another_call_are_not_mixed_in(score: Call, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert score([row()], "--out", out).exit_code == 0
    for arguments in (["--use", "likelihood"], ["--set", "judge.order=both"]):
        result = score([row()], "--out", out, *arguments)
        assert (result.exit_code, "holds a run of another configuration; these fields differ" in result.stderr) == (2, True)
    (tmp_path / "file").write_text("")
    result = score([row()], "--out", tmp_path / "file")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)
    (model / "model.safetensors").write_text("other weights")
    result = score([row()], "--out", out)
    assert (result.exit_code, "the content has changed of: model" in result.stderr) == (2, True)
    (model / "model.safetensors").unlink()
    damaged = out / "records" / "scores.jsonl"
    damaged.write_text("{\n" + damaged.read_text())
    result = score([row()], "--out", out)
    assert (result.exit_code, "line 1 is damaged" in result.stderr) == (2, True)


def test_an_engine_that_answers_wrongly_is_named(score: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert score([row()]).exit_code == 0
    oracle = sys.modules["adjudge_fake_cli"].Oracle  # type: ignore[attr-defined]
    monkeypatch.setattr(oracle, "logprobs", lambda self, prompt, continuations: [[-0.5]])
    short = score([row()])
    assert (short.exit_code, "did not answer with one number for every token" in short.stderr) == (2, True)
    monkeypatch.setattr(oracle, "logprobs", lambda self, prompt, continuations: 1 / 0)
    raised = score([row()])
    assert (raised.exit_code, "raised in logprobs(): ZeroDivisionError" in raised.stderr) == (2, True)
    monkeypatch.delattr(oracle, "tokenize")
    lacking = score([row()])
    assert (lacking.exit_code, "has no attribute 'tokenize'" in lacking.stderr) == (2, True)
