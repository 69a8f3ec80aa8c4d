"""Several data sets in given shares, as RRM mixes preference pairs with pairs whose right answer a rule can verify.

{"use": "mix", "parts": {"pairs": {"data": {"use": "preference", "file": "pairs.jsonl"}, "share": 5}, "sums": {"data": "arithmetic"}}}

No pair is drawn twice, so without a `size` the mix is as large as the part that is used up first allows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field

from adjudge import ConfigError, Dataset, Options, Problem, stable_seed

from .spool import problems_of, spooled


class MixPart(Options):
    """One of the data sets of a mix."""

    data: Dataset
    """Where its problems come from."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """How many of its problems there are for so many of the others, in any unit."""


class Mix(Dataset):
    """Problems of several data sets in given shares, in one seeded order."""

    use: Literal["mix"] = "mix"
    parts: Annotated[dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], MixPart], Field(min_length=1)]
    """Data sets by a name, which is put before the ids of their problems and kept in ``meta["part"]``."""
    size: Annotated[int, Field(gt=0)] | None = None
    """Problems in all; None = as many as the shares allow."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides which problems of a part are drawn, and their order."""

    def load(self) -> Sequence[Problem]:
        """The mix; raises `ConfigError` where a part has fewer problems than its share of `size`."""
        loaded = {name: problems_of(part.data, f"parts.{name}") for name, part in self.parts.items()}
        counts = self._counts({name: len(problems) for name, problems in loaded.items()})
        rng = random.Random(stable_seed("mix", self.seed))
        drawn = [(name, place) for name, problems in loaded.items() for place in rng.sample(range(len(problems)), counts[name])]
        return spooled((_named(name, loaded[name][place]) for name, place in rng.sample(drawn, len(drawn))), "the mix")

    def tolerant(self) -> Self:
        """The mix of the same parts, each of them leaving out the rows that cannot be used."""
        parts = {name: part.model_copy(update={"data": part.data.tolerant()}) for name, part in self.parts.items()}
        return self.model_copy(update={"parts": parts})

    def _counts(self, sizes: dict[str, int]) -> dict[str, int]:
        """Problems of each part: its share of the whole, the largest remainders rounded up."""
        total = sum(part.share for part in self.parts.values())
        shares = {name: part.share / total for name, part in self.parts.items()}
        whole = self.size or int(min(sizes[name] / share for name, share in shares.items()) + 1e-9)
        counts = {name: int(whole * share + 1e-9) for name, share in shares.items()}
        by_remainder = sorted(shares, key=lambda name: counts[name] - whole * shares[name])
        for name in by_remainder[: whole - sum(counts.values())]:
            counts[name] += 1
        for name, count in counts.items():
            if count > sizes[name]:
                raise ConfigError(
                    f"parts.{name}: {count:,} of its problems are asked for, and it has {sizes[name]:,}.\n"
                    "  Remedy: lower size, or its share; no problem is drawn twice."
                )
        return counts


def _named(name: str, problem: Problem) -> Problem:
    return Problem(f"{name}:{problem.id}", problem.prompt, problem.answers, problem.label, {**problem.meta, "part": name})
