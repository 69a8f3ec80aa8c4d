"""Batch files: what one call writes, a provider answers, and the same call with the results reads as if it had been asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Completion, ConfigError, DataError, Plugins
from adjudge.cli.app import app_of
from adjudge.testing import check_component
from adjudge_engines import BatchEngine, OpenAiEngine

ENDPOINT = {"use": "openai", "base_url": "https://api.example/v1", "model": "m", "logprobs": False}
SETTINGS: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 9}
PAIRS = [{"prompt": f"{n}+48", "answers": [str(n + 48), str(n + 49)], "label": 0} for n in (17, 27, 37)]


def body(text: str, ended: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": ended}]}


def answered(line: str, answer: Callable[[dict[str, Any]], Any]) -> str:
    """The result that a provider writes for a line of requests."""
    row = json.loads(line)
    made = answer(row["body"])
    status, said = made if isinstance(made, tuple) else (200, made)
    return json.dumps({"id": "r", "custom_id": row["custom_id"], "response": {"status_code": status, "body": said}, "error": None})


def command(*arguments: str) -> Any:
    return CliRunner().invoke(app_of(Plugins.load()), [*arguments])


@pytest.fixture
def pairs(tmp_path: FilePath) -> str:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    return str(file)


@pytest.mark.parametrize("verb", ["judge", "eval"])
def test_a_whole_round_trip(pairs: str, tmp_path: FilePath, verb: str) -> None:
    rows = [pairs] if verb == "judge" else ["--data", json.dumps({"use": "jsonl", "file": pairs})]
    call = [verb, *rows, "--engine", json.dumps(ENDPOINT), "--set", "judge=rrm", "--order", "both", "--json"]
    requests, results, errors = (tmp_path / name for name in ("out.jsonl", "results.jsonl", "errors.jsonl"))
    first = command(*call, "--batch", str(requests))
    assert first.exit_code == 0, first.output
    assert "6 requests are written" in first.output
    lines = requests.read_text().splitlines()
    sent = [json.loads(line) for line in lines]
    assert len({row["custom_id"] for row in sent}) == 6
    assert {(row["method"], row["url"], row["body"]["model"]) for row in sent} == {("POST", "/v1/chat/completions", "m")}
    results.write_text("".join(answered(line, lambda asked: body("So \\boxed{Assistant 1}")) + "\n" for line in reversed(lines[:4])))
    refused = (400, {"error": {"message": "The response was filtered", "code": "content_filter"}})
    expired = {"custom_id": sent[5]["custom_id"], "response": None, "error": {"code": "batch_expired", "message": "not done in time"}}
    errors.write_text(answered(lines[4], lambda asked: refused) + "\n" + json.dumps(expired) + "\n")
    second = command(*call, "--batch-results", str(results), "--batch-results", str(errors))
    assert second.exit_code == 0, second.output
    if verb == "judge":
        found = [json.loads(line) for line in second.stdout.splitlines()]
        assert [row["outcome"] for row in found] == ["tie", "tie", "failed"]
        reasons = [one["error"] for one in found[2]["judgements"]]
        assert reasons == [
            "refused with status 400: The response was filtered (content_filter)",
            "not answered in the batch: not done in time (batch_expired)",
        ]
    else:
        found = json.loads(second.stdout)
        assert (found["n"], found["accuracy"], found["judgements"]) == (2, 0.0, 6)
        assert found["outcomes"]["failed"] == pytest.approx(2 / 6)


def test_what_no_result_is_known_of_is_written_anew_and_nothing_else(pairs: str, tmp_path: FilePath) -> None:
    call = ["judge", pairs, "--engine", json.dumps(ENDPOINT), "--set", "judge=rrm", "--order", "fixed", "--json"]
    requests, results, rest = (tmp_path / name for name in ("out.jsonl", "results.jsonl", "rest.jsonl"))
    command(*call, "--batch", str(requests))
    lines = requests.read_text().splitlines()
    results.write_text(answered(lines[1], lambda asked: body("\\boxed{Assistant 1}")) + "\n")
    again = command(*call, "--batch", str(rest), "--batch-results", str(results))
    assert again.exit_code == 0
    assert rest.read_text().splitlines() == [lines[0], lines[2]]
    alone = command(*call, "--batch-results", str(results))
    assert [json.loads(line)["outcome"] for line in alone.stdout.splitlines()] == ["failed", "first", "failed"]
    assert "no result is known of this request" in alone.stdout


def sample(engine: BatchEngine, text: str, **settings: Any) -> Completion:
    with engine.open(FilePath("x")) as session:
        [(_, one)] = session.sample([[{"role": "user", "content": text}]], seeds=[1], **{**SETTINGS, **settings})
    return one


def test_results_of_other_prompts_or_settings_are_not_read_as_ones_own(tmp_path: FilePath) -> None:
    requests, results = tmp_path / "out.jsonl", tmp_path / "results.jsonl"
    endpoint = OpenAiEngine.model_validate(ENDPOINT)
    with pytest.raises(Exception, match="1 requests are written"):
        sample(BatchEngine(engine=endpoint, requests=requests), "one")
    results.write_text(answered(requests.read_text(), lambda asked: body("fine")) + "\n")
    known = BatchEngine(engine=endpoint, results=[results])
    assert sample(known, "one") == Completion("fine")
    assert sample(known, "two").error == "no result is known of this request"
    assert sample(known, "one", temperature=0.5).error is not None
    assert sample(known, "one", stop=("x",)).error is not None


def test_an_answer_goes_before_an_error_in_whatever_order_the_files_are_named(tmp_path: FilePath) -> None:
    requests, good, bad = (tmp_path / name for name in ("out.jsonl", "good.jsonl", "bad.jsonl"))
    endpoint = OpenAiEngine.model_validate(ENDPOINT)
    with pytest.raises(Exception, match="1 requests are written"):
        sample(BatchEngine(engine=endpoint, requests=requests), "one")
    good.write_text(answered(requests.read_text(), lambda asked: body("half", "length")))
    bad.write_text(answered(requests.read_text(), lambda asked: (500, {"error": {"message": "boiler on fire"}})))
    for files in ([good, bad], [bad, good]):
        assert sample(BatchEngine(engine=endpoint, results=files), "one") == Completion("half", truncated=True)


def test_mistakes_are_told(tmp_path: FilePath, plugins: Plugins, pairs: str) -> None:
    endpoint = OpenAiEngine.model_validate(ENDPOINT)
    check_component(BatchEngine(engine=endpoint, requests=FilePath("out.jsonl")))
    with pytest.raises(ValueError, match="name a file in requests, in results, or both"):
        BatchEngine(engine=endpoint)
    other = command("judge", pairs, "--engine", "hf", "--batch", str(tmp_path / "x.jsonl"))
    assert other.exit_code == 2
    assert "batch files are for the engine openai, and this is 'hf'" in other.output
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"custom_id": 7}\n')
    with pytest.raises(DataError, match="is no result of a batch"):
        sample(BatchEngine(engine=endpoint, results=[wrong]), "one")
    opened = BatchEngine(engine=endpoint, requests=wrong).open(FilePath("x"))
    with opened as session, pytest.raises(ConfigError, match="a batch scores no given tokens"):
        session.logprobs([], [[1]])
