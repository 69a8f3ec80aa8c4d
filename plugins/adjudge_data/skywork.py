"""Skywork-Reward-Preference-80K, what ReasonGRM and RRM train on, without the rows whose text gives the label away.

{"chosen": [{"role": "user", "content": "What is 37+48?"}, {"role": "assistant", "content": "85"}],
 "rejected": [{"role": "user", "content": "What is 37+48?"}, {"role": "assistant", "content": "75"}], "source": "helpsteer2"}

RM-R1 (arXiv 2505.02387, appendix F.2) found that in version 0.2 every row of the source ``magpie_ultra`` has the token ``<im_start>`` in
its rejected answer alone, about 30% of the set: a judge would learn the mark and not the answer. They dropped these rows, and so does
this, by default, and says how many. Version 0.1 has besides 4,957 rows of that source which overlap with RewardBench's prompts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from adjudge import Problem
from adjudge_benchmarks import sources

from .preference import preferred
from .row_errors import IdenticalAnswersError, RowError
from .row_files import RowSet, identified

FILES = ("**/*.parquet", "**/*.jsonl", "**/*.json")
LEAKING = "magpie_ultra"


class Skywork80k(RowSet):
    """Skywork-Reward-Preference-80K, without the source that gives its labels away, each pair in seeded random order."""

    use: Literal["skywork-80k"] = "skywork-80k"
    data: str
    """A Parquet or JSON Lines file, a folder of such files, or ``hub:ID@SPLIT`` for a data set that `datasets` loads."""
    keep_magpie_ultra: bool = False
    """Whether to keep the rows that give their labels away."""
    most_characters: Annotated[int, Field(gt=0)] | None = None
    """Leave out pairs of which prompt and answers have more characters than this, all three together; None = none."""
    skip_bad_lines: bool = False
    """Whether rows that cannot be used are left out and counted, instead of ending the job; a file that cannot be read ends it."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides which of the two answers stands first; the rows themselves stay in their order."""

    def _where(self) -> str:
        return self.data

    def _problems(self, taken: set[str]) -> Iterator[Problem]:
        left_out: Counter[str] = Counter()
        read = 0
        try:
            for _, rows in sources(self.data, FILES):
                for problem in rows(lambda row: self._read(row, taken, left_out)):
                    read += 1
                    if problem is not None:
                        yield problem
        finally:  # also when the reader has enough before the end
            both = "" if self.part == "all" else ", of either part"
            for reason, count in left_out.items():
                print(f"{self.data}: {count:,} of the {read:,} pairs read{both}, left out: {reason}", file=sys.stderr)

    def _read(self, row: dict[str, Any], taken: set[str], left_out: Counter[str]) -> Problem | None:
        """The row's problem; None for a row that is left out, and counted."""
        try:
            problem, reason = self._usable(row, taken)
        except RowError as error:
            if not self.skip_bad_lines:
                raise RowError(f"{error} (skip_bad_lines: true leaves such rows out)") from None
            problem, reason = None, "they cannot be used (skip_bad_lines)"
        if problem is None:
            left_out[reason] += 1
        return problem

    def _usable(self, row: dict[str, Any], taken: set[str]) -> tuple[Problem | None, str]:
        """The row's problem, or None and why it is left out; raises `RowError`."""
        if not isinstance(row.get("source"), str):
            raise RowError("has no text in its field 'source', by which the rows that give their labels away are known")
        if row["source"] == LEAKING and not self.keep_magpie_ultra:
            return None, f"source {LEAKING}, which gives its labels away (keep_magpie_ultra: true keeps them)"
        try:
            [problem] = preferred(row, self.seed, pairs="best-worst")
        except IdenticalAnswersError:
            return None, "both answers are the same text, and no judge can be right about those"
        if self.most_characters is not None and len(problem.prompt) + sum(map(len, problem.answers)) > self.most_characters:
            return None, f"longer than {self.most_characters:,} characters"
        return identified(problem, {**row, "meta": {"source": row["source"]}}, taken), ""
