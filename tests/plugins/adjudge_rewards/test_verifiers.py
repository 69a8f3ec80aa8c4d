"""verifiers with a judge as its reward: ``vf-eval`` end to end against an endpoint on this machine, attempts ranked, failures left out.

Runs where verifiers is installed, which has an environment of its own (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verifiers", reason="verifiers is not installed")

from adjudge_rewards import open_reward

ANSWERS = {
    "37+48": ["75", "85", "86", "85"],
    "12+30": ["42", "FAIL", "41", "52"],
    "20+20": ["40", "FAIL", "FAIL", "FAIL"],
    "1+1": ["I do not know."],
}
"""What the endpoint says to each prompt, one after the other; FAIL is a request that it refuses."""
TASKSET = """
import verifiers.v1 as vf

class Sum(vf.TaskData):
    solution: str

class SumTask(vf.Task[Sum]):
    @vf.reward
    async def short(self, trace) -> float:
        return float(len(trace.last_reply) == 2)

class Sums(vf.Taskset[SumTask]):
    def load(self):
        for prompt in PROMPTS:
            yield SumTask(Sum(prompt=prompt, solution=str(sum(map(int, prompt.split("+"))))), self.config.task)

__all__ = ["Sums"]
"""


class Endpoint(BaseHTTPRequestHandler):
    """Streams the next answer to a prompt, as OpenAI's chat completions."""

    asked: Counter[str] = Counter()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = str(body["messages"][-1]["content"])
        text = ANSWERS[prompt][self.asked[prompt] % len(ANSWERS[prompt])]
        self.asked[prompt] += 1
        self.send_response(400 if text == "FAIL" else 200)
        self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
        self.end_headers()
        head = {"id": "1", "created": 1, "model": "policy", "object": "chat.completion.chunk"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        if text == "FAIL":
            self.wfile.write(b'{"error": {"message": "refused", "type": "invalid_request_error"}}')
        elif body.get("stream"):
            said = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
            ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
            for part in ({"choices": [said]}, {"choices": [ended]}, {"choices": [], "usage": usage}):
                self.wfile.write(f"data: {json.dumps({**head, **part})}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
        else:
            said = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self.wfile.write(json.dumps({**head, "object": "chat.completion", "choices": [said], "usage": usage}).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


@pytest.fixture
def evaluate(tmp_path: Path, endpoint: str) -> Callable[..., list[dict[str, Any]]]:
    """Runs ``vf-eval`` on these prompts; returns the episodes that it wrote."""

    def call(prompts: list[str], *options: str, reward: str = "aggregator: round-robin\nreward: win-rate\n") -> list[dict[str, Any]]:
        (tmp_path / "reward.yaml").write_text(f"model: adjudge_arithmetic:model\n{reward}")
        (tmp_path / "ranked_sums.py").write_text('from adjudge_rewards.verifiers import RankedEnv\n\n__all__ = ["RankedEnv"]\n')
        (tmp_path / "judged_sums.py").write_text('from adjudge_rewards.verifiers import AnchorJudge\n\n__all__ = ["AnchorJudge"]\n')
        (tmp_path / "sums_taskset.py").write_text(f"PROMPTS = {prompts}\n{TASKSET}")
        command = [
            str(Path(sys.executable).parent / "vf-eval"), "sums_taskset", "--model", "policy", "--client.base-url", endpoint,
            "--client.api-key-var", "POLICY_KEY", "--env.agent.harness.id", "null", "--env.agent.runtime.type", "subprocess",
            "--no-push", "--no-rich", "--output-dir", "out", "--run.name", "run", *options,
        ]  # fmt: skip
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "POLICY_KEY": "none", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        [written] = (tmp_path / "out").rglob("traces.jsonl")
        found = [json.loads(line) for line in written.read_text().splitlines()]
        shutil.rmtree(tmp_path / "out")
        return found

    return call


NO_NUMBER = """
from typing import Literal
from adjudge import Aggregator, Match, Ranking, hookimpl

class NoNumber(Aggregator):
    use: Literal["no-number"] = "no-number"

    def tournament(self, size, seed):
        yield [Match(0, 1)]
        return Ranking(tuple(range(size)), (float("nan"),) * size)

@hookimpl
def register_aggregators():
    return [NoNumber]
"""


def replies(episode: dict[str, Any]) -> list[str]:
    """What the attempts said that were answered at all."""
    return [trace["nodes"][-1]["message"]["content"] for trace in episode["traces"] if trace["nodes"]]


@pytest.mark.slow
def test_vf_eval_ranks_the_attempts_at_a_task(evaluate: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    episodes = evaluate(["37+48", "12+30"], "--env.id", "ranked_sums", "--env.n", "4", "--env.weight", "2")
    by_prompt = {episode["task"]["data"]["prompt"]: episode for episode in episodes}
    assert len(by_prompt) == 2
    whole, partly = by_prompt["37+48"], by_prompt["12+30"]
    with open_reward(tmp_path / "reward.yaml") as reward:
        wanted = reward(["37+48"] * 4, replies(whole))
        assert [trace["rewards"]["adjudge"]["score"] for trace in whole["traces"]] == wanted
        assert len(set(wanted)) > 1
        ended = [trace for trace in partly["traces"] if trace["ok"]]
        among_themselves = reward(["12+30"] * 3, replies({"traces": ended}))
        assert [trace["rewards"]["adjudge"]["score"] for trace in ended] == among_themselves
    assert whole["ok"]
    assert all(trace["metrics"]["adjudge_tokens"] > 0 for trace in whole["traces"])
    assert all(trace["rewards"]["short"]["score"] == 1.0 and trace["rewards"]["adjudge"]["weight"] == 2.0 for trace in whole["traces"])
    assert len(partly["traces"]) == 4
    assert len(ended) == 3
    assert [trace["rewards"]["adjudge"] for trace in partly["traces"] if not trace["ok"]] == [None]
    assert len({tuple(sorted(trace["metrics"])) for trace in whole["traces"] + partly["traces"]}) == 1, "the same metrics for every sample"


@pytest.mark.slow
def test_who_cannot_be_judged_is_an_error_and_has_no_number(evaluate: Callable[..., list[dict[str, Any]]]) -> None:
    """One alone in its group: verifiers would read a missing reward as 0, were the trace not marked."""
    [episode] = evaluate(["20+20"], "--env.id", "ranked_sums", "--env.n", "4")
    [alone] = [trace for trace in episode["traces"] if trace["nodes"]]
    assert not alone["ok"]
    assert not episode["ok"]
    assert alone["rewards"]["adjudge"] is None
    assert alone["metrics"]["adjudge_undecided"] == 1.0
    assert "the only completion of its prompt" in alone["errors"][-1]["message"]


@pytest.mark.slow
def test_a_reward_of_the_task_is_not_replaced(evaluate: Callable[..., list[dict[str, Any]]]) -> None:
    [episode] = evaluate(["37+48"], "--env.id", "ranked_sums", "--env.n", "2", "--env.name", "short")
    assert not episode["ok"]
    assert "has a reward 'short' already" in episode["errors"][-1]["message"]


@pytest.mark.slow
def test_an_aggregator_that_returns_nan_is_an_error_and_no_reward(evaluate: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    """verifiers itself takes NaN for a reward, and hands it on to the trainer."""
    info = tmp_path / "no_number-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: no-number\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[adjudge]\nno-number = no_number\n")
    (tmp_path / "no_number.py").write_text(NO_NUMBER)
    [episode] = evaluate(["37+48"], "--env.id", "ranked_sums", "--env.n", "2", reward="aggregator: no-number\nreward: rating\n")
    assert not episode["ok"]
    said = json.dumps([*episode["errors"], *(error for trace in episode["traces"] for error in trace["errors"])])
    assert "no-number" in said
    assert all(trace["rewards"].get("adjudge") is None for trace in episode["traces"])


@pytest.mark.slow
def test_a_reward_of_the_task_that_is_not_async_is_verifiers_error_and_leaves_its_attempt_out(
    evaluate: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours are async; a task's own that is not fails every attempt, and none is ranked or has a number."""
    monkeypatch.setattr(sys.modules[__name__], "TASKSET", TASKSET.replace("async def short", "def short"))
    [episode] = evaluate(["37+48"], "--env.id", "ranked_sums", "--env.n", "2")
    assert not any(trace["ok"] for trace in episode["traces"])
    assert all("TaskError" in json.dumps(trace["errors"]) for trace in episode["traces"])
    assert all(trace["rewards"].get("adjudge") is None for trace in episode["traces"])


@pytest.mark.slow
def test_a_judge_compares_each_attempt_with_the_reference(evaluate: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    how = "aggregator: round-robin\nreward: win-rate\nanchor: solution\n"
    judges = json.dumps([{"id": "judged_sums", "reward": "reward.yaml"}])
    episodes = evaluate(["37+48"], "-r", "4", "--env.taskset.task.judges", judges, reward=how)
    traces = [trace for episode in episodes for trace in episode["traces"]]
    with open_reward(tmp_path / "reward.yaml") as reward:
        texts = [reply for episode in episodes for reply in replies(episode)]
        wanted = [one.absolute for one in reward.judged(["37+48"] * 4, texts, groups=[0, 1, 2, 3], anchors=["85"] * 4)]
    assert [trace["rewards"]["judged_sums"]["score"] for trace in traces] == wanted
    assert len(set(wanted)) > 1


@pytest.mark.slow
def test_a_verdict_that_cannot_be_read_is_an_error_too(evaluate: Callable[..., list[dict[str, Any]]]) -> None:
    """Of a judge that is cut off. verifiers would read 0, were the attempt not marked."""
    how = "aggregator: round-robin\nreward: win-rate\nanchor: solution\njudge: {max_new_tokens: 1}\n"
    judges = json.dumps([{"id": "judged_sums", "reward": "reward.yaml"}])
    [episode] = evaluate(["37+48"], "--env.taskset.task.judges", judges, reward=how)
    [trace] = episode["traces"]
    assert not trace["ok"]
    assert trace["rewards"]["judged_sums"] is None
    assert "the attempt has no reward" in trace["errors"][-1]["message"]


def test_a_prompt_of_messages_is_shown_with_who_speaks() -> None:
    import verifiers.v1 as vf

    from adjudge import ConfigError, DataError
    from adjudge_rewards.verifiers import asked, references

    said = [vf.UserMessage(content="37+48"), vf.AssistantMessage(content="75"), vf.UserMessage(content="again")]
    turns = [("system", "Be brief."), ("user", "37+48"), ("assistant", "75"), ("user", "again")]
    assert asked(vf.TaskData(prompt=said, system_prompt="Be brief.")) == [{"role": role, "content": text} for role, text in turns]
    assert asked(vf.TaskData(prompt="37+48")) == "37+48"
    with pytest.raises(DataError, match="has no prompt"):
        asked(vf.TaskData())
    assert references(vf.TaskData(prompt="p", name="85"), "name") == ["85"]
    with pytest.raises(ConfigError, match="no field 'solution'"):
        references(vf.TaskData(prompt="p"), "solution")
