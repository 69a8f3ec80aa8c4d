"""The index of one source: light rows of its judgements, tournaments and groups, extended by whatever was written since it last looked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from .groups import GroupIndex
from .lines import MOST, Followed, read_row
from .reading import Judgement, judgement_at, judgements_in
from .rows import ORDERS, OUTCOMES, ROW, Codes, Rows, yes_no
from .source import Source
from .texts import Texts
from .tournaments import TournamentIndex

NO_JUDGEMENTS = ("selected", "starts", "steps", "curve")
"""Records that are indexed nowhere: copies of others, texts to begin with, and numbers that are read when a curve is drawn."""
LONG = 1 << 18
"""Bytes of a row that is not read again for each of its judgements."""


class Index:
    """What is known of one source. One thread extends it, others read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.version = 0
        """Changes whenever something does."""
        self._begin()

    def _begin(self) -> None:
        self.done = False
        """Whether all was read that was there when it was last looked at; what is added later is read as it comes."""
        self.rows, self.texts = Rows(), Texts()
        self.files: list[Followed] = []
        self.stages, self.sets, self.problems = Codes(), Codes(), Codes()
        self.kinds: list[tuple[str, str]] = []
        """Stage and name of each file."""
        self.idents: list[str] = []
        self.numbers: dict[str, int] = {}
        self.scorers: dict[str, str] = {}
        self.waiting: dict[tuple[int, str], tuple[float, int, tuple[int, int, int]]] = {}
        self.groups, self.tournaments = GroupIndex(), TournamentIndex()
        self.sums: dict[tuple[str, int, str], list[float]] = {}
        """Of rollouts, by stage, step and part: how often it came, and the sum of it."""
        self._long: tuple[tuple[int, int, int], dict[str, Any]] | None = None

    @property
    def bytes(self) -> tuple[int, int]:
        """How much is read of how much there is."""
        return sum(one.end for one in self.files), sum(one.size for one in self.files)

    def extend(self, most: int = MOST) -> bool:
        """Read what has come, about `most` bytes of each file at once; returns whether there was something."""
        self._find_files()
        if any(one.rewritten() for one in self.files):  # failed calls were taken out: begin again
            self._begin()
            self._find_files()
        before = [one.end for one in self.files]
        for number in range(len(self.files)):
            self._read(number, most)
        changed = before != [one.end for one in self.files]
        self.version += changed or not self.version
        self.done = self.done or not changed or all(one.end == one.size for one in self.files)
        return changed

    def _find_files(self) -> None:
        known = {one.file for one in self.files}
        use = stage_names(self.source.config)
        for file in self.source.record_files():
            stage, name = self.source.stage_and_set(file, use)
            if file not in known and (name not in NO_JUDGEMENTS or self.source.kind == "rows"):
                self.files.append(Followed(file))
                self.kinds.append((stage, name))

    def _read(self, number: int, most: int) -> None:
        followed, (stage, name) = self.files[number], self.kinds[number]
        for row, offset, size in followed.new_rows(most):
            try:
                self._take(stage, name, row, (number, offset, size))
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):  # it is not what such a row has to be
                followed.damaged.append(followed.lines)
        if followed.damaged:
            told = ", ".join(map(str, followed.damaged[:5])) + (" and more" if len(followed.damaged) > 5 else "")
            self.source.problems[followed.file.name] = f"line {told} is damaged and left out"

    def _take(self, stage: str, name: str, row: Mapping[str, Any], place: tuple[int, int, int]) -> None:
        """Index a row, whatever it is of."""
        if name == "scores":
            self._add_score(stage, row, place)
        elif "matches" in row and "answers" in row:
            self.tournaments.add(row, place)
        elif name == "answers":
            self.groups.add(self.ident(place[0]), stage, row, place)
        else:
            for one in judgements_in(row):
                self._add(stage, name, one, place)

    def ident(self, number: int) -> str:
        """A file's name as it begins the ids of its judgements."""
        return self.files[number].file.name.removesuffix(".jsonl")

    def _add(self, stage: str, name: str, one: Judgement, place: tuple[int, int, int]) -> None:
        row, shown = one.made, name.removeprefix("evaluation-")
        stage_code, score = self.stages.code(stage), row.get("reward", math.nan)
        outcome, index = one.outcome, one.row.get("index")
        ident = f"{self.ident(place[0])}/{one.id}"
        if ident in self.numbers:
            return
        values = (
            *place, one.sub, stage_code, self.sets.code(shown), self.problems.code(one.problem), ORDERS.index(one.order),
            index if isinstance(index, int) else max(one.sub, 0), row.get("step", -1),
            OUTCOMES.index(outcome) if outcome in OUTCOMES else -1, yes_no(one.right), -1, -1 if one.tokens is None else one.tokens,
            math.nan if score is None else score, 0, 0, 0,
        )  # fmt: skip
        made, searched = np.array(values, ROW), one.searched  # before anything is held of a row that cannot be read
        self.texts.add(searched)
        self.idents.append(ident)
        number = self.rows.add(made)
        self.numbers[ident] = number
        if name == "rollouts":
            self._count(stage, row)
            self.groups.add(self.ident(place[0]), stage, row, place)
        if (told := self.waiting.pop((stage_code, one.id), None)) is not None:
            self.rows.set_score(number, *told)

    def _count(self, stage: str, row: Mapping[str, Any]) -> None:
        parts = {**(row.get("parts") or {}), " readable": float(row.get("outcome") in OUTCOMES[:3])}
        for part, value in parts.items():
            if value is not None:
                held = self.sums.setdefault((stage, int(row["step"]), part), [0, 0.0])
                held[0] += 1
                held[1] += value

    def _add_score(self, stage: str, row: Mapping[str, Any], place: tuple[int, int, int]) -> None:
        self.scorers.setdefault(stage, str(row.get("scorer", "score")))
        value = row.get("value")
        told = (math.nan if value is None else float(value), yes_no(row.get("kept")), place)
        number = self.numbers.get(f"{stage}-paths/{row.get('path_id')}")
        if number is None:
            self.waiting[self.stages.code(stage), str(row.get("path_id"))] = told
        else:
            self.rows.set_score(number, *told)

    def judgement(self, number: int) -> Judgement:
        """The whole judgement of a row, without the numbers of its tokens."""
        row = self.rows.table()[number]
        return judgement_at(self.read((int(row["file"]), int(row["offset"]), int(row["size"]))), int(row["sub"]))

    def read(self, place: tuple[int, int, int]) -> dict[str, Any]:
        """The row of a file; the last long one, of which a page may show many judgements, is held."""
        if place[2] < LONG:
            return read_row(self.file(place[0]), place[1], place[2])
        held = self._long
        if held is None or held[0] != place:
            held = self._long = (place, read_row(self.file(place[0]), place[1], place[2]))
        return held[1]

    def kind(self, number: int) -> str:
        """What the judgements of a file are."""
        stage, name = self.kinds[number]
        if name == stage:
            return "ratings" if self.source.kind == "ratings" else "judgements"
        return "evaluation" if name.startswith("evaluation-") else name

    def file(self, number: int) -> FilePath:
        return self.files[number].file


def stage_names(config: Mapping[str, Any]) -> list[str]:
    """The stages that a run's configuration names."""
    stages = config.get("stages")
    uses = [str(one.get("use")) for one in stages if isinstance(one, dict)] if isinstance(stages, list) else []
    return [f"{index}-{use}" for index, use in enumerate(["base", *uses])] if "stages" in config else []
