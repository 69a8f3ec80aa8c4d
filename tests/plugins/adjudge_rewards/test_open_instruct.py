"""open-instruct with a judge as its reward: its own reward function, in which the answers to a prompt are judged as a group of any size.

Runs where a checkout of open-instruct is on the path (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("open_instruct", reason="open-instruct is not installed")
pytest.importorskip("open_instruct.ground_truth_utils", reason="what open-instruct imports is not installed")

from adjudge import ConfigError, Plugins


@pytest.fixture
def verifier(model: Path, toys: Plugins, monkeypatch: pytest.MonkeyPatch) -> Any:
    """By the judge of numbers."""
    from adjudge_rewards.open_instruct import AdjudgeVerifier

    monkeypatch.setattr(Plugins, "load", lambda *_, **__: toys)
    file = model / "reward.yaml"
    file.write_text(
        f"model: {model}\nengine: {{use: larger, log: {model}/asked.txt}}\naggregator: round-robin\nreward: rank\ncache: false\n"
    )
    monkeypatch.setenv("ADJUDGE_REWARD", str(file))
    return AdjudgeVerifier()


def reward_fn(verifier: Any) -> Any:
    """open-instruct's own, with this verifier and no other."""
    from open_instruct.ground_truth_utils import RewardConfig

    return RewardConfig(verifier_functions={"adjudge": verifier}).build()


async def scores(reward: Any, prompt: str, texts: list[str], label: str = "") -> list[float]:
    size = len(texts)
    infos = SimpleNamespace(
        timeouts=[False] * size, tool_errors=[""] * size, tool_outputs=[""] * size, tool_calleds=[False] * size, rollout_states=None
    )
    found, metrics = await reward([[1]] * size, texts, [label] * size, ["adjudge"] * size, ["stop"] * size, infos, [prompt] * size)
    assert "objective/adjudge_reward" in metrics
    return list(found)


def test_the_answers_to_a_prompt_are_a_group_of_any_size(verifier: Any, model: Path) -> None:
    """Several prompts at a time, as vLLM's answers come, and one answer alone, as in evaluation. open-instruct multiplies by 10."""
    reward = reward_fn(verifier)

    async def work() -> list[list[float]]:
        return await asyncio.gather(scores(reward, "p", ["3", "9", "5"]), scores(reward, "q", ["2", "1"]), scores(reward, "r", ["8"]))

    assert asyncio.run(work()) == [[0.0, 10.0, 5.0], [10.0, 0.0], [0.0]]
    assert len((model / "asked.txt").read_text().splitlines()) == 4, "every pair once"
    assert verifier._asking == {}


def test_an_undecided_answer_has_the_mean_of_its_group(verifier: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge"):
        assert asyncio.run(scores(reward_fn(verifier), "p", ["3", "13", "9"])) == [0.0, 5.0, 10.0]
    assert "1 of 3 answers are undecided" in caplog.text


def test_what_the_judge_took_is_in_the_log(verifier: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "adjudge"):
        asyncio.run(scores(reward_fn(verifier), "p", ["3", "9"]))
    [said] = [one for one in caplog.messages if "took" in one]
    assert float(said.split(" took ")[1].split()[0]) == len("9 against 3 \\boxed{Assistant 1}")


def test_a_group_that_cannot_be_judged_frees_everybody(verifier: Any) -> None:
    verifier.file = "nowhere.yaml"

    async def work() -> list[Any]:
        asked = (verifier.async_call([1], text, "", query="p") for text in ("1", "2"))
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)

    assert all("no such file" in str(error) for error in asyncio.run(work()))


def test_open_instruct_finds_it_by_itself(verifier: Any) -> None:
    from open_instruct.ground_truth_utils import VerifierFunction

    assert type(verifier) in VerifierFunction.__subclasses__()
    made = type(verifier)(type(verifier).get_config_class().from_args(SimpleNamespace()))
    assert (made.name, made.weight) == ("adjudge", 1.0)
    assert pickle.loads(pickle.dumps(made)).file == verifier.file, "it travels to Ray's actors"


def test_mistakes_are_told(verifier: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be called alone"):
        verifier([1], "9", "")
    with pytest.raises(ConfigError, match="without the prompt"):
        asyncio.run(verifier.async_call([1], "9", ""))
    verifier.file = ""
    with pytest.raises(ConfigError, match="set ADJUDGE_REWARD"):
        asyncio.run(verifier.async_call([1], "9", "", query="p"))
