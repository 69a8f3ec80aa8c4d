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
ROUNDING = 1e-5
"""Between two scores of one text, which depend a little on the batch that each was in."""


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
    seed, rules = run.config.get("seed", 0), [eligibility_rule(options) for options in ({}, *run.config["stages"])]
    return [family for stage, rule in zip(run.stages, rules, strict=True) for family in _of_stage(stage, rule, seed, size)]


def eligibility_rule(options: Mapping[str, Any]) -> str:
    """The name of the rule by which a stage says what may be chosen."""
    return str((options.get("eligible") or {}).get("use", "label"))


def _of_stage(stage: StageFiles, rule: str, seed: int, size: int) -> Iterator[Family]:
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
            yield Family(stage.name, scores[problem][0]["scorer"], problem, list(_members(stage, rule, scores[problem], paths[problem])))


def _members(stage: StageFiles, rule: str, scores: Sequence[Row], paths: Sequence[Row]) -> Iterator[Sibling]:
    """The paths of one problem, and why each was kept, dropped or not scored."""
    by_id = {path["id"]: path for path in paths}
    scored = [row for row in scores if row["path_id"] in by_id]
    for row in sorted(scored, key=lambda row: (-_counted(row, scored, by_id), not row.get("kept"))):
        judgement = _judgement(stage, by_id[row["path_id"]])
        yield Sibling(judgement, row["value"], row.get("parts") or {}, bool(row.get("kept")), why_kept(row, scored, by_id))
    known = {row["path_id"] for row in scored}
    for ident in (path["id"] for path in paths if path["id"] not in known):
        yield Sibling(_judgement(stage, by_id[ident]), None, {}, False, why_not_scored(by_id[ident], rule))


def why_kept(row: Row, scored: Sequence[Row], paths: Mapping[str, Row]) -> str:
    """Why a path with this score was kept or dropped, among the scores and the paths, by id, of its problem."""
    ident, own = row["path_id"], (_counted(row, scored, paths), _what(paths[row["path_id"]]))
    others = [(_counted(one, scored, paths), one) for one in scored if one["path_id"] != ident]
    copies = [one for value, one in others if (value, _what(paths[one["path_id"]])) == own]
    ties = sum(value == own[0] for value, _ in others) - len(copies)
    kept = sum(bool(one.get("kept")) for one in scored)
    place = 1 + sum(value > own[0] for value, _ in others)
    shared = _shared(len(copies), ties, any(one.get("kept") for one in copies))
    said = f"{'kept' if row.get('kept') else 'dropped'}: place {place} of the {len(scored)} that were scored{shared}"
    return f"{said}; {kept} {'is' if kept == 1 else 'are'} kept"


def _counted(row: Row, scored: Sequence[Row], paths: Mapping[str, Row]) -> float:
    """A path's score as it counts: of a text that was sampled twice, the better of scores that differ by rounding alone."""
    own, what = _number(row), _what(paths[row["path_id"]])
    copies = (_number(other) for other in scored if _what(paths[other["path_id"]]) == what)
    return max(value for value in copies if value == own or abs(value - own) <= ROUNDING * max(1.0, abs(own)))


def _number(row: Row) -> float:
    return float("-inf") if row["value"] is None else float(row["value"])


def _shared(copies: int, ties: int, one_kept: bool) -> str:
    """Which others have the same place, so that something else chose among them."""
    told = f", shared with {_count(ties)}" if ties else ""
    if copies:
        told += f", the same text as {_count(copies)}{', one of which is kept' if one_kept else ''}"
    return told


def _count(size: int) -> str:
    return f"{size} other{'s' if size > 1 else ''}"


def _what(path: Row) -> tuple[str, str]:
    """What was shown and what was written."""
    return path["order"], path["completion"]["text"]


def _judgement(stage: StageFiles, path: Row) -> ExampleJudgement:
    return ExampleJudgement(stage.name, "paths", kind_of(path), path)


def why_not_scored(path: Row, rule: str) -> str:
    """Why a path has no score, in a stage whose rule of eligibility has this name."""
    if path["completion"].get("error"):
        return "not scored: the call failed"
    if kind_of(path) == "undecided":
        return f"not scored: {path['outcome']}"
    if rule != "label":
        return f"not scored: not eligible by the rule {rule}"
    return "not scored: it names the wrong answer" if kind_of(path) == "wrong" else "not scored: not eligible"
