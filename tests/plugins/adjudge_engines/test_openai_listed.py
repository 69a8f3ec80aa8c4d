"""`direct` on endpoints that list the likeliest tokens of their answers and score no given ones, against the same model in this process."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, Judge, OpenJudge, Outcome, Plugins, Problem, open_judge, validate
from adjudge_arithmetic import ArithmeticDataset
from adjudge_judges import Listed, read_listed

pytestmark = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the openai client is not installed")
DIRECT = {"use": "direct", "judge": "arithmetic"}
BOXES = ("\\boxed{Assistant 1}", "\\boxed{Assistant 2}")


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(ArithmeticDataset(size=6, seed=5).load())


@pytest.fixture(scope="module")
def base(embedded: Path) -> Iterator[OpenJudge]:
    with open_judge(embedded, cache=False) as judge:
        yield judge


def served(base: OpenJudge, endpoint: Any, top: int | None = None) -> Callable[[Any], Any]:
    """The embedded model as a server has it that is asked for a verdict alone, and obeys: only where the two differ it chooses itself."""
    one, other = (base.session.tokenize(text).token_ids for text in BOXES)
    place = next(place for place in range(len(one)) if one[place] != other[place])
    size = max(*one, *other) + 1

    def behave(request: Any) -> Any:
        turns = request.body["messages"]
        asked, _, order = turns[-1]["content"].partition("\n\nDo not explain.")
        assert BOXES[0] in order
        prompt = [*turns[:-1], {"role": "user", "content": asked}]
        rows = base.session.logprobs(prompt, [[*one[:place], token] for token in range(size)])
        known = {token: row[place] for token, row in enumerate(rows)}
        best = sorted(known, key=lambda token: -known[token])[: top or request.body["top_logprobs"]]
        chosen = max((one[place], other[place]), key=lambda token: known[token])
        content = [row(text(base, token), {text(base, token): 0.0, "!": -9.0}) for token in one[:place]]
        content.append(row(text(base, chosen), {text(base, token): known[token] for token in best}, known[chosen]))
        content += [row(text(base, token), {text(base, token): -0.01, "!": -5.0}) for token in one[place + 1 :]]
        return endpoint.chat(BOXES[chosen == other[place]], choice={"logprobs": {"content": content}})

    return behave


def text(base: OpenJudge, token: int) -> str:
    session: Any = base.session
    while hasattr(session, "session"):
        session = session.session
    return str(session.tokenizer.decode([token], skip_special_tokens=True))


def row(token: str, likely: dict[str, float], logprob: float = 0.0) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "top_logprobs": [{"token": one, "logprob": value} for one, value in likely.items()]}


def asked(endpoint: Any, problems: list[Problem], judge: Any = DIRECT, **options: Any) -> Any:
    engine = {"use": "openai", "base_url": endpoint.url, "model": "m", "first_wait": 0.0, "concurrency": 1, **options}
    with open_judge("adjudge_arithmetic:model", engine=engine, judge=judge, cache=False) as opened:
        return opened.judge(problems)


def test_the_probability_is_that_of_the_model_in_this_process(base: OpenJudge, endpoint: Any, problems: list[Problem]) -> None:
    endpoint.behave = served(base, endpoint)
    here = replace(base, options=validate(Judge, DIRECT, Plugins.load(autoload=False), "judge")).judge(problems)
    for one, same in zip(asked(endpoint, problems), here, strict=True):
        assert one.probability == pytest.approx(same.probability, abs=1e-4)
        assert one.outcome == same.outcome
        [path] = one.paths
        assert path.verdict.told["by_order"] == pytest.approx(same.paths[0].verdict.told["by_order"], abs=1e-4)
        assert path.completion.text in BOXES
        assert path.verdict.told["tokens"] > 2
    body = endpoint.requests[0].body
    assert (body["logprobs"], body["top_logprobs"], body["temperature"], body["top_p"]) == (True, 20, 1.0, 1.0)


def test_a_verdict_that_is_not_listed_has_no_more_than_the_least_that_is(base: OpenJudge, endpoint: Any, problems: list[Problem]) -> None:
    endpoint.behave = served(base, endpoint, top=2)
    found = asked(endpoint, problems, {**DIRECT, "top_logprobs": 2})
    assert all(0 < one.probability < 1 for one in found)
    assert endpoint.requests[0].body["top_logprobs"] == 2


def test_an_answer_without_a_verdict_is_unreadable_and_a_fault_a_failure(endpoint: Any, problems: list[Problem]) -> None:
    told = {"logprobs": {"content": [row("Let", {"Let": -0.1, "\\boxed": -4.0}), row(" me", {" me": -0.1, "!": -4.0})]}}
    endpoint.behave = lambda request: endpoint.chat("Let me", choice=told)
    [verdict] = asked(endpoint, problems[:1])
    assert (verdict.outcome, verdict.probability, verdict.paths[0].completion.text) == (Outcome.UNREADABLE, None, "Let me")
    endpoint.behave = lambda request: endpoint.Reply("not JSON")
    [verdict] = asked(endpoint, problems[:1], tries=1)
    assert verdict.outcome == Outcome.FAILED
    assert "not JSON" in (verdict.paths[0].completion.error or "")


@pytest.mark.parametrize("choice", [{}, {"logprobs": None}, {"logprobs": {"content": [{"token": BOXES[0], "logprob": -0.1}]}}])
def test_an_endpoint_that_lists_nothing_is_refused(endpoint: Any, problems: list[Problem], choice: dict[str, Any]) -> None:
    endpoint.behave = lambda request: endpoint.chat(BOXES[0], choice=choice)
    with pytest.raises(ConfigError, match=r"lists no likely tokens.*\n  Remedy: ask another endpoint"):
        asked(endpoint, problems[:1])


def test_an_endpoint_that_lists_fewer_says_what_to_lower(endpoint: Any, problems: list[Problem]) -> None:
    said = {"error": {"message": "Invalid value for 'top_logprobs': must be at most 5.", "param": "top_logprobs", "code": "invalid_value"}}
    endpoint.behave = lambda request: endpoint.Reply(json.dumps(said), status=400)
    with pytest.raises(ConfigError, match=r"lower judge\.top_logprobs"):
        asked(endpoint, problems[:1])


def test_judges_that_score_given_tokens_are_still_refused_and_cascades_of_direct_are_not(endpoint: Any) -> None:
    for judge, fine in (
        ({"use": "soft", "judge": "arithmetic"}, False),
        ({"use": "rrm", "thinking_budget": 9}, False),
        ({"use": "cascade", "judges": [DIRECT, "arithmetic"]}, True),
        ({"use": "panel", "judges": [DIRECT, {"use": "soft", "judge": "arithmetic"}]}, False),
    ):
        if fine:
            assert asked(endpoint, [], judge) == []
            continue
        with pytest.raises(ConfigError, match="cannot tell those of given tokens"):
            asked(endpoint, [], judge)
    with pytest.raises(ConfigError, match="cannot tell those of given tokens"):
        asked(endpoint, [], DIRECT, logprobs=False)
    with pytest.raises(ConfigError, match=r"judge\.prefix"):
        asked(endpoint, [Problem("p", "1+1", ("2", "3"))], {**DIRECT, "prefix": "So "})


# Reading -------------------------------------------------------------------------------------------------------------------

WORDS = ("[[A]]", "[[B]]")


def listed(*rows: tuple[str, dict[str, float]]) -> Listed:
    made = [(token, {one: math.log(share) for one, share in likely.items()}) for token, likely in rows]
    return Listed("".join(token for token, _ in rows), tuple(made))


def test_the_first_token_that_tells_the_two_apart_decides() -> None:
    told = read_listed(listed(("[[", {"[[": 0.9, "[[B": 0.05}), ("A", {"A": 0.6, "B": 0.2, "C": 0.2})), WORDS)
    assert told == (pytest.approx(0.75), False), "a rare way to write the second is not what decides"
    told = read_listed(listed(("\n", {"\n": 0.8, "[[": 0.2}), (" [[A", {" [[A": 0.5, " [[B": 0.3, "[[B": 0.2})), WORDS)
    assert told == (pytest.approx(0.5), False), "spaces before it count for nothing, and all ways to write one are added up"
    assert read_listed(listed(("[[A", {"[[A": 0.98, "x": 0.02})), WORDS) == (pytest.approx(0.98), True)
    assert read_listed(listed(("So", {"So": 0.9, "[[A": 0.1}), (" [[A", {" [[A": 0.9, " [[B": 0.1})), WORDS) is None
    assert read_listed(Listed(), WORDS) is None


@given(first=st.floats(1e-6, 1), second=st.floats(1e-6, 1))
def test_it_is_the_share_of_the_two(first: float, second: float) -> None:
    total = first + second
    likely = {"[[A": first / total, "[[B": second / total}
    for token in likely:
        found = read_listed(listed((token, likely)), WORDS)
        assert found is not None
        assert found[0] == pytest.approx(first / total)
