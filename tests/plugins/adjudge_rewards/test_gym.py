"""NeMo Gym's own agent against a resources server that judges groups: rollouts, places, retries, masks, and what a row gets wrong.

Runs where Gym's source is on the path with what it imports (docs/rewards/gym.md). The policy is a server that replays texts.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nemo_gym.base_resources_server", reason="NeMo Gym's source, or what it imports, is not there")
pytest.importorskip("responses_api_agents.simple_agent.app", reason="NeMo Gym's agents are not there")

from fastapi import FastAPI, Request

from adjudge_rewards import open_reward
from adjudge_rewards.gym import AdjudgeConfig, AdjudgeResourcesServer

TEXTS = ["75", "85", "86", "85"]
COLLECTOR = """
import asyncio, json, sys
from nemo_gym import global_config
from nemo_gym.config_types import BaseServerConfig
from nemo_gym.rollout_collection import RolloutCollectionConfig, RolloutCollectionHelper
from nemo_gym.server_utils import ServerClient
from omegaconf import OmegaConf

places, rows, out = sys.argv[1:]
client = ServerClient(
    head_server_config=BaseServerConfig(host="127.0.0.1", port=1), global_config_dict=OmegaConf.create(json.loads(places))
)
global_config._GLOBAL_CONFIG_DICT = client.global_config_dict

class Collector(RolloutCollectionHelper):
    def setup_server_client(self, head_server_config=None):
        return client

config = RolloutCollectionConfig(agent_name="agent", input_jsonl_fpath=rows, output_jsonl_fpath=out, num_repeats=4)
asyncio.run(Collector().run_from_config(config))
"""
"""Gym's own, in a process of its own; what is replaced is the head server, which would say where the others are."""


class Served:
    """An application behind a port of its own."""

    def __init__(self) -> None:
        import socket

        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def start(self, app: Any) -> None:
        import uvicorn

        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)


def policy() -> Any:
    """A model server that says the text that its request's metadata has, or the next of several, after a while."""
    app, rng, asked = FastAPI(), random.Random(0), Counter[str]()

    @app.post("/v1/responses")
    async def responses(request: Request) -> dict[str, Any]:
        body = await request.json()
        await asyncio.sleep(0.05 * rng.random())
        texts = body["metadata"]["text"].split()
        asked[body["metadata"]["text"]] += 1
        said = texts[asked[body["metadata"]["text"]] % len(texts)]
        part = {"type": "output_text", "text": said, "annotations": []}
        message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        return {
            "id": "r", "object": "response", "created_at": 0, "model": "replay", "output": [message], "tools": [],
            "tool_choice": "auto", "parallel_tool_calls": True,
        }  # fmt: skip

    return app


def adjudge_serve(file: Path, port: int) -> subprocess.Popen[str]:
    """A server that answers already."""
    command = [sys.executable, "-m", "adjudge", "serve", str(file), "--port", str(port), "--group-size", "4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=file.parent)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Serving at ")
    return process


@pytest.fixture
def rolled_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[tuple[int, Any]]]]:
    """Has Gym's agent run rows at the same time; gives each one's status and what it says."""
    from nemo_gym import global_config, server_utils
    from nemo_gym.config_types import BaseServerConfig
    from nemo_gym.server_utils import ServerClient
    from omegaconf import OmegaConf
    from responses_api_agents.simple_agent.app import SimpleAgent, SimpleAgentConfig

    served = {name: Served() for name in ("agent", "policy", "judge")}
    kinds = {"agent": "responses_api_agents", "policy": "responses_api_models", "judge": "resources_servers"}
    places = {name: {kinds[name]: {name: {"host": "127.0.0.1", "port": one.port}}} for name, one in served.items()}
    client = ServerClient(head_server_config=BaseServerConfig(host="127.0.0.1", port=1), global_config_dict=OmegaConf.create(places))
    shared = {"host": "127.0.0.1", "entrypoint": "app.py"}
    monkeypatch.setattr(global_config, "_GLOBAL_CONFIG_DICT", client.global_config_dict)
    monkeypatch.setattr(server_utils, "_GLOBAL_AIOHTTP_CLIENT", None)  # which belongs to the event loop of the test before

    processes: list[subprocess.Popen[str]] = []

    def start(more: str, http: bool = False, **settings: Any) -> None:
        file = tmp_path / "reward.yaml"
        file.write_text(f"model: adjudge_arithmetic:model\naggregator: round-robin\n{more}")
        values = {**shared, "port": served["judge"].port, "name": "judge", "reward": str(file), "num_rollouts_per_prompt": 4, **settings}
        judge = AdjudgeResourcesServer(config=AdjudgeConfig(**values), server_client=client)
        others = {f"{kind}_server": {"type": kinds[name], "name": name} for kind, name in (("resources", "judge"), ("model", "policy"))}
        agent = SimpleAgent(config=SimpleAgentConfig(**shared, port=served["agent"].port, name="agent", **others), server_client=client)
        app = agent.setup_webserver()
        agent.setup_exception_middleware(app)
        for name, one in (("policy", policy()), ("agent", app)):
            served[name].start(one)
        if not http:
            return served["judge"].start(judge.setup_webserver())
        served["judge"].socket.close()
        return processes.append(adjudge_serve(file, served["judge"].port))

    def run(rows: list[dict[str, Any]], more: str = "", path: str = "/run", **settings: Any) -> list[tuple[int, Any]]:
        import aiohttp

        if not hasattr(served["agent"], "thread"):
            start(more, **settings)

        async def one(session: Any, row: dict[str, Any]) -> tuple[int, Any]:
            async with session.post(f"http://127.0.0.1:{served['agent'].port}{path}", json=row) as response:
                return response.status, await response.json(content_type=None) if response.status == 200 else await response.text()

        async def main() -> list[tuple[int, Any]]:
            async with aiohttp.ClientSession() as session:
                while True:
                    try:
                        await session.get(f"http://127.0.0.1:{served['agent'].port}/")
                        break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.05)
                return await asyncio.gather(*(one(session, row) for row in rows))

        return asyncio.run(main())

    run.start, run.places = start, places  # type: ignore[attr-defined]
    yield run
    if (session := server_utils._GLOBAL_AIOHTTP_CLIENT) is not None:
        asyncio.run_coroutine_threadsafe(session.close(), session._loop).result(30)
    for one in served.values():
        if hasattr(one, "thread"):
            one.stop()
    for process in processes:
        process.terminate()
        process.wait(30)


def collected(rolled_out: Any, folder: Path, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rollouts and the metrics that Gym's collector writes of these rows, four of each, with `adjudge serve`."""
    rolled_out.start("", http=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [json.dumps(rolled_out.places), str(folder / "rows.jsonl"), str(folder / "rollouts.jsonl")]
    done = subprocess.run([sys.executable, "-c", COLLECTOR, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    [metrics] = json.loads((folder / "rollouts_aggregate_metrics.json").read_text())
    return [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()], metrics


def rows_of(texts: list[str], question: str = "37+48", **more: Any) -> list[dict[str, Any]]:
    """Rollouts of one prompt, as Gym's collector hands them to an agent."""
    return [
        {"responses_create_params": {"input": [{"role": "user", "content": question}], "metadata": {"text": text}}, **more}
        for text in texts
    ]


def placed(rows: list[dict[str, Any]], group: str, attempt: int = 0) -> list[dict[str, Any]]:
    return [{**row, "_ng_group_id": group, "_ng_group_attempt": attempt, "_ng_rollout_index": place} for place, row in enumerate(rows)]


def wanted(texts: list[str], question: str = "37+48") -> list[Any]:
    with open_reward({"model": "adjudge_arithmetic:model", "aggregator": "round-robin"}) as reward:
        return reward([question] * len(texts), texts)


def test_the_agent_gets_each_rollout_its_place_in_its_group(rolled_out: Any) -> None:
    """Two groups by their names, one by its task; all under way at the same time, in any order."""
    other, third = ["42", "52", "41", "42"], ["41", "14"]
    rows = [*placed(rows_of(TEXTS), "a"), *placed(rows_of(other, "12+30"), "b"), *rows_of(third, "20+21", _ng_task_index=7, group_size=2)]
    order = random.Random(1).sample(range(len(rows)), len(rows))
    found = dict(zip(order, rolled_out([rows[place] for place in order]), strict=True))
    values = [*wanted(TEXTS), *wanted(other, "12+30"), *wanted(third, "20+21")]
    assert [found[place][0] for place in range(len(rows))] == [200] * len(rows), found[0][1]
    assert [found[place][1]["reward"] for place in range(len(rows))] == pytest.approx(values)
    assert {found[place][1]["mask_sample"] for place in range(len(rows))} == {False}


def test_a_rollout_that_is_sent_again_has_its_reward_and_no_other_takes_its_place(rolled_out: Any) -> None:
    rows = placed(rows_of(TEXTS), "a")
    values = wanted(TEXTS)
    assert [said["reward"] for _, said in rolled_out([*rows, rows[2]])] == pytest.approx([*values, values[2]])
    assert [said["reward"] for _, said in rolled_out([rows[0]])] == pytest.approx([values[0]]), "judged already"
    [(status, said)] = rolled_out([{**placed(rows_of(["99"]), "a")[0]}])
    assert status >= 400, "the agent takes a 409 for a failed rollout"
    assert "another completion came as 0" in said
    again = rolled_out(placed(rows_of(["58", "85", "58", "58"]), "a", attempt=1))
    assert [said["reward"] for _, said in again] == pytest.approx(wanted(["58", "85", "58", "58"])), "a new attempt is a new group"
    [(status, said)] = rolled_out([{**rows[0], "_ng_rollout_index": 4}])
    assert status >= 400
    assert "a group of 4 has the places 0 to 3" in said


def test_undecided_rollouts_are_masked_and_have_the_mean_of_their_group(rolled_out: Any) -> None:
    rows = placed(rows_of(["75", "85", "86", "58"], instance_config={"kept": 1}), "a")
    found = [said for _, said in rolled_out(rows, "budget: 1\ncache: false\n")]
    known = [one["reward"] for one in found if not one["mask_sample"]]
    masked = [one for one in found if one["mask_sample"]]
    assert (len(known), len(masked)) == (2, 2)
    for one in masked:
        assert one["reward"] == pytest.approx(sum(known) / 2)
        assert (one["failure_kind"], one["_ng_failure_class"]) == ("undecided", "judge_failed")
        assert one["failure_reason"] == "the budget of matches ended before it was compared"
        assert one["instance_config"] == {"kept": 1, "mask_sample": True}
    assert all("failure_kind" not in one for one in found if not one["mask_sample"])


def test_a_group_that_does_not_come_is_masked_in_time(rolled_out: Any) -> None:
    [(status, one)] = rolled_out(placed(rows_of(["75"]), "a"), collect_seconds=0.2)
    assert (status, one["mask_sample"]) == (200, True)
    assert one["failure_reason"] == "1 of the 4 completions of its group came within 0.2 s"


def test_the_agent_takes_adjudge_serve_for_its_resources_server(rolled_out: Any) -> None:
    """``/seed_session``, ``/verify`` and, from Gym's collector, ``/aggregate_metrics``, over HTTP and through Gym's own agent."""
    from nemo_gym.config_types import AggregateMetrics

    other = ["42", "52", "41", "42"]
    rows = [*placed(rows_of(TEXTS, _ng_task_index=0), "a"), *placed(rows_of(other, "12+30", _ng_task_index=1), "b")]
    order = random.Random(2).sample(range(len(rows)), len(rows))
    found = dict(zip(order, rolled_out([rows[place] for place in order], http=True), strict=True))
    assert [found[place][0] for place in range(len(rows))] == [200] * len(rows), found[0][1]
    values = [*wanted(TEXTS), *wanted(other, "12+30")]
    assert [found[place][1]["reward"] for place in range(len(rows))] == pytest.approx(values)
    assert all(said["adjudge_tokens"] > 0 for _, said in found.values())
    replies = [{name: value for name, value in said.items() if name != "response"} for _, said in found.values()]
    [(status, told)] = rolled_out([{"verify_responses": replies}], path="/aggregate_metrics")
    assert status == 200, told
    metrics = AggregateMetrics.model_validate(told)
    assert metrics.key_metrics["mean/reward"] == pytest.approx(sum(values) / len(values))
    assert metrics.key_metrics["mean/masked"] == 0.0
    assert {one["_ng_task_index"] for one in metrics.group_level_metrics} == {0, 1}


def test_mistakes_are_told_when_the_server_starts(rolled_out: Any) -> None:
    with pytest.raises(ValueError, match="no such file"):
        rolled_out([], reward="/nowhere/reward.yaml")
    with pytest.raises(ValueError, match="a group meets in one process"):
        rolled_out([], num_workers=2)


def test_gym_reads_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its command line starts a server: by the name of its place in the configuration."""
    from nemo_gym import global_config
    from omegaconf import OmegaConf

    [block] = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[3] / "docs" / "rewards" / "gym.md").read_text(), re.DOTALL)
    settings = OmegaConf.create(block)
    settings.judge.resources_servers.adjudge |= {"host": "127.0.0.1", "port": 1}
    monkeypatch.setattr(global_config, "_GLOBAL_CONFIG_DICT", settings)
    monkeypatch.setenv(global_config.NEMO_GYM_CONFIG_PATH_ENV_VAR_NAME, "judge")
    found = AdjudgeResourcesServer.load_config_from_global_config()
    assert isinstance(found, AdjudgeConfig)
    assert (found.reward, found.num_rollouts_per_prompt, found.name) == ("/path/reward.yaml", 8, "judge")


def test_gyms_collector_rolls_out_and_writes_down_what_the_judge_took(rolled_out: Any, tmp_path: Path) -> None:
    other = ["42", "52", "41", "42"]
    rollouts, metrics = collected(rolled_out, tmp_path, [*rows_of([" ".join(TEXTS)]), *rows_of([" ".join(other)], "12+30")])
    assert len(rollouts) == 8
    values = [*wanted(TEXTS), *wanted(other, "12+30")]
    assert sorted(one["reward"] for one in rollouts) == pytest.approx(sorted(values))
    assert metrics["agent_ref"] == {"name": "agent"}
    assert metrics["key_metrics"] == {"mean/reward": pytest.approx(sum(values) / 8), "mean/masked": 0.0}
    tokens = [one["adjudge_tokens"] for one in rollouts]
    assert metrics["agent_metrics"]["mean/adjudge_tokens"] == pytest.approx(sum(tokens) / 8)
    assert min(tokens) > 0
    assert [one["_ng_task_index"] for one in metrics["group_level_metrics"]] == [0, 1]
