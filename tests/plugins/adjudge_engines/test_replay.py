"""The `replay` engine: recorded texts by prompt, the seed choosing among several, and a failed call where there is none."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import DataError, Message, Outcome, build_requests, sample_paths, summarise
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import ReplayEngine
from adjudge_engines.recorded import RecordedEngine
from adjudge_judges import ArithmeticJudge

JUDGE = ArithmeticJudge(order="fixed")
PROBLEMS = list(ArithmeticDataset(size=3).load())


def write(folder: FilePath, rows: list[dict[str, object]]) -> ReplayEngine:
    file = folder / "texts.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return ReplayEngine(file=file)


def test_texts_are_found_by_prompt_and_nothing_is_invented(tmp_path: FilePath) -> None:
    asked = [JUDGE.prompt(problem, "given")[-1]["content"] for problem in PROBLEMS]
    rows = [{"prompt": asked[0], "texts": ["x \\boxed{Assistant 1}"]}, {"prompt": asked[1], "texts": ["no verdict"]}]
    with write(tmp_path, rows).open(tmp_path) as session:
        paths = list(sample_paths(session, JUDGE, build_requests(PROBLEMS, JUDGE)))
    assert [path.outcome for path in paths] == [Outcome.FIRST, Outcome.UNREADABLE, Outcome.FAILED]
    assert paths[2].completion.error == "no text is recorded for this prompt"
    metrics = summarise(PROBLEMS, paths)
    assert (metrics["n"], metrics["judgements"]) == (2, 3), "a failed call is no wrong answer, and stands beside those that came back"
    assert (metrics["outcomes"]["unreadable"], metrics["outcomes"]["failed"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert metrics["mean_tokens"] is None, "texts without tokens have no token count"


def test_the_seed_chooses_among_several_texts(tmp_path: FilePath) -> None:
    prompt = JUDGE.prompt(PROBLEMS[0], "given")
    with write(tmp_path, [{"prompt": prompt[-1]["content"], "texts": ["a", "b", "c"]}]).open(tmp_path) as session:
        texts = [
            completion.text for _, completion in session.sample([prompt] * 30, seeds=range(30), temperature=1, top_p=1, max_new_tokens=5)
        ]
    assert set(texts) == {"a", "b", "c"}


@pytest.mark.parametrize("row", [{"prompt": "p"}, {"prompt": "p", "texts": []}, {"prompt": "p", "texts": [1]}, {"texts": ["a"]}])
def test_a_row_that_cannot_be_replayed_names_its_line(tmp_path: FilePath, row: dict[str, object]) -> None:
    engine = write(tmp_path, [{"prompt": "fine", "texts": ["a"]}, row])
    with pytest.raises(DataError, match=r"texts.jsonl: line 2 "), engine.open(tmp_path):
        pass


def test_a_recorded_text_ends_with_the_string_that_ends_a_judgement() -> None:
    engine = RecordedEngine(texts={"x": ["It is [[A]]. Or [[B]]?"]})
    with engine.open(FilePath("any")) as session:
        settings: dict[str, Any] = {"seeds": [0], "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 9}
        prompts: list[list[Message]] = [[{"role": "user", "content": "x"}]]
        assert next(session.sample(prompts, **settings, stop=("]]",)))[1].text == "It is [[A]]"
        assert next(session.sample(prompts, **settings))[1].text == "It is [[A]]. Or [[B]]?"
