"""The processes of a launch: their ranks, and the barrier at which they wait for each other.

They meet in the run folder alone, which every machine sees: sampling takes as long as it takes, and no collective of a training library
waits for it. Docs: decisions/0016.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path as FilePath

from adjudge import ProcessGroup

POLL = 0.02
"""Seconds between two looks at what the other processes have done."""


@dataclass
class FolderProcessGroup(ProcessGroup):
    """A process group whose members meet by files in a folder."""

    folder: FilePath = FilePath()
    """Where the processes of one launch leave their signs; no other launch has used it."""
    barriers: int = 0
    """How many barriers they have passed."""

    def barrier(self) -> None:
        """Go on once every process has come here. One that never comes is noticed by who launched them, and ends all."""
        self.barriers += 1
        if self.size > 1:
            self.meet(f"met-{self.barriers}")

    def meet(self, name: str) -> None:
        """Go on once every process has come to the barrier of this name."""
        (self.folder / f"{name}.{self.rank}").touch()
        while not all((self.folder / f"{name}.{rank}").exists() for rank in range(self.size)):
            time.sleep(POLL)
