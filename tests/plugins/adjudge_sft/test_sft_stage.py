"""A fine-tuning stage: which paths it chooses, that it trains on exactly their tokens, and when it refuses."""

from __future__ import annotations

import itertools
import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, JobError, Outcome, ReasoningPath, Score, Stage, Verdict
from adjudge_arithmetic import ArithmeticDataset, Sound
from adjudge_engines import HfEngine, ReplayEngine
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Random, RStar, Shortest
from adjudge_sft import Sft
from adjudge_sft.select import best_of


def path(ident: str, text: str) -> ReasoningPath:
    return ReasoningPath(ident, "p", "given", 0, Completion(text), Verdict(Outcome.FIRST))


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.floats(-5, 5))), max_size=12), st.integers(1, 4))
def test_the_best_distinct_texts_are_kept(made: list[tuple[str, float | None]], keep: int) -> None:
    paths = [path(f"{index:02d}", text) for index, (text, _) in enumerate(made)]
    scores = [Score(one.id, value) for one, (_, value) in zip(paths, made, strict=True)]
    best = best_of(paths, scores, keep)
    value_of = {score.path_id: score.value for score in scores}
    texts = [one.completion.text for one in best]
    assert len(texts) == len(set(texts)) == min(keep, len({text for text, value in made if value is not None}))
    values = [value_of[one.id] or 0.0 for one in best]
    assert all(earlier > later - 1e-5 for earlier, later in itertools.pairwise(values))
    left_out = [value for text, value in made if value is not None and text not in texts]
    assert not best or not left_out or max(left_out) < min(values) + 1e-5


def test_rounding_errors_do_not_choose() -> None:
    """The same text sampled twice, its score moved in the seventh digit by the batch it was in, whichever way."""
    twice = [path("b", "same"), path("a", "same"), path("c", "worse")]
    for noise in (-1e-7, 0.0, 1e-7):
        (chosen,) = best_of(twice, [Score("b", 0.9954125), Score("a", 0.9954125 + noise), Score("c", 0.9)], 1)
        assert chosen.id == "a"


def stage(folder: FilePath, model: FilePath, judge: ArithmeticJudge | None = None, engine: Any = None) -> Stage:
    problems = list(ArithmeticDataset(size=24, levels=[1, 2]).load())
    return Stage(
        index=2,
        use="sft",
        folder=folder / "stages" / "2-sft",
        records_folder=folder / "records",
        model=model,
        base=model,
        judge=judge or ArithmeticJudge(),
        engine=engine or HfEngine(),
        problems=problems,
        measures=[Sound()],
    )


def records(made: Stage, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / f"{made.name}-{name}.jsonl").read_text().splitlines()]


class AlwaysWrong(ArithmeticJudge):
    """Reads no verdict from any text."""

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome.UNREADABLE)


@pytest.mark.slow
def test_right_paths_with_the_best_scores_are_fine_tuned_on(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded)
    result = Sft(scorer=RStar(), paths=4, batch=8, learning_rate=1e-4).train(made)
    paths, scores, selected = records(made, "paths"), records(made, "scores"), records(made, "selected")
    right = {one["id"] for one in paths if one["right"]}
    assert len(paths) == 24 * 4
    assert {score["path_id"] for score in scores} == right
    assert result.metrics["selected"] == len(selected) == len({one["problem_id"] for one in selected})
    for one in selected:
        mine = [score for score in scores if score["problem_id"] == one["problem_id"]]
        assert one["score"] == max(score["value"] for score in mine)
        assert one["prompt"].count("+") == 1, "the selected set can be read by itself"
    assert {score["path_id"] for score in scores if score["kept"]} == {one["id"] for one in selected}
    assert result.metrics["sound"]["selected"] == pytest.approx(
        sum(Sound().reward(p, q) or 0 for p, q in pairs(made, selected)) / len(selected)
    )
    assert (result.model / "model.safetensors").read_bytes() != (embedded / "model.safetensors").read_bytes()
    assert [step["step"] for step in records(made, "steps")] == list(range(1, -(-len(selected) // 8) + 1))


def pairs(made: Stage, rows: list[dict[str, Any]]) -> list[tuple[Any, ReasoningPath]]:
    by_id = {problem.id: problem for problem in made.problems}
    chosen = {path.id: path for path in made.records("paths").load(ReasoningPath)}
    return [(by_id[row["problem_id"]], chosen[row["id"]]) for row in rows]


def test_training_rows_are_the_sampled_tokens(tmp_path: FilePath, embedded: FilePath) -> None:
    from transformers import AutoTokenizer

    from adjudge_sft.train import rows_of

    made, tokenizer = stage(tmp_path, embedded), AutoTokenizer.from_pretrained(embedded)
    odd = (50, 17, 3, tokenizer.eos_token_id)
    sampled = ReasoningPath("a", made.problems[0].id, "swapped", 0, Completion("x", odd), Verdict(Outcome.FIRST))
    text_only = ReasoningPath("b", made.problems[0].id, "given", 0, Completion("sum 85"), Verdict(Outcome.FIRST))
    one, other = rows_of([sampled, text_only], made, tokenizer)
    assert tuple(one["input_ids"][-4:]) == odd, "tokens that no tokeniser would choose are trained on as sampled"
    prompt = tokenizer.apply_chat_template(made.judge.prompt(made.problems[0], "swapped"), add_generation_prompt=True, tokenize=False)
    assert tokenizer.decode(one["input_ids"][:-4]) == prompt
    assert one["labels"] == [-100] * (len(one["input_ids"]) - 4) + list(odd)
    assert tokenizer.decode([token for token in other["labels"] if token != -100]) == "sum 85" + tokenizer.eos_token


def test_rows_that_fill_a_step_teach_nothing(tmp_path: FilePath, embedded: FilePath) -> None:
    from adjudge_engines import load_tokenizer
    from adjudge_sft.train import rows_of

    made, tokenizer = stage(tmp_path, embedded), load_tokenizer(embedded)
    verdict = Verdict(Outcome.FIRST)
    paths = [
        ReasoningPath(str(number), made.problems[number].id, "given", 0, Completion("t", (5, 6, number)), verdict) for number in range(5)
    ]  # fmt: skip
    rows = list(rows_of(paths, made, tokenizer))
    assert [row["labels"][-3:] for row in rows] == [[5, 6, number] for number in range(5)]
    assert all(set(row["labels"][:-3]) == {-100} for row in rows)
    filled = list(rows_of(paths, made, tokenizer, 4))
    assert filled[:5] == rows
    assert [set(row["labels"]) for row in filled[5:]] == [{-100}] * 3
    assert list(rows_of(paths[:4], made, tokenizer, 4)) == rows[:4]


@pytest.mark.slow
def test_no_right_path_is_an_error_and_loses_nothing(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded, AlwaysWrong())
    with pytest.raises(JobError, match=r"stage 2-sft: none of 48 paths reached the right answer"):
        Sft(scorer=Shortest(), paths=2).train(made)
    assert len(records(made, "paths")) == 48
    assert not (made.folder / "model").exists()


def test_a_scorer_that_fits_no_path_is_an_error(tmp_path: FilePath, embedded: FilePath) -> None:
    """Recorded texts have no log-probabilities, so R⋆ does not apply to them; chance does."""
    rows = []
    for problem in stage(tmp_path, embedded).problems:
        for order in ("given", "swapped"):
            right = 1 + (problem.label != (order == "swapped"))
            rows.append({"prompt": ArithmeticJudge().prompt(problem, order)[-1]["content"], "texts": [f"\\boxed{{Assistant {right}}}"]})
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    made = stage(tmp_path, embedded, engine=ReplayEngine(file=file))
    with pytest.raises(JobError, match="scorer 'rstar' gave no right path a score"):
        Sft(scorer=RStar(), paths=1).train(made)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["previous", "base"])
def test_start_says_which_weights_are_tuned(tmp_path: FilePath, embedded: FilePath, start: Any) -> None:
    """With a vanishing learning rate, the outcome is what training started from."""
    import torch
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other"
    other.mkdir()
    for file in embedded.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = load_file(embedded / "model.safetensors")
    save_file({name: value + 0.001 for name, value in weights.items()}, other / "model.safetensors", {"format": "pt"})
    made = stage(tmp_path / "run", other)
    made.base = embedded
    result = Sft(scorer=Random(), paths=1, start=start, learning_rate=1e-12).train(made)
    tuned = load_file(result.model / "model.safetensors")
    expected = load_file((embedded if start == "base" else other) / "model.safetensors")
    assert all(torch.allclose(tuned[name], expected[name], atol=1e-5) for name in expected)
