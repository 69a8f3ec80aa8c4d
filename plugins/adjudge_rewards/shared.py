"""The judge of a reward's file, opened once in a process, where a framework makes its objects anew for every sample or group."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import cache
from pathlib import Path as FilePath

from .cohorts import Cohorts
from .config import open_reward


def shared(file: FilePath | str) -> Cohorts:
    """The cohorts of this file, in which an undecided completion is None; the judge's model stays loaded until the process ends."""
    return _opened(FilePath(file).absolute())


@cache
def _opened(file: FilePath) -> Cohorts:
    held = ExitStack()
    atexit.register(held.close)
    return Cohorts(held.enter_context(open_reward(file)))
