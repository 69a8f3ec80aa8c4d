"""Why paths were kept: all paths of a few problems side by side, each with its score, the score's parts, and what became of it."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adjudge import stable_id, tokens_back

from .gather import RunFiles, StageFiles
from .judgements import ExampleJudgement, kind_of

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sibling:
    """One path of a problem."""

    judgement: ExampleJudgement
    score: float | None
    parts: Mapping[str, float]
    kept: bool
    why: str


@dataclass(frozen=True, slots=True)
class Family:
    """All paths of one problem in one stage, the best score on top, then those that have none."""

    stage: str
    scorer: str
    problem: str
    members: list[Sibling] = field(default_factory=list)

    @property
    def answers(self) -> list[tuple[str, bool]]:
        """Both answers in the problem's own order, each with whether it is the right one."""
        shown = self.members[0].judgement
        return shown.answers if shown.record["order"] == "given" else shown.answers[::-1]

    @property
    def parts(self) -> list[str]:
        return list(dict.fromkeys(name for one in self.members for name in one.parts))


def families(run: RunFiles, size: int) -> list[Family]:
    """`size` problems of every stage that scored paths, those first of which some were kept and others dropped."""
    return [family for stage in run.stages for family in _of_stage(stage, run.config.get("seed", 0), size)]


def _of_stage(stage: StageFiles, seed: int, size: int) -> Iterator[Family]:
    scores: dict[str, list[Row]] = defaultdict(list)
    for row in stage.records("scores"):
        scores[row["problem_id"]].append(row)

    def rank(problem: str) -> tuple[bool, str]:
        return len({bool(row.get("kept")) for row in scores[problem]}) < 2, stable_id(seed, stage.name, problem)

    chosen = heapq.nsmallest(size, scores, key=rank)
    paths: dict[str, list[Row]] = {problem: [] for problem in chosen}
    if chosen:
        whole = tokens_back(stage.record_file("paths"))
        for row in stage.records("paths"):
            if row["problem_id"] in paths:
                paths[row["problem_id"]].append(whole(row))
    for problem in chosen:
        if paths[problem]:
            rows = sorted(scores[problem], key=lambda row: (-_number(row), not row.get("kept")))
            yield Family(stage.name, rows[0]["scorer"], problem, list(_members(stage, rows, paths[problem])))


def _number(row: Row) -> float:
    return float("-inf") if row["value"] is None else float(row["value"])


def _members(stage: StageFiles, scores: Sequence[Row], paths: Sequence[Row]) -> Iterator[Sibling]:
    by_id = {path["id"]: path for path in paths}
    kept = sum(bool(row.get("kept")) for row in scores)
    for row in scores:
        if (path := by_id.pop(row["path_id"], None)) is not None:
            place = 1 + sum(_number(other) > _number(row) for other in scores)
            why = f"{'kept' if row.get('kept') else 'dropped'}: place {place} of the {len(scores)} that were scored{_tied(row, scores)}"
            why += f"; {kept} {'is' if kept == 1 else 'are'} kept"
            yield Sibling(_judgement(stage, path), row["value"], row.get("parts") or {}, bool(row.get("kept")), why)
    for path in by_id.values():
        yield Sibling(_judgement(stage, path), None, {}, False, _not_scored(path))


def _tied(row: Row, scores: Sequence[Row]) -> str:
    """How many others have the same score, so that something else chose among them."""
    same = sum(other["value"] == row["value"] for other in scores) - 1
    return f", shared with {same} other{'s' if same > 1 else ''}" if same else ""


def _judgement(stage: StageFiles, path: Row) -> ExampleJudgement:
    return ExampleJudgement(stage.name, "paths", kind_of(path), path)


def _not_scored(path: Row) -> str:
    if path["completion"].get("error"):
        return "not scored: the call failed"
    if kind_of(path) == "undecided":
        return f"not scored: {path['outcome']}"
    return "not scored: it names the wrong answer" if kind_of(path) == "wrong" else "not scored: not eligible"
