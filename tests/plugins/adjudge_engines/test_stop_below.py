"""Judgements that end early: DeepConf's rule by its definition, the first of every prompt whole, and the reason kept; off by default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is absent: the hf engine needs it")

from adjudge import Completion, Outcome, ReasoningPath, Records, as_row, dump, read_verdict
from adjudge_arithmetic import ArithmeticDataset
from adjudge_cache import Cache
from adjudge_engines import HfEngine, StopBelow
from adjudge_engines.stop_below import ROUNDING, Confidence
from adjudge_judges import ArithmeticJudge

PROBLEMS = list(ArithmeticDataset(size=2, levels=[3, 4], part="test").load())
SAMPLES = 24
PROMPTS = [ArithmeticJudge().prompt(problem, "given") for problem in PROBLEMS for _ in range(SAMPLES)]
SAMPLING: Any = {"seeds": list(range(len(PROMPTS))), "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 112}
RULE = StopBelow(keep=0.5, warm_up=8, window=6, top=5)


@pytest.fixture(scope="module")
def session(embedded: FilePath) -> Iterator[Any]:
    with HfEngine(stop_below=RULE).open(embedded) as opened:
        yield opened


@pytest.fixture(scope="module")
def ended(session: Any) -> dict[int, Completion]:
    return dict(session.sample(PROMPTS, **SAMPLING))


@pytest.fixture(scope="module")
def whole(embedded: FilePath) -> dict[int, Completion]:
    with HfEngine().open(embedded) as opened:
        return dict(opened.sample(PROMPTS, **SAMPLING))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 12))
def test_the_lowest_confidence_is_the_lowest_mean_of_whole_windows(values: list[float], window: int) -> None:
    kept = Confidence(window)
    for value in values:
        kept.add(value)
    means = [np.mean(values[start : start + window]) for start in range(len(values) - window + 1)]
    assert kept.lowest == (pytest.approx(min(means), abs=1e-9) if means else None)
    assert kept.mean == (pytest.approx(means[-1], abs=1e-9) if means else None)


def confidence(session: Any, prompt: Any, made: Completion) -> np.ndarray[Any, Any]:
    """Of each token, from the model's own logits over the whole text."""
    import torch

    ids = session.encode(prompt)
    with torch.inference_mode():
        logits_TV = session.model(torch.tensor([[*ids, *made.token_ids]])).logits[0, len(ids) - 1 : -1]
        found: np.ndarray[Any, Any] = -logits_TV.log_softmax(-1).topk(RULE.top, -1).values.mean(-1).numpy()
    return found


def windows(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.convolve(values, np.full(RULE.window, 1 / RULE.window), "valid")


def test_it_is_off_unless_asked_for() -> None:
    assert "stop_below" not in dump(HfEngine())
    assert dump(HfEngine(stop_below=RULE))["stop_below"]["keep"] == 0.5
    assert HfEngine(stop_below=RULE).fingerprint() != HfEngine().fingerprint()


def test_rows_end_where_the_definition_says(session: Any, ended: dict[int, Completion], whole: dict[int, Completion]) -> None:
    early = 0
    for problem in range(len(PROBLEMS)):
        places = range(problem * SAMPLES, (problem + 1) * SAMPLES)
        first, rest = places[: RULE.warm_up], places[RULE.warm_up :]
        assert all(ended[place].token_ids == whole[place].token_ids for place in first), "the first ones are whole"
        lowest = [windows(confidence(session, PROMPTS[place], whole[place])).min() for place in first]
        least = float(np.quantile(lowest, 1 - RULE.keep))
        for place in rest:
            below = np.flatnonzero(windows(confidence(session, PROMPTS[place], whole[place])) < least - ROUNDING)
            tokens = len(whole[place].token_ids) if not below.size else min(int(below[0]) + RULE.window, len(whole[place].token_ids))
            assert ended[place].token_ids == whole[place].token_ids[:tokens]
            early += tokens < len(whole[place].token_ids)
    assert 0 < early < len(PROMPTS) - len(PROBLEMS) * RULE.warm_up


def test_what_ended_early_is_truncated_and_its_record_says_why(
    ended: dict[int, Completion], whole: dict[int, Completion], tmp_path: FilePath
) -> None:
    early = [made for place, made in ended.items() if len(made.token_ids) < len(whole[place].token_ids)]
    for made in early:
        assert read_verdict(ArithmeticJudge(), made).outcome == Outcome.TRUNCATED
        told = re.fullmatch(r"stop_below: confidence ([\d.]+) over 6 tokens, below ([\d.]+)", as_row(made)["reason"])
        assert told is not None
        assert float(told[1]) <= float(told[2])
    records = Records(tmp_path / "records.jsonl")
    records.append({"id": "1", "completion": as_row(early[0])})
    assert [row["completion"]["reason"] for row in records] == [as_row(early[0])["reason"]]
    assert all("reason" not in as_row(made) for made in ended.values() if not made.truncated)


def test_a_path_that_is_read_back_has_the_reason(ended: dict[int, Completion], whole: dict[int, Completion], tmp_path: FilePath) -> None:
    judge = ArithmeticJudge()
    early = next(made for place, made in ended.items() if len(made.token_ids) < len(whole[place].token_ids))
    path = ReasoningPath("1", "p", "given", 0, early, read_verdict(judge, early))
    records = Records(tmp_path / "records.jsonl")
    records.append(path)
    [back] = records.load(ReasoningPath)
    assert back.outcome == Outcome.TRUNCATED
    assert back.verdict.told == {"reason": as_row(early)["reason"]}
    cache = Cache(tmp_path / "cache.sqlite")
    cache.put("key", "source", early)
    known = cache.get("key")
    assert known is not None
    assert read_verdict(judge, known).told == back.verdict.told, "what is known from the cache has it too"
    cut = next(made for made in whole.values() if made.truncated) if any(made.truncated for made in whole.values()) else None
    assert cut is None or read_verdict(judge, cut).told == {}


def test_the_number_of_rows_at_once_changes_nothing(embedded: FilePath, ended: dict[int, Completion]) -> None:
    with HfEngine(stop_below=RULE, batch_tokens=1000).open(embedded) as opened:
        few = dict(opened.sample(PROMPTS, **SAMPLING))
    assert {place: made.token_ids for place, made in few.items()} == {place: made.token_ids for place, made in ended.items()}
