"""A plan says what will be asked, as exactly as it can be known; what nobody tells is unknown and never 0; an estimate is made once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

import adjudge_plan
from adjudge import (
    Completion,
    ConfigError,
    Engine,
    Judge,
    Message,
    PluginError,
    Problem,
    StageResult,
    StageTrainer,
    Work,
    build_requests,
    sample_paths,
)  # fmt: skip
from adjudge.host.plugins import Source
from adjudge.testing import ReplaySession
from adjudge_plan import Part, Plan, Rates, plan_judging, plan_run, rates
from adjudge_plan.plan import mean_measured, priced

FOLDER = FilePath("nowhere")
PROBLEMS = [Problem(str(size), f"size {size}", ("a" * size, "b"), 0) for size in (2, 4)]


class Letters(Engine):
    """Counts letters as tokens."""

    use: Literal["letters"] = "letters"
    forgets: int = 0
    """Prompts that it gives no number for."""

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return [len(prompt[-1]["content"]) for prompt in prompts][self.forgets :]


class Planned(StageTrainer):
    """Says what it will take."""

    use: Literal["planned"] = "planned"

    def train(self, stage: Any) -> StageResult:
        raise NotImplementedError

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        return Work((len(problems), 10 * len(problems)), (2, 3))


@pytest.fixture
def world(world: Any) -> Any:
    """A run whose plan is written when it starts."""
    world.plugins.add(adjudge_plan, Source("adjudge_plan", "adjudge", "1"))
    return world


def the_judge(world: Any, **options: Any) -> Judge:
    judge: Judge = world.plugins.pick(Judge, "slash")(**options)
    return judge


def test_every_evaluation_is_planned_and_a_silent_trainer_is_unknown(world: Any) -> None:
    run = world.run()
    train, tests = run.load_problems()
    plan = plan_run(run, train, tests)
    assert [(part.stage, part.what, part.judgements, part.steps) for part in plan.parts] == [
        ("0-base", "evaluation far", (6, 6), (0, 0)),
        ("1-keep", "training", None, None),
        ("1-keep", "evaluation far", (6, 6), (0, 0)),
    ]
    assert (plan.unknown, plan.total.judgements) == (["1-keep training"], (12, 12))
    assert plan.parts[1].most_tokens is None
    assert plan.total.most_tokens == 12 * run.judge.max_new_tokens
    assert plan.total.input_tokens is None, "this engine cannot count"


def test_a_trainer_that_tells_is_counted(world: Any) -> None:
    def register_stage_trainers() -> Iterable[type[StageTrainer]]:
        return [Planned]

    world.observe("planned", register_stage_trainers)
    run = world.run()
    run.config = run.config.model_copy(update={"stages": [Planned()], "engine": Letters()})
    train, tests = run.load_problems()
    plan = plan_run(run, train, tests)
    part = plan.of_stage("1-planned").parts[0]
    mean = sum(len(f"{one.prompt}/{one.answers[0]}/{one.answers[1]}") for one in train) / len(train)
    assert (part.judgements, part.steps, part.input_tokens) == ((3, 30), (2, 3), (round(3 * mean), round(30 * mean)))
    assert plan.unknown == []


def test_what_a_run_asks_is_what_was_planned(world: Any) -> None:
    run = world.run()
    run.execute()
    plan = Plan.from_json(json.loads((run.folder / "plan.json").read_text()))
    for name in ("0-base", "1-keep"):
        [evaluation] = [part for part in plan.of_stage(name).parts if part.what == "evaluation far"]
        assert evaluation.judgements == (len(world.records(f"{name}-evaluation-far")),) * 2


def test_the_estimate_is_made_before_the_first_call_and_kept(world: Any) -> None:
    seen = []

    def run_started(run: Any) -> None:
        seen.append((run.folder / "plan.json").exists())

    world.observe("early", run_started)
    run = world.run()
    run.execute({"tokens_per_second": 12.0, "price_in": None, "price_out": None})
    before = (run.folder / "plan.json").read_text()
    world.run().execute()
    assert (run.folder / "plan.json").read_text() == before
    assert json.loads(before)["total"]["most_seconds"] == run.judge.max_new_tokens
    assert seen == [True, True]


def test_a_plan_survives_its_file(world: Any) -> None:
    run = world.run()
    plan = plan_run(run, *run.load_problems(), Rates(tokens_per_second=3.0))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_likely_tokens_are_those_of_complete_evaluations(world: Any) -> None:
    run = world.run()
    assert mean_measured(run.folder) is None
    run.execute()
    rows = [row for name in ("0-base", "1-keep") for row in world.records(f"{name}-evaluation-far")]
    mean = sum(row["completion"]["tokens"] for row in rows) / len(rows)
    assert mean_measured(run.folder) == pytest.approx(mean)
    assert plan_run(run, *run.load_problems()).parts[0].likely_tokens == round(6 * mean)


def test_a_stage_measured_on_nothing_or_without_tokens_measures_nothing(tmp_path: FilePath) -> None:
    for number, evaluation in enumerate([{}, {"set": {"mean_tokens": None, "judgements": 5}}]):
        (tmp_path / "stages" / str(number)).mkdir(parents=True)
        (tmp_path / "stages" / str(number) / "result.json").write_text(json.dumps({"evaluation": evaluation}))
    assert mean_measured(tmp_path) is None


def test_failed_calls_are_in_no_mean_of_tokens(tmp_path: FilePath) -> None:
    """The mean of a set with failures weighs as much as the judgements that it was taken over."""
    for number, evaluation in enumerate([{"mean_tokens": 10.0, "judgements": 9, "failed": 8}, {"mean_tokens": 20.0, "judgements": 1}]):
        (tmp_path / "stages" / str(number)).mkdir(parents=True)
        (tmp_path / "stages" / str(number) / "result.json").write_text(json.dumps({"evaluation": {"set": evaluation}}))
    assert mean_measured(tmp_path) == 15.0


@pytest.mark.parametrize(("order", "judgements"), [("fixed", 2), ("random", 2), ("both", 4)])
def test_prompts_are_counted_in_the_orders_they_are_shown_in(world: Any, order: str, judgements: int) -> None:
    [part] = plan_judging(PROBLEMS, the_judge(world, order=order), Letters(), FOLDER).parts
    letters = sum(len(f"{problem.prompt}/{'/'.join(problem.answers)}") for problem in PROBLEMS)
    assert part.judgements == (judgements, judgements)
    assert part.input_tokens == (letters * judgements // 2,) * 2


def test_prompts_are_counted_as_they_are_sent(world: Any) -> None:
    """Engines are sent `Judge.render`, in which a think-mark of an answer has a space more than in `Judge.prompt`."""
    sent: list[str] = []

    class Remembering(ReplaySession):
        def sample(self, prompts: Sequence[list[Message]], **options: Any) -> Iterator[tuple[int, Completion]]:
            sent.extend(prompt[-1]["content"] for prompt in prompts)
            return super().sample(prompts, **options)

    judge, marked = the_judge(world), [Problem("m", "which?", ("<think>a</think>", "b"), 0)]
    list(sample_paths(Remembering({}), judge, build_requests(marked, judge)))
    [part] = plan_judging(marked, judge, Letters(), FOLDER).parts
    assert sent[0] == "which?/< think>a< /think>/b"
    assert part.input_tokens == (sum(map(len, sent)),) * 2


def test_a_large_set_is_counted_in_part(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adjudge_plan.plan.COUNTED", 10)
    asked: list[int] = []

    class Asked(Letters):
        def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
            asked.append(len(prompts))
            return super().count_tokens(model, prompts)

    many = [Problem(str(n), "p", ("aa", "b")) for n in range(100)]
    [part] = plan_judging(many, the_judge(world, order="fixed"), Asked(), FOLDER).parts
    assert (asked, part.input_tokens) == ([10], (600, 600))


def test_an_engine_counts_every_prompt(world: Any) -> None:
    with pytest.raises(PluginError, match="engine 'letters' returned 1 numbers from count_tokens\\(\\) for 2 prompts"):
        plan_judging(PROBLEMS, the_judge(world, order="fixed"), Letters(forgets=1), FOLDER)


def test_rates_turn_tokens_into_time_and_cost() -> None:
    part = Part("s", "w", (10, 20), None, input_tokens=(1000, 3000), likely_tokens=500, most_tokens=4000)
    found = priced(part, Rates(tokens_per_second=100.0, price_in=1.0, price_out=10.0))
    assert (found.likely_seconds, found.most_seconds) == (5.0, 40.0)
    assert (found.likely_cost, found.most_cost) == (pytest.approx(0.007), pytest.approx(0.043))
    assert priced(part, Rates()) == part


def test_what_is_not_known_costs_an_unknown_sum() -> None:
    part = priced(Part("s", "w", (10, 10), most_tokens=100), Rates(price_in=1.0, price_out=1.0))
    assert (part.most_cost, part.likely_cost, part.most_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"price_in": 1.0}, "price_in and price_out belong together"),
        ({"tokens_per_second": 0}, "tokens_per_second: Input should be greater than 0"),
        ({"price_in": -1, "price_out": 1}, "price_in: Input should be greater than or equal to 0"),
    ],
)
def test_rates_that_cannot_be_are_named(given: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rates(**given)
