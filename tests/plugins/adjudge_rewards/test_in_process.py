"""What the adapters in one process share: who is a group among calls that start together, a judge opened late, one meeting place."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from adjudge import ConfigError, Plugins
from adjudge_rewards import open_reward
from adjudge_rewards.in_process import CLOSING_MARKS, LazyReward, Together, cohorts_of, reward_of


def test_calls_that_start_together_with_one_object_are_a_group() -> None:
    async def one(together: Together, shared: object, wait: float) -> tuple[int, int]:
        async with together.join(shared) as place:
            await asyncio.sleep(wait)
            return place.number, place.group.size

    async def main() -> None:
        together, three, two = Together(), object(), object()
        calls = [one(together, three, 0), one(together, two, 0), one(together, three, 0.01), one(together, two, 0), one(together, three, 0)]
        assert await asyncio.gather(*calls) == [(0, 3), (0, 2), (1, 3), (1, 2), (2, 3)]
        assert await asyncio.gather(one(together, three, 0), one(together, three, 0)) == [(0, 2), (1, 2)], "a later group is another one"
        assert not together._groups

    asyncio.run(main())


def test_a_call_that_fails_leaves_its_group() -> None:
    async def one(together: Together, shared: object, fails: bool) -> int:
        async with together.join(shared) as place:
            if fails:
                raise RuntimeError
            return place.group.size

    async def main() -> None:
        together, shared = Together(), object()
        found = await asyncio.gather(*(one(together, shared, fails) for fails in (True, False)), return_exceptions=True)
        assert found[1] == 2
        assert not together._groups

    asyncio.run(main())


def test_a_judge_is_opened_with_its_first_group(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        LazyReward(tmp_path / "nowhere.yaml")
    reward = LazyReward({"model": "adjudge_arithmetic:model", "aggregator": "round-robin"})
    assert reward._reward is None
    with open_reward({"model": "adjudge_arithmetic:model", "aggregator": "round-robin"}) as opened:
        assert reward(["37+48"] * 3, ["75", "85", "86"]) == opened(["37+48"] * 3, ["75", "85", "86"])
    assert reward.metrics["samples"] == 3


def test_anchors_are_in_a_column_or_are_all_of_it(model: Path, toys: Plugins) -> None:
    plain = LazyReward({"model": "adjudge_arithmetic:model"})
    assert plain.anchors_in({"solution": "4"}) == []
    named = LazyReward({"model": "adjudge_arithmetic:model", "anchor": "solution"})
    rows: list[Any] = [{"solution": "4"}, {"solution": ["4", "8"]}, {"solution": None}, {"solution": ""}, {}, None, "4", ["4", "8"], 4]
    assert [named.anchors_in(row) for row in rows] == [["4"], ["4", "8"], [], [], [], [], ["4"], ["4", "8"], ["4"]]
    with open_reward({"model": str(model), "engine": "larger"}, toys) as reward:
        assert LazyReward(reward)(["p"] * 2, ["3", "9"]) == [-1.0, 1.0]


def test_a_file_has_one_judge_in_a_process_and_one_meeting_place_in_a_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reward.yaml").write_text("model: adjudge_arithmetic:model\n")
    monkeypatch.chdir(tmp_path)

    async def here() -> Any:
        first = cohorts_of("reward.yaml", collect_seconds=7)
        assert cohorts_of(tmp_path / "reward.yaml") is first
        assert first.batches.reward is reward_of("reward.yaml")
        return first

    assert asyncio.run(here()) is not asyncio.run(here())


@pytest.mark.parametrize(
    "marks", ["<|im_end|>", "<|im_end|>\n", "</s>", "<|eot_id|> <|end_of_text|>", "<end_of_turn>\n", "<｜end▁of▁sentence｜>", ""]
)
def test_marks_that_end_a_completion_are_cut_off(marks: str) -> None:
    for text in ("42", "a <b> c", "</s> in the middle", "x|>"):
        assert CLOSING_MARKS.sub("", text + marks) == text


@pytest.mark.parametrize(
    ("adapter", "package", "remedy"),
    [
        ("openrlhf", "openrlhf", "pip install openrlhf"),
        ("slime", "slime", "clone github.com/THUDM/slime"),
        ("gym", "nemo_gym", "clone github.com/NVIDIA-NeMo/Gym"),
        ("areal", "areal", "pip install areal"),
    ],
)
def test_a_missing_framework_is_told_by_its_adapter(adapter: str, package: str, remedy: str) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is here")
    with pytest.raises(ConfigError, match=f"(?s){package} is not installed here.*{remedy}"):
        import_module(f"adjudge_rewards.{adapter}")
