"""Prompts that leave no room for a judgement, or less than the judge allows, are told before anything is asked."""

from __future__ import annotations

import logging
from pathlib import Path as FilePath

import pytest

from adjudge import Problem
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_plan import plan_judging

SHORT = Problem("short", "1+1", ("2", "3"))


def told(problems: list[Problem], judge: ArithmeticJudge, model: FilePath, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.WARNING, "adjudge.plan"):
        plan_judging(problems, judge, HfEngine(), model)
    return [record.message for record in caplog.records if record.name == "adjudge.plan"]


def test_nothing_is_told_where_everything_fits(embedded: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    assert told([SHORT], ArithmeticJudge(), embedded, caplog) == []


def test_too_long_and_nearly_too_long_are_counted_apart(embedded: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    problems = [SHORT, Problem("near", "1+" * 90 + "1", ("2", "3")), Problem("long", "1+" * 200 + "1", ("2", "3"))]
    one, other = told(problems, ArithmeticJudge(order="fixed", on_too_long="skip"), embedded, caplog)
    assert one == "1 of 3 prompts that were counted leave no room for a judgement in the model's 256 tokens; judge.on_too_long: skip"
    assert other.startswith(
        "1 of 3 prompts that were counted leave less room than the 112 tokens that a judgement may take, in the model's 256 tokens: "
    )


def test_a_limit_beyond_the_context_is_told(embedded: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    [one] = told([SHORT], ArithmeticJudge(order="fixed", max_new_tokens=8192), embedded, caplog)
    assert "less room than the 8192 tokens that a judgement may take, in the model's 256 tokens" in one
