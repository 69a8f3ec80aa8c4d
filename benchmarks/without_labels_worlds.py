"""What the parts of `without_labels.py` share: the three embedded worlds, and how much of each is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TINY = 24
"""At most so many problems where a part is only to be seen to work."""


@dataclass(frozen=True)
class World:
    """One embedded world."""

    name: str
    model: str
    """Its judge, as a run file names it."""
    dataset: str
    """Its data set, as a run file names it."""
    sound: str
    """The rule that says whether a path of it is sound."""
    tiny: bool = False

    def count(self, problems: int) -> int:
        """So many problems, or few where a part is only to be seen to work."""
        return min(TINY, problems) if self.tiny else problems

    def data(self, size: int, seed: int, part: str = "train", **options: Any) -> dict[str, Any]:
        """The data set of a run file: problems of all levels."""
        return {"use": self.dataset, "part": part, "size": self.count(size), "seed": seed, "levels": [1, 2, 3, 4], **options}


WORLDS = {
    world.name: world
    for world in (
        World("sums", "adjudge_arithmetic:model", "arithmetic", "sound"),
        World("code", "adjudge_worlds:code", "code", "sound-code"),
        World("instructions", "adjudge_worlds:instructions", "instructions", "sound-instructions"),
    )
}
