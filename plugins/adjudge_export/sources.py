"""What was judged, read from where commands leave it: rankings and verdicts, of a folder or as the lines that ``--json`` prints.

A verdict on a pair is a ranking of two with a match for every sample, so whatever is exported is made of tournaments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from adjudge import (
    ConfigError,
    DataError,
    Match,
    MatchResult,
    Outcome,
    Problem,
    Ranking,
    ReasoningPath,
    RowError,
    TournamentResult,
    combine,
    find_model,
    load_judge,
    load_yaml,
    read_rows,
    reader_of,
)

KEPT = ("rankings", "judgements")
"""Records of ``adjudge rank --out``, and of ``judge`` and ``eval``."""
LABELS: dict[Any, int | None] = {"first": 0, "second": 1, "tie": None}


@dataclass(frozen=True, slots=True)
class Ranked:
    """Answers to one prompt as they were ranked, and by whom."""

    result: TournamentResult
    origin: Mapping[str, Any]
    """``run``, ``judge`` and ``model``, each None where it is not told."""

    @property
    def problem(self) -> Problem:
        return self.result.problem

    @property
    def votes(self) -> int:
        """How many the ranking was made from."""
        return sum(len(one.votes) for one in self.result.played)


def read_ranked(source: FilePath, records: str | None = None, *, skip_bad_lines: bool = False) -> list[Ranked]:
    """All rankings and verdicts of a file or a folder, in order; of a folder those in `records`, or what its command kept.

    Of a run's folder that is the evaluation of its last stage. Raises `ConfigError` and `DataError` for what cannot be read.
    """
    if not source.is_dir():
        if records is not None:
            raise ConfigError(f"--records: {source} is no folder.\n  Remedy: leave --records out, or name the folder.")
        found = list(_of_rows(source, {"run": source.name, "judge": None, "model": None}, skip_bad_lines))
    else:
        found = [one for file in _files(source, records) for one in _of_rows(file, _origin(source, file), skip_bad_lines)]
    if not found:
        raise DataError(f"{source}: it has no rankings and no verdicts.\n  Remedy: name what 'adjudge rank' or 'judge' wrote.")
    return found


def _files(folder: FilePath, named: str | None) -> list[FilePath]:
    """The record files that are read."""
    there = {file.stem: file for file in sorted((folder / "records").glob("*.jsonl"))}
    wanted = [named.removesuffix(".jsonl")] if named is not None else [name for name in KEPT if name in there][:1] or _evaluations(there)
    if not wanted or any(name not in there for name in wanted):
        known, what = ", ".join(there) or "none", "of rankings or verdicts" if named is None else repr(named)
        raise ConfigError(
            f"{folder}: there are no records {what} (there are: {known}).\n"
            "  Remedy: name some with --records, or the folder of a call of 'adjudge rank', 'judge', 'eval' or 'run'."
        )
    return [there[name] for name in wanted]


def _evaluations(names: Iterable[str]) -> list[str]:
    """The evaluations of the last stage that has some; stages are numbered."""
    of = [(int(name.split("-")[0]), name) for name in names if "-evaluation-" in name and name.split("-")[0].isdigit()]
    return [name for number, name in of if number == max(of)[0]]


def _origin(folder: FilePath, file: FilePath) -> dict[str, Any]:
    """Who judged: what the folder's configuration says, and of a stage's evaluation the stage's own model."""
    config: dict[str, Any] = {}
    if (written := folder / "config.yaml").is_file():
        config = load_yaml(written.read_text(encoding="utf-8"), str(written)) or {}
    judge, engine, model = config.get("judge") or {}, config.get("engine") or {}, config.get("model")
    stage = file.stem.split("-evaluation-")[0]
    trained = "-evaluation-" in file.stem and not stage.startswith("0-")
    answered = f"{folder.name}/stages/{stage}" if trained else engine.get("model") or model
    return {"run": folder.name, "judge": judge.get("use") or _own_judge(model), "model": answered}


def _own_judge(model: Any) -> str | None:
    """How a model judges by its own ``judge.json``, where it can be found."""
    from adjudge import Plugins

    try:
        return str(load_judge(find_model(str(model)), Plugins.load()).use)
    except ConfigError:
        return None


def _of_rows(file: FilePath, origin: Mapping[str, Any], skip_bad_lines: bool) -> Iterator[Ranked]:
    """The rankings of a file's rows: rankings, verdicts, or judgements, of which those on one problem are put together."""
    samples: dict[str, tuple[Problem, dict[int, list[ReasoningPath]]]] = {}
    for row in read_rows(file, skip_bad_lines=skip_bad_lines, parse=_read):
        if isinstance(row, TournamentResult):
            yield Ranked(row, origin)
        else:
            problem, path = row
            samples.setdefault(problem.id, (problem, {}))[1].setdefault(path.index, []).append(path)
    for problem, by_index in samples.values():
        yield Ranked(_of_verdicts(problem, [combine(paths) for paths in by_index.values()]), origin)


def _read(row: dict[str, Any]) -> Any:
    try:
        if "matches" in row:
            return _ranking(row)
        if "completion" in row and "shown" in row:
            return _judgement(row)
        if "outcome" in row and "answers" in row:
            return _of_verdicts(_problem(row), [Outcome(row["outcome"])])
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise RowError(f"is no ranking, verdict or judgement that adjudge wrote: {_short(error)}") from None
    raise RowError(f"is neither a ranking nor a verdict (it has: {', '.join(map(str, row)) or 'none'})")


def _short(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]


def _problem(row: Mapping[str, Any]) -> Problem:
    if not isinstance(row["answers"], list) or not all(isinstance(one, str) for one in (row["prompt"], *row["answers"])):
        raise ValueError("its prompt and answers are not all texts")
    answers = tuple(row["answers"])
    if len(answers) < 2:
        raise ValueError(f"it has {len(answers)} answers")
    said: Any = row.get("label")
    label = LABELS.get(said, said) if isinstance(said, str) else said
    if label is not None and (type(label) is not int or not 0 <= label < len(answers)):
        raise ValueError(f"its label is {said!r}, and its {len(answers)} answers have the indices 0 to {len(answers) - 1}")
    return Problem(str(row["id"]), row["prompt"], answers, label)


def _ranking(row: Mapping[str, Any]) -> TournamentResult:
    """A row of ``adjudge rank`` as the tournament that it tells of; one in which nobody was judged has no places."""
    problem = _problem(row)
    size = len(problem.answers)
    order, ratings = row["order"] or range(size), row["ratings"] or [0.0] * size
    if sorted(order) != list(range(size)) or len(ratings) != size or not all(map(math.isfinite, ratings)):
        raise ValueError(f"its order and ratings are not those of {size} answers, each a number")
    ranking = Ranking(tuple(order), tuple(map(float, ratings)))
    return TournamentResult(problem, ranking, [_match(problem, one) for one in row["matches"]], row.get("stopped"), row["rated_by"])


def _match(problem: Problem, one: Mapping[str, Any]) -> MatchResult:
    votes = tuple(map(Outcome, one["votes"]))
    match = Match(int(one["first"]), int(one["second"]))
    if not all(0 <= place < len(problem.answers) for place in (match.first, match.second)):
        raise ValueError(f"it has a match of {match.first} and {match.second} among {len(problem.answers)} answers")
    return MatchResult(problem.id, one["round"], match, Outcome(one["outcome"]), votes, one.get("inconsistent"), (), one.get("tokens") or 0)


def _judgement(row: Mapping[str, Any]) -> tuple[Problem, ReasoningPath]:
    """A kept judgement with the pair that it is about, which it has as it was shown."""
    path = _as_path(row)
    answers = list(row["shown"])[:: 1 if path.order == "given" else -1]
    return _problem({**row, "id": path.problem_id, "answers": answers}), path


_as_path: Callable[[Mapping[str, Any]], ReasoningPath] = reader_of(ReasoningPath)


def _of_verdicts(problem: Problem, outcomes: Sequence[Outcome]) -> TournamentResult:
    """A pair's verdicts as a tournament of two, a match for every sample, rated by points."""
    played = [MatchResult(problem.id, number, Match(0, 1), one, (one,), None, (), 0) for number, one in enumerate(outcomes)]
    points = sum(one.points for one in outcomes if one.decided)
    ratings = (points, sum(one.decided for one in outcomes) - points)
    order = (0, 1) if ratings[0] >= ratings[1] else (1, 0)
    return TournamentResult(problem, Ranking(order, ratings), played, None, "votes")
