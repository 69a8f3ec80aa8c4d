"""OpenRLHF's own executors, rollout actor and dynamic filter with a judge as the reward: each group is judged as one call would judge it.

Runs where openrlhf, aiohttp and ray are installed (docs/rewards/openrlhf.md). vLLM is not there: a package of its name has what is
imported, and a rollout actor that replays texts stands in its place.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
pytest.importorskip("openrlhf", reason="openrlhf is not installed")
pytest.importorskip("ray", reason="ray is not installed")

from adjudge import ConfigError, DataError
from adjudge_rewards import SampleReward, open_reward
from adjudge_rewards.openrlhf import agent_executor, reward_func

GROUPS = {"37+48": ["75", "85", "86", "85", "95", "84", "85", "58"], "12+30": ["42", "52", "41", "42"], "20+21": ["41"]}


@pytest.fixture(scope="module")
def tokenizer(embedded: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(embedded)


VLLM = {"__init__": "from types import SimpleNamespace as SamplingParams", "inputs": "TokensPrompt = dict", "utils": "random_uuid = None"}
ENGINE = """
import asyncio, random
from types import SimpleNamespace
from openrlhf.trainer.ray.vllm_engine import RolloutRayActor, _load_agent_executor

class Engine(RolloutRayActor.__ray_metadata__.modified_class):
    def __init__(self, executor, tokenizer, asked):
        self.executor = _load_agent_executor(executor) if isinstance(executor, str) else executor
        self.tokenizer, self.rng, self.texts = tokenizer, random.Random(0), {}
        for prompt, _, texts in asked:
            self.texts.setdefault(tuple(tokenizer(prompt, add_special_tokens=False).input_ids), []).extend(texts)

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        await asyncio.sleep(0.02 * self.rng.random())
        tokens = self.tokenizer(self.texts[tuple(prompt_token_ids)].pop(0), add_special_tokens=False).input_ids
        tokens = [*tokens, self.tokenizer.eos_token_id]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)])
"""


@pytest.fixture(scope="module")
def rollout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """OpenRLHF's module of the rollout actor, which imports vLLM, and on the path an actor of it that replays texts."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "vllm").mkdir()
    for name, text in VLLM.items():
        (folder / "vllm" / f"{name}.py").write_text(text)
    (folder / "replaying.py").write_text(ENGINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        from openrlhf.trainer.ray import vllm_engine

        yield vllm_engine


@pytest.fixture
def reward_file(tmp_path: Path) -> Callable[..., Path]:
    def write(more: str = "") -> Path:
        file = tmp_path / "reward.yaml"
        file.write_text(f"model: adjudge_arithmetic:model\naggregator: round-robin\n{more}")
        return file

    return write


def chat(question: str) -> str:
    """A prompt as OpenRLHF makes it, with marks that are a chat template's."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


Asked: TypeAlias = list[tuple[str, Any, list[str]]]


def call(asked: Asked, tokenizer: Any) -> list[tuple[Any, ...]]:
    """The arguments of a rollout actor's ``generate_responses`` for each prompt."""
    return [(prompt, label, SimpleNamespace(max_tokens=16, logprobs=None), 512, tokenizer, len(texts)) for prompt, label, texts in asked]


def generated(executor: Any, tokenizer: Any, asked: Asked) -> list[list[dict[str, Any]]]:
    """What the rollout actor gives for prompts with labels that come at the same time; completions end in any order."""
    from replaying import Engine

    async def main() -> Any:
        engine = Engine(executor(), tokenizer, asked)
        return await asyncio.gather(*(engine.generate_responses(*one) for one in call(asked, tokenizer)))

    found: list[list[dict[str, Any]]] = asyncio.run(main())
    return found


def answers(tokenizer: Any, responses: list[dict[str, Any]]) -> list[str]:
    """What was generated, in the order of the responses."""
    spans = [(one["observation_tokens"], *one["action_ranges"][0]) for one in responses]
    return [tokenizer.decode(tokens[start:end], skip_special_tokens=True) for tokens, start, end in spans]


def wanted(file: Path, question: str, texts: list[str], **more: Any) -> list[SampleReward]:
    with open_reward(file) as reward:
        return reward.judged([question] * len(texts), texts, **more)


def test_the_executor_gives_each_sample_its_place_in_its_group(rollout: Any, tokenizer: Any, reward_file: Any) -> None:
    """Groups of eight, four and one at the same time, as training and evaluation have them; nobody says how many."""
    file = reward_file()
    asked = [(chat(question), {"prompt": question}, texts) for question, texts in GROUPS.items()]
    for (question, texts), responses in zip(
        GROUPS.items(), generated(agent_executor(file, collect_seconds=60), tokenizer, asked), strict=True
    ):
        found = answers(tokenizer, responses)
        assert sorted(found) == sorted(texts)
        values = [0.0 if one.value is None else one.value for one in wanted(file, question, found)]
        assert [one["reward"] for one in responses] == pytest.approx(values)
        assert [one["scores"] for one in responses] == [0.5] * len(texts)
        logs = [one["extra_logs"] for one in responses]
        assert [one["adjudge_undecided"] for one in logs] == [float(len(texts) == 1)] * len(texts)
        assert {tuple(one) for one in logs} == {("adjudge_undecided", "adjudge_absolute", "adjudge_tokens", "adjudge_seconds")}
        assert all((one["adjudge_tokens"] > 0) == (len(texts) > 1) for one in logs)


def test_one_prompt_in_two_rows_is_two_groups(rollout: Any, tokenizer: Any, reward_file: Any) -> None:
    file = reward_file()
    two = [(chat("37+48"), {"prompt": "37+48"}, GROUPS["37+48"][:4]), (chat("37+48"), {"prompt": "37+48"}, GROUPS["37+48"][4:])]
    for responses in generated(agent_executor(file, collect_seconds=60), tokenizer, two):
        values = [one.value for one in wanted(file, "37+48", answers(tokenizer, responses))]
        assert [one["reward"] for one in responses] == pytest.approx(values)


def test_undecided_ones_have_the_mean_of_their_group(rollout: Any, tokenizer: Any, reward_file: Any) -> None:
    file = reward_file("budget: 2\ncache: false\n")
    [responses] = generated(agent_executor(file), tokenizer, [(chat("12+30"), {"prompt": "12+30"}, ["42", "52", "41", "24", "32"])])
    known = [one["reward"] for one in responses if not one["extra_logs"]["adjudge_undecided"]]
    undecided = [one["reward"] for one in responses if one["extra_logs"]["adjudge_undecided"]]
    assert known
    assert undecided
    assert undecided == pytest.approx([sum(known) / len(known)] * len(undecided))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The files that the documentation shows, with a group of eight, in a folder with a reward."""
    text = (Path(__file__).parents[3] / "docs" / "rewards" / "openrlhf.md").read_text()
    monkeypatch.chdir(tmp_path)
    files = {name: str(tmp_path / name) for name in ("agent.py", "reward.py")}
    for name, body in re.findall(r"```py\n# (\w+\.py)\n(.*?)```", text, re.DOTALL):
        Path(files[name]).write_text(body)
    return files


def test_the_executor_is_loaded_from_its_file(rollout: Any, reward_file: Any, page: dict[str, str]) -> None:
    from openrlhf.utils.agent import AgentExecutorBase

    with pytest.raises(ConfigError, match="no such file"):
        rollout._load_agent_executor(page["agent.py"])
    reward_file()
    assert isinstance(rollout._load_agent_executor(page["agent.py"]), AgentExecutorBase)


def test_a_reward_function_waits_for_more_siblings_than_asyncio_has_threads(
    rollout: Any, tokenizer: Any, reward_file: Any, page: dict[str, str]
) -> None:
    """OpenRLHF calls it with one completion, in a thread of the loop's own; a label says how large the group of an evaluation is."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    file = reward_file()
    texts, several = GROUPS["37+48"], 6
    asked: Asked = [(chat(f"{n}+48"), {"prompt": f"{n}+48"}, list(texts)) for n in range(37, 37 + several)]
    asked.append((chat("20+21"), {"prompt": "20+21", "group_size": 1}, ["41"]))

    class Loaded(SingleTurnAgentExecutor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(page["reward.py"])

    *groups, alone = generated(Loaded, tokenizer, asked)
    assert [one["extra_logs"]["adjudge_undecided"] for one in alone] == [1.0]
    for (_, label, _), responses in zip(asked, groups, strict=False):
        values = [one.value for one in wanted(file, label["prompt"], answers(tokenizer, responses))]
        assert [one["reward"] for one in responses] == pytest.approx(values)
        assert [one["extra_logs"]["adjudge_undecided"] for one in responses] == [0.0] * 8


def test_a_query_is_its_prompt_and_the_completion(reward_file: Any) -> None:
    file = reward_file("anchor: solution\nreward: win-rate\n")
    call, prompt, label = reward_func(file, group_size=1), chat("12+30"), {"prompt": "12+30", "solution": "52"}
    [one] = wanted(file, "12+30", ["42"], anchors=["52"])
    for query in (f"{prompt}42<|im_end|>\n", f"{prompt[5:]}42</s>"):  # a prompt that is too long loses its beginning
        told = call([query], [prompt], [label])
        assert (told["rewards"], told["scores"], told["extra_logs"]["adjudge_undecided"]) == (one.value, one.absolute, 0.0)
    with pytest.raises(DataError, match="does not begin with its prompt"):
        call(["something else 42"], [prompt], [label])


def test_a_label_that_is_a_text_is_the_reference_answer(reward_file: Any) -> None:
    file = reward_file("anchor: label\nreward: win-rate\n")
    [one] = wanted(file, "12+30", ["42"], anchors=["52"])
    told = reward_func(file, group_size=1)(["12+3042"], ["12+30"], ["52"])
    assert (told["rewards"], told["scores"]) == (one.value, one.absolute)


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


def kept(rollout: Any, groups: list[list[dict[str, Any]]]) -> int:
    """How many groups OpenRLHF's dynamic filter keeps, by its own code and its defaults."""
    import ray
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    class Answered(SamplesGenerator):  # type: ignore[misc]
        def __init__(self) -> None:
            self.args = SimpleNamespace(algo=SimpleNamespace(dynamic_filtering_range=(0, 1)))

        def _dispatch_prompts_to_vllm(self, prompts: Any, labels: Any, **more: Any) -> Any:
            return [ray.put(groups[int(prompt)]) for prompt in prompts]

    rows = iter([[["set"], [str(number)], [""], [None]] for number in range(len(groups))])
    experiences, *_ = Answered()._generate_vllm(rows, num_prompts=len(groups), dynamic_filtering=True)
    assert all(set(one.info) >= {"reward", "score", "adjudge_undecided", "adjudge_tokens", "adjudge_seconds"} for one in experiences)
    return sum(1 for group in groups for one in experiences if one.prompts[0] == group[0]["prompt"]) // len(groups[0])


@pytest.mark.slow
def test_groups_on_an_actor_of_ray(local_ray: None, rollout: Any, tokenizer: Any, reward_file: Any, page: dict[str, str]) -> None:
    """Two rows of one prompt, and an evaluation's sample alone, in the actor that OpenRLHF runs and with the file of the documentation."""
    import ray
    from replaying import Engine

    file = reward_file()
    Path(page["agent.py"]).write_text(Path(page["agent.py"]).read_text().replace("reward.yaml", str(file)))
    two = GROUPS["37+48"]
    asked: Asked = [(chat("37+48"), {"prompt": "37+48"}, two[:4]), (chat("37+48"), {"prompt": "37+48"}, two[4:])]
    asked.append((chat("20+21"), {"prompt": "20+21"}, ["41"]))
    actor = ray.remote(Engine).remote(page["agent.py"], tokenizer, asked)
    *groups, [alone] = ray.get([actor.generate_responses.remote(*one) for one in call(asked, tokenizer)])
    for responses in groups:
        values = [one.value for one in wanted(file, "37+48", answers(tokenizer, responses))]
        assert [one["reward"] for one in responses] == pytest.approx(values)
    assert alone["extra_logs"]["adjudge_undecided"] == 1.0
    ray.kill(actor)


@pytest.mark.slow
def test_the_dynamic_filter_looks_at_absolute_scores(local_ray: None, rollout: Any, tokenizer: Any, reward_file: Any) -> None:
    texts = ["42", "52", "41", "24"]
    asked: Asked = [(chat(f"{n}+30"), {"prompt": f"{n}+30"}, list(texts)) for n in (12, 13, 14, 15)]
    groups = generated(agent_executor(reward_file()), tokenizer, asked)
    assert kept(rollout, groups) == 4, "without anchors nothing says that a prompt is too easy or too hard"
    relative = [[{**one, "scores": one["reward"]} for one in group] for group in groups]
    assert kept(rollout, relative) < 4, "rewards around 0 are what the filter takes for prompts that nobody can solve"

    file = reward_file("anchor: solution\n")
    anchored = [
        (prompt, {**label, "solution": anchor}, texts)
        for (prompt, label, texts), anchor in zip(asked, ["42", "42", "43", "43"], strict=True)
    ]
    groups = generated(agent_executor(file), tokenizer, anchored)
    means = []
    for (_, label, _), responses in zip(anchored, groups, strict=True):
        found = answers(tokenizer, responses)
        scores = [one.absolute for one in wanted(file, label["prompt"], found, anchors=[[label["solution"]]] * len(found))]
        assert [one["scores"] for one in responses] == pytest.approx(scores)
        means.append(sum(one for one in scores if one is not None) / len(scores))
    assert kept(rollout, groups) == sum(0 < mean < 1 for mean in means)
