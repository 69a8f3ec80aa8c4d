"""An endpoint that fails in every way it can: every call ends typed, none is lost, none is invented, and a killed job goes on."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest
from transformers import AutoTokenizer

from adjudge_engines import OpenAiEngine

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
SHARE = 0.2
KEY = "sk-never-to-be-seen-0123456789"
FIRST = "the first of all"
VERDICT = "7+8=15 carry 1\n\\boxed{Assistant 1}"


def faults(endpoint: Any, good: Any) -> dict[str, Any]:
    """One reply of every kind that is no answer; `good` is the one that would have been right."""
    reply = endpoint.Reply
    twice = json.loads(good.body)
    twice["choices"] *= 2
    other = json.loads(good.body)
    other["choices"][0]["message"]["content"] += " or not"
    return {
        "busy": reply(status=429, headers={"retry-after": "0.01"}),
        "busy without a word": reply("{}", status=429, headers={"retry-after": "soon"}),
        "broken": reply('{"error": {"message": "no"}}', status=500),
        "gateway": reply("<html>bad gateway</html>", status=502),
        "hangs": reply(good.body, delay=30.0),
        "cut": reply(good.body, cut=40),
        "cut before it began": reply(good.body, cut=-len(good.body)),
        "garbage": reply(good.body[: len(good.body) // 2]),
        "two choices": reply(json.dumps(twice)),
        "no choice": reply('{"choices": []}'),
        "another shape": reply('{"message": {"content": "fine"}}'),
        "no content": endpoint.chat(None),
        "no end": endpoint.chat("half an ans", ended=None),
        "empty": reply(""),
        **({"other tokens": reply(json.dumps(other))} if "token_ids" in good.body else {}),
    }


@pytest.mark.parametrize(("size", "exact"), [(300, False), (300, True), pytest.param(1500, False, marks=pytest.mark.slow)])
def test_with_a_fifth_of_all_replies_faulty_every_call_ends_typed(endpoint: Any, embedded: FilePath, size: int, exact: bool) -> None:
    """Also those whose tokens write another text than theirs, once an answer has shown that the tokenizer is the right one."""
    tokenizer = AutoTokenizer.from_pretrained(embedded)
    seen: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    answered: Counter[str] = Counter()

    def right(name: str) -> Any:
        text = f"{name} {hashlib.sha256(name.encode()).hexdigest()}"
        return endpoint.chat(text, choice={"token_ids": tokenizer(text)["input_ids"]} if exact else None)

    def behave(request: Any) -> Any:
        name = request.prompt
        seen[name] += 1
        chance = random.Random(f"{name} {seen[name]}")
        good = right(name)
        if name != FIRST and chance.random() < SHARE:
            kind, fault = chance.choice(sorted(faults(endpoint, good).items(), key=lambda item: item[0]))
            kinds[kind] += 1
            return fault
        answered[name] += 1
        return endpoint.Reply(good.body, delay=chance.choice([0.0, 0.0, 0.0, 0.02]))

    endpoint.behave = behave
    names = [f"prompt {number}" for number in range(size)]
    engine = OpenAiEngine(
        base_url=endpoint.url, model="m", concurrency=64, tries=2, first_wait=0.01, longest_wait=1.0, read_seconds=2.0,
        tokenizer=embedded if exact else None,
    )  # fmt: skip
    with engine.open(FilePath("x")) as session:
        settings: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 64}
        [(_, first)] = session.sample([[{"role": "user", "content": FIRST}]], seeds=[0], **settings)
        prompts = [[{"role": "user", "content": name}] for name in names]
        found = list(session.sample(prompts, seeds=range(size), **settings))
    assert first.error is None
    assert sorted(index for index, _ in found) == list(range(size)), "none lost, none twice"
    for index, one in found:
        name = names[index]
        if one.error is None:
            assert one.text == f"{name} {hashlib.sha256(name.encode()).hexdigest()}", "an answer is its own prompt's"
            assert one.token_ids == (tuple(tokenizer(one.text)["input_ids"]) if exact else ())
            assert answered[name]
        else:
            assert one.text == ""
            assert one.error
            assert seen[name] == 2, "failed after the last try and not before"
    failed = sum(one.error is not None for _, one in found) / size
    assert 0.01 < failed < 0.12, "a fifth of a fifth"
    assert ("other tokens" in kinds) == exact
    assert len(kinds) == len(faults(endpoint, right("x")))
    assert sum(kinds.values()) == pytest.approx(SHARE * sum(seen.values()), rel=0.25)


RUN = """
out: {out}
model: adjudge_arithmetic:model
judge: {{use: rrm, order: fixed, max_new_tokens: 64}}
engine: {{use: openai, base_url: "{url}", model: judge, concurrency: 8, tries: 2, first_wait: 0}}
data: {{use: arithmetic, size: 4}}
stages: []
evaluation: {{sets: {{held-out: {{use: arithmetic, part: test, size: {size}}}}}}}
reporters: []
"""


Start = Callable[[FilePath, str, int], subprocess.Popen[str]]


@pytest.fixture
def start(forks_of: Callable[..., type[subprocess.Popen[Any]]]) -> Start:
    """Begins a run of so many judgements by an endpoint."""
    forked = forks_of("adjudge.cli.app", "adjudge.run.run", "adjudge_engines.openai_client", "openai.lib.streaming.responses")

    def begin(tmp_path: FilePath, url: str, size: int) -> subprocess.Popen[str]:
        file = tmp_path / "run.yaml"
        file.write_text(RUN.format(out=tmp_path / "out", url=url, size=size))
        command, environment = [sys.executable, "-m", "adjudge", "run", str(file)], {**os.environ, "OPENAI_API_KEY": KEY}
        return forked(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return begin


def records(tmp_path: FilePath) -> list[dict[str, Any]]:
    lines = (tmp_path / "out" / "records" / "0-base-evaluation-held-out.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]


def test_a_killed_run_asks_only_for_what_it_has_not_got(endpoint: Any, tmp_path: FilePath, start: Start) -> None:
    size = 200
    endpoint.behave = lambda request: endpoint.Reply(endpoint.chat(VERDICT).body, delay=0.05)
    first = start(tmp_path, endpoint.url, size)
    deadline = time.monotonic() + 60
    while len(endpoint.requests) < size // 2 and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = records(tmp_path)
    assert 0 < len(kept) < size, "it was killed on its way"
    endpoint.requests.clear()
    second = start(tmp_path, endpoint.url, size)
    said, _ = second.communicate(timeout=120)
    assert second.returncode == 0, said
    done = records(tmp_path)
    assert done[: len(kept)] == kept
    assert len({row["id"] for row in done}) == len(done) == size
    assert {row["outcome"] for row in done} == {"first"}
    assert len(endpoint.requests) == size - len(kept)


def test_the_key_is_nowhere_to_be_found_afterwards(endpoint: Any, tmp_path: FilePath, start: Start) -> None:
    """Even though the endpoint repeats it in answers and in errors."""
    bad = endpoint.Reply(json.dumps({"error": {"message": f"Bearer {KEY} is over its limit"}}), status=503)
    good = endpoint.chat(f"{KEY} {VERDICT}")
    endpoint.behave = lambda request: bad if len(endpoint.requests) % 3 == 0 else good
    run = start(tmp_path, endpoint.url, 30)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert {request.headers["authorization"] for request in endpoint.requests} == {f"Bearer {KEY}"}, "it was sent"
    kept = [file for file in [*tmp_path.rglob("*"), *FilePath(os.environ["ADJUDGE_CACHE"]).rglob("*")] if file.is_file()]
    assert any("***" in file.read_text(errors="replace") for file in kept), "and was repeated"
    assert [file for file in kept if KEY in file.read_text(errors="replace")] == []
    assert KEY not in said


def test_an_endpoint_that_is_not_there_ends_the_run_with_a_reason(endpoint: Any, tmp_path: FilePath, start: Start) -> None:
    endpoint.close()
    run = start(tmp_path, endpoint.url, 30)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1, said
    assert "calls for evaluation-held-out that failed: 30 of 30" in said
    assert "Traceback" not in said


def test_a_wrong_key_ends_the_run_as_a_mistake_of_the_call(endpoint: Any, tmp_path: FilePath, start: Start) -> None:
    endpoint.behave = lambda request: endpoint.Reply(json.dumps({"error": {"message": f"no such key: {KEY}"}}), status=401)
    run = start(tmp_path, endpoint.url, 30)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 2, said
    assert "the key in OPENAI_API_KEY is not accepted" in said
    assert KEY not in said
    assert "Traceback" not in said
