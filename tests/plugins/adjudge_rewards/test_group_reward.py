"""Groups of completions get rewards: who is in a group, equal completions, one alone, anchors, and those that nobody could judge."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import ConfigError, DataError, JobError, Plugins, open_judge
from adjudge_rewards import GroupReward, SampleReward, decided, open_reward, read_reward


@pytest.fixture
def reward(model: Path, toys: Plugins) -> Iterator[Any]:
    """Makes a reward of a judge that is open for the test."""
    with open_judge(model, engine={"use": "larger", "log": model / "asked.txt"}, plugins=toys, cache=False) as judge:

        def make(how: Any = "rank", aggregator: str = "round-robin", **more: Any) -> GroupReward:
            return judge.group_reward(aggregator, reward=how, **more)

        yield make


def asked(model: Path) -> int:
    """How many judgements were asked for since the last look."""
    file = model / "asked.txt"
    found = len(file.read_text().splitlines()) if file.exists() else 0
    file.unlink(missing_ok=True)
    return found


# Groups --------------------------------------------------------------------------------------------------------------------


def test_completions_of_one_prompt_in_a_row_are_a_group(reward: Any) -> None:
    assert reward()(["p", "p", "p", "q", "q"], ["3", "9", "5", "1", "2"]) == [0.0, 1.0, 0.5, 0.0, 1.0]


def test_named_groups_may_lie_anywhere(reward: Any) -> None:
    prompts, texts = ["p", "q", "p", "q"], ["3", "2", "9", "1"]
    assert reward()(prompts, texts, groups=["a", "b", "a", "b"]) == [0.0, 1.0, 1.0, 0.0]
    assert reward()(["p"] * 4, texts, groups=[1, 2, 1, 2]) == [0.0, 1.0, 1.0, 0.0], "two groups of one prompt"


def test_a_group_has_one_prompt_and_every_completion_a_group(reward: Any) -> None:
    with pytest.raises(DataError, match=r"groups: 'a' has 2 prompts"):
        reward()(["p", "q"], ["1", "2"], groups=["a", "a"])
    with pytest.raises(DataError, match=r"2 completions and 1 groups"):
        reward()(["p", "p"], ["1", "2"], groups=["a"])


def test_groups_of_any_size_in_one_call(reward: Any) -> None:
    assert reward()(["p", "q", "q", "q", "r", "r"], ["1", "1", "2", "3", "5", "4"]) == [None, 0.0, 0.5, 1.0, 1.0, 0.0]
    assert reward()([], []) == []


@pytest.mark.parametrize("aggregator", ["knockout", "round-robin", "elo", "copeland", "vote", "active"])
@pytest.mark.parametrize("how", ["rating", "win-rate", "rank", "minmax", "standardised"])
def test_equal_completions_are_judged_once_and_rewarded_alike(reward: Any, model: Path, aggregator: str, how: str) -> None:
    values = reward(how, aggregator)(["p"] * 5, ["3", "9", "3", "3", "9"])
    assert values[0] == values[2] == values[3]
    assert values[1] == values[4]
    assert values[1] > values[0]
    assert asked(model) == 1 or aggregator == "vote", "which asks about a pair several times"
    same = reward(how, aggregator)(["p"] * 3, ["3", "3", "3"])
    assert len(set(same)) == 1
    assert same[0] is not None
    assert asked(model) == 0, "three equal ones are nobody's judgement"
    if how == "standardised":
        assert same == [0.0] * 3


@pytest.mark.parametrize("aggregator", ["knockout", "round-robin", "elo", "copeland", "vote", "active"])
@pytest.mark.parametrize("how", ["rating", "win-rate", "rank", "minmax", "standardised"])
def test_a_group_of_draws_has_no_spread_in_32_bits(reward: Any, how: str, aggregator: str) -> None:
    """TRL's ``normalize_then_sum`` and ms-swift's ``gdpo`` divide by it, and pay draws by rounding where it is not 0."""
    for size in (2, 3, 7, 16):
        values = numpy.array(reward(how, aggregator)(["p"] * size, ["3"] * size), dtype=numpy.float32)
        assert values.std() == 0
        assert (values == values.mean()).all()


def test_standardised_rewards_count_every_completion(reward: Any) -> None:
    values = reward("standardised")(["p"] * 4, ["3", "9", "3", "3"])
    assert sum(values) == pytest.approx(0)
    assert sum(value * value for value in values) / 4 == pytest.approx(1)


@given(texts=st.lists(st.sampled_from(["75", "85", "86", "95", "84"]), min_size=2, max_size=5), data=st.data())
@settings(max_examples=12)
def test_a_judge_that_samples_gives_the_same_rewards_in_any_order_of_arrival(opened_judge: Any, texts: list[str], data: Any) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    for aggregator in ("knockout", "round-robin"):
        reward = opened_judge.group_reward(aggregator, reward="rating")
        found = reward(["37+48"] * len(texts), texts)
        assert [found[place] for place in order] == reward(["37+48"] * len(texts), [texts[place] for place in order])


@pytest.fixture(scope="module")
def opened_judge() -> Iterator[Any]:
    """The embedded judge, which guesses."""
    with open_judge("adjudge_arithmetic:model", seed=3, cache=False) as judge:
        yield judge


@given(texts=st.lists(st.integers(0, 12).map(str), min_size=1, max_size=7), data=st.data())
def test_rewards_follow_the_completions_and_not_their_places(toys: Plugins, folder: Path, texts: list[str], data: Any) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    with open_judge(folder, engine="larger", plugins=toys, cache=False) as judge:
        reward = judge.group_reward("round-robin", reward="win-rate")
        plain, moved = reward(["p"] * len(texts), texts), reward(["p"] * len(texts), [texts[place] for place in order])
    assert [plain[place] for place in order] == moved
    counts = Counter(texts)
    for (one, value), (other, worse) in ((a, b) for a in zip(texts, plain, strict=True) for b in zip(texts, plain, strict=True)):
        if value is not None and worse is not None and int(one) > int(other):
            assert value > worse
    assert all(value is not None for value in plain) or (len(counts) == 1 and len(texts) == 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("judge")
    (found / "judge.json").write_text('{"use": "rrm", "order": "fixed", "max_new_tokens": 99}')
    return found


# Undecided -----------------------------------------------------------------------------------------------------------------


def test_what_nobody_could_judge_has_a_reason_and_no_number(reward: Any) -> None:
    judged = reward()
    found = judged.judged(["p"] * 4, ["3", "13", "5", "pear"])
    assert [one.value for one in found] == [0.0, None, 1.0, None]
    assert found[1].reason == "none of its judgements could be read: 3 failed"
    assert found[3].reason == "none of its judgements could be read: 2 unreadable, 1 failed"
    assert judged.metrics["undecided"] == 0.5
    assert all(one.reason == "none of its judgements could be read: 1 failed" for one in judged.judged(["p"] * 2, ["13", "5"]))


def test_a_coin_is_no_reward(reward: Any) -> None:
    """In a bracket somebody goes on from a match that could not be read; that is not worth a place."""
    for seed in range(8):
        values = reward("rank", "knockout")([f"p{seed}"] * 3, ["13", "pear", "plum"])
        assert values == [None, None, None]


def test_one_alone_is_undecided_and_a_spent_budget_says_so(reward: Any) -> None:
    [one] = reward().judged(["p"], ["3"])
    assert (one.value, one.reason) == (None, "the only completion of its prompt, and no anchor to compare it with")
    found = reward(budget=1).judged(["p"] * 4, ["3", "9", "5", "1"])
    assert sorted(one.value is None for one in found) == [False, False, True, True]
    assert {one.reason for one in found if one.value is None} == {"the budget of matches ended before it was compared"}


def test_what_a_framework_is_told() -> None:
    rewards = [SampleReward(1.0), SampleReward(None, reason="13"), SampleReward(0.0), SampleReward(None, reason="alone")]
    groups = ["a", "a", "a", "b"]
    assert decided(rewards, groups, "none") == [1.0, None, 0.0, None]
    assert decided(rewards, groups, "mean") == [1.0, 0.5, 0.0, 0.0]
    with pytest.raises(JobError, match="a completion has no reward: 13"):
        decided(rewards, groups, "raise")


# Anchors -------------------------------------------------------------------------------------------------------------------


def test_anchors_make_an_absolute_number_beside_the_relative_one(reward: Any, model: Path) -> None:
    found = reward().judged(["p"] * 3, ["3", "9", "5"], anchors=["4", ["4", "8"], None])
    assert [one.value for one in found] == [0.0, 1.0, 0.5]
    assert [one.absolute for one in found] == [0.0, 1.0, 0.5], "shares of points against 4 and 8"
    assert asked(model) == 3 + 6


@pytest.mark.parametrize("siblings", [[], ["9"], ["3"], ["3", "9", "1"]])
def test_an_absolute_number_does_not_depend_on_the_siblings(reward: Any, siblings: list[str]) -> None:
    """Of a completion that says what the anchor says, which draws with it, too."""
    texts = ["5", *siblings]
    found = reward().judged(["p"] * len(texts), texts, anchors=["5"] * len(texts))
    assert [one.absolute for one in found] == [0.5, *(float(int(text) > 5) for text in siblings)]


def test_one_alone_is_ranked_among_its_anchors(reward: Any) -> None:
    above, below = reward(), reward("standardised")
    assert above.judged(["p"], ["7"], anchors=[["4", "8"]])[0] == SampleReward(0.5, 0.5)
    assert below(["p"], ["1"], anchors=["4"]) == [-1.0]
    assert above(["p"], ["4"], anchors=["4"]) == [0.5], "it says what the anchor says"
    assert above.judged(["p"], ["7"], anchors=["13"])[0].absolute is None
    with pytest.raises(DataError, match="1 completions and 2 anchors"):
        above(["p"], ["7"], anchors=["1", "2"])


# Around it -----------------------------------------------------------------------------------------------------------------


def test_numbers_of_a_call_are_always_the_same_numbers(reward: Any) -> None:
    judged = reward()
    judged(["p"] * 3, ["3", "9", "3"])
    names = set(judged.metrics)
    assert judged.metrics["samples"] == 3
    assert judged.metrics["repeated"] == 1
    assert judged.metrics["tokens"] > 0
    judged([], [])
    assert set(judged.metrics) == names
    assert all(type(value) in (int, float) and math.isfinite(value) for value in judged.metrics.values())


def test_a_loop_goes_on_while_it_judges(reward: Any) -> None:
    judged = reward()

    async def both() -> list[list[float | None]]:
        return await asyncio.gather(judged.call_async(["p"] * 2, ["3", "9"]), judged.call_async(["q"] * 2, ["5", "4"]))

    assert asyncio.run(both()) == [[0.0, 1.0], [1.0, 0.0]]


def test_the_cache_serves_a_loop_too(model: Path, toys: Plugins) -> None:
    """Which asks from threads of its own."""
    with open_judge(model, engine={"use": "larger", "log": model / "asked.txt"}, plugins=toys) as judge:
        reward = judge.group_reward("round-robin", reward="rank")
        for _ in range(2):
            assert asyncio.run(reward.call_async(["p"] * 3, ["3", "9", "5"])) == [0.0, 1.0, 0.5]
    assert asked(model) == 3


def test_odd_completions_have_defined_rewards(reward: Any) -> None:
    """Empty, huge, and with the marks of a chat: they are judged like any other, and what is not read is undecided."""
    values = reward()(["p"] * 4, ["", "9" * 4_000, "<|im_end|>", "8"])
    assert values == [None, 1.0, None, 0.0]
    assert reward()(["p"] * 3, ["", "7", "8"]) == [None, 0.0, 1.0]


# Its file ------------------------------------------------------------------------------------------------------------------


def test_a_file_makes_the_same_reward(model: Path, toys: Plugins) -> None:
    file = model / "reward.yaml"
    file.write_text(
        f"model: {model}\nengine: larger\naggregator: round-robin\nreward: rank\njudge: {{order: both}}\nvoting: {{votes: 3}}\n"
    )
    config = read_reward(file, plugins=toys)
    assert config.judge is not None
    assert (config.judge.use, config.judge.order, config.voting.votes, config.voting.on_unreadable) == ("rrm", "both", 3, "drop")
    with open_reward(file, toys) as reward:
        assert reward(["p"] * 3, ["3", "9", "5"]) == [0.0, 1.0, 0.5]
    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin"}, toys) as reward:
        assert reward(["p"] * 2, ["3", "9"]) == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {model}\nreward: wins\n", "reward"),
        ("model: {model}\nagregator: elo\n", "agregator: there is no such field; did you mean 'aggregator'"),
        ("model: {model}\nreward: rank\nreward: minmax\n", "reward"),
        ("- a\n", "a reward is a mapping of fields to values, not list"),
    ],
)
def test_mistakes_in_the_file_are_told(model: Path, toys: Plugins, text: str, message: str) -> None:
    file = model / "reward.yaml"
    file.write_text(text.format(model=model))
    with pytest.raises(ConfigError, match=message):
        read_reward(file, plugins=toys)
    with pytest.raises(ConfigError, match="no such file"):
        read_reward(model / "nowhere.yaml", plugins=toys)
