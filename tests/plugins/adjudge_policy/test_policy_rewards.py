"""What answers of a policy are worth by the label, by the group's majority, and by a judge that compares them."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, Engine, Judge, Plugins, Problem, Stage, StageTrainer, validate
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge, RatesAlone
from adjudge_policy import Policy
from adjudge_policy.rewards import Answer, Judged, by_label, by_majority, reward_function

PLUGINS = Plugins.load(autoload=False)
SUM = Problem("sum", "37+48", ("75", "85"), 1)


def answers(*texts: str, group: int = 0, start: str = "75") -> list[Answer]:
    return [Answer(SUM, text, group, start) for text in texts]


def policy(**options: object) -> Policy:
    return validate(StageTrainer, {"use": "policy", "model": "adjudge_arithmetic:answerer", **options}, PLUGINS, "stages.0")


def test_the_label_rewards_the_right_answer_alone() -> None:
    assert by_label(answers("85", " 85\n", "75", "", "085")) == [1, 1, 0, 0, 0]
    assert by_label([Answer(Problem("q", "37+48", ("75", "85")), "85", 0, "")]) == [None]


def test_the_majority_rewards_what_most_of_the_own_group_say() -> None:
    assert by_majority([*answers("75", "75", "85"), *answers("85", "85", "75", group=1)]) == [1, 1, 0, 1, 1, 0]
    assert by_majority(answers("75", "85")) == [1, 1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=24))
def test_of_every_group_somebody_is_in_the_majority(said: list[tuple[str, int]]) -> None:
    given_answers = [Answer(SUM, text, group, "") for text, group in said]
    values = by_majority(given_answers)
    for group in {group for _, group in said}:
        mine = [(one.text, value) for one, value in zip(given_answers, values, strict=True) if one.group == group]
        rewarded = {text for text, value in mine if value == 1}
        assert rewarded
        counts = {text: sum(other == text for other, _ in mine) for text, _ in mine}
        assert {text for text, count in counts.items() if count == max(counts.values())} == rewarded


def test_the_judge_compares_with_the_group_or_with_the_first_policy(tmp_path: FilePath, embedded: FilePath) -> None:
    stage = Stage(1, "policy", tmp_path, tmp_path, embedded, embedded, ArithmeticJudge(order="both"), HfEngine())
    with ExitStack() as stack:
        grouped = Judged(policy(reward={"aggregator": "round-robin", "reward": "win-rate"}).reward, stage, stack)
        values = reward_function(grouped.source, grouped)(answers("75", "85", "85", "75"))
        assert values[0] == values[3]
        assert values[1] == values[2]
        assert None not in values
        assert sum(value or 0 for value in values) == pytest.approx(2)
        assert grouped.totals["matches"] == 1
        paired = Judged(policy(reward={"against": "start"}).reward, stage, stack)
        same, other, again = reward_function(paired.source, paired)(answers("75", "85", "85"))
        assert same == 0.5
        assert other == again
        assert other in (0, 0.5, 1)
        assert paired.totals["matches"] == 2, "of the equal texts, which nobody is asked about, and of the others once"


def test_a_rubric_rates_every_answer_by_itself(tmp_path: FilePath, embedded: FilePath) -> None:
    judge = validate(Judge, {"use": "rubric", "criteria": [{"name": "truth", "choices": ["no", "partly", "yes"]}]}, PLUGINS, "judge")
    assert isinstance(judge, RatesAlone)
    file, rows = tmp_path / "texts.jsonl", []
    for answer, choice in (("75", "no"), ("80", "partly"), ("85", "yes")):
        [asked] = judge.alone().render(Problem("alone", SUM.prompt, (answer,)), "given")
        rows.append(json.dumps({"prompt": asked["content"], "texts": [f"So.\ntruth: {choice}"]}))
    file.write_text("\n".join(rows))
    engine = validate(Engine, {"use": "replay", "file": str(file)}, PLUGINS, "engine")
    stage = Stage(1, "policy", tmp_path, tmp_path, embedded, embedded, judge, engine)
    with ExitStack() as stack:
        judged = Judged(policy(reward={"pointwise": True, "reward": "rating"}).reward, stage, stack)
        assert reward_function(judged.source, judged)(answers("85", "75", "80", "85")) == [1, 0, 0.5, 1]
        assert judged.totals["matches"] == 0


@pytest.mark.parametrize("given_reward", ["label", "majority", {"use": "majority"}, {"aggregator": "elo"}, {"use": "judge", "budget": 4}])
def test_a_reward_is_a_name_or_options(given_reward: object) -> None:
    named = given_reward if isinstance(given_reward, str) else dict(given_reward).get("use", "judge")  # type: ignore[call-overload]
    assert policy(reward=given_reward).reward.use == named


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reward": "verdict"}, "reward"),
        ({"reward": {"aggregator": "knokout"}}, "knockout"),
        ({"reward": {"pointwise": True, "against": "start"}}, "meets nobody"),
        ({"micro_batch": 3}, "does not divide"),
        ({"trl": {"max_steps": 3}}, "write the stage's 'steps'"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policy(**options)


def test_a_question_is_not_learnt_from_and_measured(tmp_path: FilePath, embedded: FilePath) -> None:
    stage = Stage(
        1, "policy", tmp_path, tmp_path, embedded, embedded, ArithmeticJudge(), HfEngine(), list(ArithmeticDataset(size=9).load())
    )
    with pytest.raises(ConfigError, match=r"stages\.0\.test: 9 of its questions are also in the data"):
        policy(test={"use": "arithmetic", "size": 9}).train(stage)
