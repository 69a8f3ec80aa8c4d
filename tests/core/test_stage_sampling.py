"""How a stage asks its engine: so many judgements at a time, or all in one call, and the same paths either way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from adjudge import Completion, Engine, Outcome, Problem, ReasoningPath, Stage
from adjudge.run import stage as stages
from adjudge.testing import completion_of
from adjudge_judges import ArithmeticJudge


class Counting(Engine):
    """Says how many prompts each call had; some calls fail the first time."""

    use: Literal["counting"] = "counting"
    whole: bool = False

    def asked_whole(self) -> bool:
        return self.whole

    @contextmanager
    def open(self, model: Path) -> Iterator[Any]:
        yield _Session()


class _Session:
    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.failed: set[int] = set()

    def sample(self, prompts: Sequence[Any], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        self.sizes.append(len(prompts))
        for index, seed in reversed(list(enumerate(seeds))):
            if seed % 5 == 0 and seed not in self.failed:
                self.failed.add(seed)
                yield index, Completion("", error="late")
            else:
                yield index, completion_of(f"{seed} \\boxed{{Assistant {1 + seed % 2}}}")


def sampled(folder: Path, *, whole: bool) -> tuple[Sequence[ReasoningPath], list[int]]:
    engine = Counting(whole=whole)
    problems = [Problem(f"p{number}", f"{number}+1", (str(number), str(number + 1)), 1) for number in range(10)]
    stage = Stage(1, "s", folder / "stage", folder / "records", folder, folder, ArithmeticJudge(order="fixed"), engine, problems)
    with stage.open(folder) as session:
        return stage.sample(session, problems, "paths", samples=3), session.sizes  # type: ignore[attr-defined]


def test_windows_ask_for_the_same_paths_as_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "WINDOW", 12)
    parts, sizes = sampled(tmp_path / "parts", whole=False)
    whole, in_one = sampled(tmp_path / "whole", whole=True)
    again = sum(path.completion.text != "" and int(path.completion.text.split()[0]) % 5 == 0 for path in whole)
    assert again > 0, "some calls fail the first time"
    assert (sizes, in_one) == ([12, 12, 6, again], [30, again])
    assert list(parts) == list(whole)
    assert [(path.problem_id, path.index) for path in parts] == [(f"p{number}", index) for number in range(10) for index in range(3)]
    assert all(path.outcome in (Outcome.FIRST, Outcome.SECOND) for path in parts)
    assert parts[-1] == list(parts)[-1]
    assert list(parts[3:5]) == list(parts)[3:5]
