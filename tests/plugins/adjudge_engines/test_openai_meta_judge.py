"""`meta-judge` in health: against the exact rule of the embedded world, what it cannot say is no number, and what it asks."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Completion, ConfigError, Outcome, Plugins, Problem, ReasoningPath, RewardRule, Verdict, validate
from adjudge.cli.app import app_of
from adjudge_arithmetic import Sound
from adjudge_health import MetaJudge, Reasoning

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
SOUND, UNSOUND = "37+48 is 85 \\boxed{Assistant 1}", "looks good \\boxed{Assistant 1}"
CALL = ["health", "--data", "{use: arithmetic, size: 16}", "--samples", "1", "--attacked", "0", "--json"]


def rule(endpoint: Any, **more: Any) -> MetaJudge:
    engine = {"use": "openai", "base_url": endpoint.url, "model": "m", "tries": 1, "first_wait": 0.0}
    made = validate(RewardRule, {"use": "meta-judge", "engine": engine, **more}, Plugins.load(autoload=False), "rule")
    assert isinstance(made, MetaJudge)
    return made


def exact(endpoint: Any, request: Any) -> Any:
    """A meta-judge that makes no mistake: what the embedded world's own rule says of the reasoning that is shown."""
    text = request.prompt
    [prompt] = re.findall(r"Question:\n(.*?)\n\n", text)
    answers = re.findall(r"Answer [12]:\n(.*?)\n\n", text)
    [right] = re.findall(r"is in fact Answer ([12])", text)
    reasoning = text.split("Its reasoning:\n", 1)[1].split("\n\nThe reasoning is sound if", 1)[0]
    problem = Problem("p", prompt, tuple(answers), int(right) - 1)
    said = Sound().reward(problem, ReasoningPath("1", "p", "given", 0, Completion(reasoning), Verdict(Outcome.FIRST)))
    return endpoint.chat(f"I went through it.\nSoundness: {'sound' if said else 'unsound'}")


def path(text: str = SOUND, outcome: Outcome = Outcome.FIRST, order: Any = "given", ident: str = "1") -> ReasoningPath:
    return ReasoningPath(ident, "p", order, 0, Completion(text), Verdict(outcome))


PAIR = Problem("p", "37+48", ("85", "75"), 0)


def test_health_by_a_meta_judge_is_health_by_the_exact_rule(endpoint: Any) -> None:
    endpoint.behave = partial(exact, endpoint)
    app = app_of(Plugins.load(autoload=False))
    by = json.dumps({"use": "meta-judge", "engine": {"use": "openai", "base_url": endpoint.url, "model": "m"}})
    plain = json.loads(CliRunner().invoke(app, CALL).stdout)["reasoning"]
    told = CliRunner().invoke(app, [*CALL, "--set", f"probes.reasoning.by={by}"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)["reasoning"]
    assert found["s_corr"] == plain["s_corr"]
    assert found["s_corr"]["n"] > 4
    assert found["right_and_sound"] == plain["right_and_sound"]
    assert found["not_told"]["value"] == 0.0
    assert "not_told" not in plain
    assert all("Soundness: WORD" in request.prompt for request in endpoint.requests)


def test_what_is_sound_unsound_and_wrong(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.chat(
        "Soundness: sound" if "37+48 is 85" in request.prompt else "So.\n**Soundness: Unsound**"
    )
    meta = rule(endpoint)
    assert meta.reward(PAIR, path()) == 1.0
    assert meta.reward(PAIR, path(UNSOUND, ident="2")) == 0.0
    asked = len(endpoint.requests)
    assert asked == 2
    assert meta.reward(PAIR, path()) == 1.0
    assert meta.reward(PAIR, path(outcome=Outcome.SECOND, ident="3")) == 0.0
    assert meta.reward(PAIR, path(outcome=Outcome.UNREADABLE, ident="4")) is None
    assert meta.reward(Problem("p", "37+48", ("85", "75")), path(ident="5")) is None, "no label"
    assert len(endpoint.requests) == asked, "what is known, and what is wrong or no verdict, is not asked about"
    assert meta.outcomes == {Outcome.FIRST: 1, Outcome.SECOND: 1}


def test_it_is_shown_both_answers_as_the_judge_saw_them(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.chat("Soundness: sound")
    meta = rule(endpoint)
    assert meta.reward(PAIR, path(outcome=Outcome.SECOND, order="swapped")) == 1.0
    [request] = endpoint.requests
    assert "Answer 1:\n75\n\nAnswer 2:\n85\n" in request.prompt
    assert "is in fact Answer 2" in request.prompt
    assert SOUND in request.prompt
    assert request.body["temperature"] == 0.0


REPLIES: dict[str, tuple[Callable[[Any], Any], Outcome]] = {
    "no verdict": (lambda endpoint: endpoint.chat("I do not know."), Outcome.UNREADABLE),
    "cut off": (lambda endpoint: endpoint.chat("It begins", ended="length"), Outcome.TRUNCATED),
    "no answer": (lambda endpoint: endpoint.Reply("not JSON"), Outcome.FAILED),
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_it_cannot_say_is_an_outcome_and_no_number(endpoint: Any, name: str) -> None:
    reply, outcome = REPLIES[name]
    endpoint.behave = lambda request: reply(endpoint)
    meta = rule(endpoint)
    found = Reasoning(by=meta).report([PAIR], [path()], [])
    assert meta.outcomes == {outcome: 1}
    assert (found["s_corr"]["n"], found["not_told"]["value"]) == (0, 1.0)
    assert meta.reward(PAIR, path()) is None


def test_a_model_has_to_be_named_where_the_engine_loads_one() -> None:
    with pytest.raises(ConfigError, match="name it as 'model'"):
        validate(RewardRule, {"use": "meta-judge"}, Plugins.load(autoload=False), "rule")


def test_all_are_asked_about_at_once(endpoint: Any) -> None:
    endpoint.behave = lambda request: endpoint.Reply(endpoint.chat("Soundness: sound").body, delay=0.2)
    meta = rule(endpoint)
    Reasoning(by=meta).report([PAIR], [path(ident=str(number)) for number in range(8)], [])
    assert endpoint.most > 1
    assert len(endpoint.requests) == 8
