"""Mistakes that show only when a run is under way: each ends in one message with the place and a remedy, and loses no record."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath
from types import ModuleType
from typing import Any, Literal

import pytest

from adjudge import (
    AdjudgeError,
    Dataset,
    PathScorer,
    PluginError,
    Plugins,
    Problem,
    ReasoningPath,
    RewardRule,
    Run,
    RunConfig,
    Score,
    Session,
    Stage,
    StageResult,
    StageTrainer,
    held_out,
    hookimpl,
    score_paths,
    validate,
)
from adjudge.host.plugins import Source


def module_of(**functions: Any) -> ModuleType:
    """A plugin's module with these hooks."""
    module = ModuleType("a_plugin")
    vars(module).update(functions)
    return module


class RaisingScorer(PathScorer):
    """Raises."""

    use: Literal["raising"] = "raising"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        raise KeyError("weights")


class ForgetfulScorer(PathScorer):
    """Returns one score too few."""

    use: Literal["forgetful"] = "forgetful"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [Score(path.id, 1.0) for path in paths[1:]]


class RaisingRule(RewardRule):
    """Raises."""

    use: Literal["raising"] = "raising"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        raise TypeError("no length")


class RaisingData(Dataset):
    """Raises."""

    use: Literal["raising"] = "raising"

    def load(self) -> Iterable[Problem]:
        raise OSError("disk on fire")


class Empty(Dataset):
    """Has nothing."""

    use: Literal["empty"] = "empty"

    def load(self) -> Iterable[Problem]:
        return []


class Scored(StageTrainer):
    """Samples two paths a problem, scores them, hands the model on."""

    use: Literal["scored"] = "scored"
    scorer: PathScorer
    """Which scorer."""

    def train(self, stage: Stage) -> StageResult:
        by_id = {problem.id: problem for problem in stage.problems}
        with stage.open(stage.model) as session:
            paths = stage.sample(session, stage.problems, "paths", samples=2)
            for ident, problem in by_id.items():
                score_paths(self.scorer, problem, [path for path in paths if path.problem_id == ident], session)
        return StageResult(stage.model)


class Raising(StageTrainer):
    """Raises in its verb."""

    use: Literal["raising"] = "raising"

    def train(self, stage: Stage) -> StageResult:
        raise RuntimeError("out of ideas")


@pytest.fixture
def plugins() -> Plugins:
    loaded = Plugins.load(autoload=False)
    module = module_of(
        register_path_scorers=hookimpl(lambda: [RaisingScorer, ForgetfulScorer]),
        register_reward_rules=hookimpl(lambda: [RaisingRule]),
        register_datasets=hookimpl(lambda: [RaisingData, Empty]),
        register_stage_trainers=hookimpl(lambda: [Scored, Raising]),
    )
    loaded.add(module, Source("faulty", "faulty-dist", "9.9"))
    return loaded


@pytest.fixture
def model(tmp_path: FilePath, embedded: FilePath) -> FilePath:
    return FilePath(shutil.copytree(embedded, tmp_path / "model"))


def attempt(plugins: Plugins, model: FilePath, /, **fields: Any) -> AdjudgeError:
    """The error that a small run with these fields ends with."""
    data: dict[str, Any] = {
        "out": str(model.parent / "run"),
        "model": str(model),
        "data": {"use": "arithmetic", "size": 6},
        "stages": [],
        "reporters": [],
        "evaluation": {"sets": {"test": {"use": "arithmetic", "part": "test", "size": 6}}},
        **fields,
    }
    with pytest.raises(AdjudgeError) as caught:
        Run(validate(RunConfig, data, plugins, "run.yaml"), plugins).execute()
    return caught.value


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"use": "scored", "scorer": "raising"}, r"^'raising' \(.*RaisingScorer\) raised in score\(\): KeyError: 'weights'"),
        (
            {"use": "scored", "scorer": "forgetful"},
            r"^path scorer 'forgetful' \(.*ForgetfulScorer\) returned 1 scores for 2 paths of problem",
        ),
        ({"use": "raising"}, r"^'raising' \(.*Raising\) raised in train\(\): RuntimeError: out of ideas"),
    ],
)
def test_a_component_that_breaks_its_contract_is_named(plugins: Plugins, model: FilePath, stage: dict[str, Any], message: str) -> None:
    error = attempt(plugins, model, stages=[stage])
    assert isinstance(error, PluginError)
    assert error.exit_code == 2
    assert re.search(message, str(error))
    assert "Remedy" in str(error)
    records = model.parent / "run" / "records"
    assert len((records / "0-base-evaluation-test.jsonl").read_text().splitlines()) == 6, "what was computed is kept"
    if stage["use"] == "scored":
        assert len((records / "1-scored-paths.jsonl").read_text().splitlines()) == 12


def test_a_measure_that_raises_is_named(plugins: Plugins, model: FilePath) -> None:
    sets = {"test": {"use": "arithmetic", "part": "test", "size": 6}}
    error = attempt(plugins, model, evaluation={"sets": sets, "measures": ["raising"]})
    assert "'raising'" in str(error)
    assert "raised in reward(): TypeError: no length" in str(error)


@pytest.mark.parametrize(
    ("use", "message"), [("raising", "raised in load(): OSError: disk on fire"), ("empty", "data: the data set is empty")]
)
def test_data_that_cannot_be_loaded(plugins: Plugins, model: FilePath, use: str, message: str) -> None:
    error = attempt(plugins, model, data=use)
    assert message in str(error)
    assert "Remedy" in str(error)
    assert error.exit_code == 2
    assert not (model.parent / "run").exists(), "nothing is made before the data are known to be there"


def test_a_prompt_on_both_sides_is_refused(plugins: Plugins, model: FilePath) -> None:
    error = attempt(plugins, model, evaluation={"sets": {"test": {"use": "arithmetic", "size": 6}}})
    assert "evaluation.sets.test: 6 of its 6 prompts are also in data" in str(error)


@pytest.mark.parametrize(("missing", "message"), [("tokenizer*", "has no tokenizer"), ("judge.json", "has no judge.json")])
def test_a_model_folder_that_lacks_something(plugins: Plugins, model: FilePath, missing: str, message: str) -> None:
    for file in model.glob(missing):
        file.unlink()
    error = attempt(plugins, model)
    assert f"{model} {message}" in str(error)
    assert error.exit_code == 2


def test_a_folder_of_another_run_is_left_alone(plugins: Plugins, model: FilePath) -> None:
    attempt(plugins, model, stages=["raising"])
    before = {file: file.read_bytes() for file in (model.parent / "run").rglob("*") if file.is_file()}
    error = attempt(plugins, model, stages=["raising"], seed=1, data={"use": "arithmetic", "size": 7})
    assert "holds a run of another configuration; these fields differ: data.size, seed" in str(error)
    assert error.exit_code == 2
    assert before == {file: file.read_bytes() for file in (model.parent / "run").rglob("*") if file.is_file()}


def test_a_folder_in_use_is_left_alone(plugins: Plugins, model: FilePath) -> None:
    import fcntl

    (model.parent / "run").mkdir()
    with (model.parent / "run" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is at work in" in str(attempt(plugins, model))


def test_damaged_records_are_named_with_their_line(plugins: Plugins, model: FilePath) -> None:
    attempt(plugins, model, stages=["raising"])
    file = model.parent / "run" / "records" / "0-base-evaluation-test.jsonl"
    (model.parent / "run" / "stages" / "0-base" / "result.json").unlink()
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], lines[2][:30], *lines[3:]]) + "\n")
    assert f"{file}: line 3 is damaged" in str(attempt(plugins, model, stages=["raising"]))


def test_a_torn_last_line_is_made_again(plugins: Plugins, model: FilePath) -> None:
    attempt(plugins, model, stages=["raising"])
    file = model.parent / "run" / "records" / "0-base-evaluation-test.jsonl"
    (model.parent / "run" / "stages" / "0-base" / "result.json").unlink()
    whole = file.read_text()
    file.write_text(whole[:-40])
    attempt(plugins, model, stages=["raising"])
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert sorted(ids) == sorted(json.loads(line)["id"] for line in whole.splitlines())


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"evaluation": {"measures": ["sound", "sound"]}}, "evaluation.measures"),
        ({"stages": [{"use": "grpo", "rules": ["verdict", {"use": "verdict", "weight": 2}]}]}, "stages.0.rules"),
    ],
)
def test_rules_whose_results_would_overwrite_each_other(plugins: Plugins, model: FilePath, fields: dict[str, Any], place: str) -> None:
    assert re.search(
        rf"\n  {place}: '\w+' stands there twice; its results are kept by name, so name it once", str(attempt(plugins, model, **fields))
    )


def test_who_watches_may_change_between_starts(plugins: Plugins, model: FilePath) -> None:
    attempt(plugins, model, stages=["raising"])
    assert "out of ideas" in str(attempt(plugins, model, stages=["raising"], reporters=["html"]))


class Pairs(Dataset):
    """Problems as the test wants them."""

    use: Literal["pairs"] = "pairs"
    answers: list[str] = ["85", "75"]
    """Answers of every problem."""
    label: int | None = 0
    """Label of every problem."""
    ids: list[str] = ["a", "b"]
    """One problem each."""

    def load(self) -> Iterable[Problem]:
        return [Problem(ident, f"3{index}+48", tuple(self.answers), self.label) for index, ident in enumerate(self.ids)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["a", "a"]}, "data: two problems have the id 'a'"),
        ({"answers": ["1", "2", "3"]}, "data: problem a has 3 answers and the label 0; a judge takes two answers"),
        ({"label": 2}, "data: problem a has 2 answers and the label 2"),
        ({"label": None}, "data: problem a has no label"),
    ],
)
def test_problems_that_cannot_be_trained_on(plugins: Plugins, model: FilePath, options: dict[str, Any], message: str) -> None:
    plugins.add(module_of(register_datasets=hookimpl(lambda: [Pairs])), Source("pairs", "pairs-dist", "1"))
    error = attempt(plugins, model, data={"use": "pairs", **options})
    assert message in str(error)
    assert "Remedy" in str(error)
    assert error.exit_code == 2


@pytest.mark.parametrize("name", ["nowhere", "abc:model", "not.there:model", "no such package:model", ":model"])
def test_a_model_that_is_not_there(plugins: Plugins, model: FilePath, name: str) -> None:
    error = attempt(plugins, model, model=name)
    assert str(error).startswith(f"model: {name!r}: no")
    assert error.exit_code == 2


def test_a_device_that_torch_cannot_use(plugins: Plugins, model: FilePath) -> None:
    assert "engine.device: 'nonsense:7' cannot be used" in str(attempt(plugins, model, engine={"use": "hf", "device": "nonsense:7"}))


@pytest.mark.parametrize("stage", [{"use": "grpo", "steps": 1}, {"use": "sft", "scorer": "random"}])
def test_a_tokenizer_without_a_chat_template_is_refused_before_anything_is_sampled(
    plugins: Plugins, model: FilePath, stage: dict[str, Any]
) -> None:
    (model / "chat_template.jinja").unlink()
    assert f"model: the tokenizer of {model} has no chat template" in str(attempt(plugins, model, stages=[stage], evaluation={}))
    assert not list((model.parent / "run" / "records").glob("1-*"))


def test_a_training_prompt_longer_than_the_context(plugins: Plugins, model: FilePath) -> None:
    stage = {"use": "grpo", "steps": 1, "prompts_per_step": 2, "group": 2}
    error = attempt(plugins, model, stages=[stage], judge={"use": "arithmetic", "max_new_tokens": 240}, evaluation={})
    assert re.match(r"problem [0-9a-f]{16}: its prompt has \d+ tokens; the model takes 256", str(error))


def test_rollouts_of_a_greedy_judge(plugins: Plugins, model: FilePath) -> None:
    stage = {"use": "grpo", "steps": 1, "prompts_per_step": 2, "group": 2}
    error = attempt(plugins, model, stages=[stage], judge={"use": "arithmetic", "temperature": 0}, evaluation={})
    assert str(error).startswith("stages.0.temperature: the judge is greedy")


@pytest.mark.parametrize("stage", [{"use": "grpo", "micro_batch": 48}, {"use": "sft", "scorer": "random", "micro_batch": 20}])
def test_micro_batches_that_do_not_divide_a_step(plugins: Plugins, model: FilePath, stage: dict[str, Any]) -> None:
    assert "does not divide" in str(attempt(plugins, model, stages=[stage]))


def test_more_sums_than_there_are(plugins: Plugins, model: FilePath) -> None:
    error = attempt(plugins, model, data={"use": "arithmetic", "levels": [1], "part": "test", "size": 5000}, evaluation={})
    found = re.search(r"only ([\d,]+) different questions of levels \[1\] were found in part 'test', of 5,000 asked for", str(error))
    assert found is not None, error
    there = {f"{one}+{other}" for one in range(10, 100) for other in range(10, 100)}
    assert int(found[1].replace(",", "")) == sum(held_out(text, 0.2) for text in there), "all that there are"


def test_a_stage_in_which_every_call_failed_ends_and_makes_them_again(plugins: Plugins, model: FilePath, tmp_path: FilePath) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"prompt": "something else", "texts": ["x"]}\n')
    engine = {"use": "replay", "file": str(texts)}
    error = attempt(plugins, model, engine=engine)
    assert error.exit_code == 1
    assert "calls for evaluation-test that failed: 6 of 6, the last with: no text is recorded for this prompt" in str(error)
    file = model.parent / "run" / "records" / "0-base-evaluation-test.jsonl"
    attempt(plugins, model, engine=engine)
    assert len(file.read_text().splitlines()) == 6, "failed calls are made again, and recorded once"
